"""The meter of a job's GPUs: its own ones only, and nothing where they cannot be measured."""

import os

from thinksafe.jobs.gpu_meter import GpuMeter


def fake_tool(folder, monkeypatch, body):
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{body}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gpus_of_a_job_are_measured(tmp_path, monkeypatch):
    """Only the job's own GPUs are asked for; utilisation is a mean, memory a peak."""
    fake_tool(tmp_path, monkeypatch, f'echo "$@" >> {tmp_path}/asked; cat {tmp_path}/answer')
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    meter = GpuMeter(2)
    for busy, used in ((80, 1000), (40, 3000)):
        (tmp_path / "answer").write_text(f"GPU-a, {busy}, {used}, 81559\nGPU-b, {busy - 20}, 500, 81559\n")
        meter.sample()
    assert meter.summary() == {
        "gpu_utilisation": 50.0,
        "gpu_memory_mb": 3000,
        "gpu_memory_total_mb": 81559,
        "gpu_samples": 2,
    }
    assert (tmp_path / "asked").read_text().count("--id=2,3") == 2


def test_without_gpus_or_with_a_broken_tool_nothing_is_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    fake_tool(tmp_path, monkeypatch, f"echo x >> {tmp_path}/asked; exit 9")
    meter = GpuMeter(2)
    meter.sample()
    assert meter.summary() == {} and not (tmp_path / "asked").exists()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    meter = GpuMeter(0)  # those that it sees are others'
    meter.sample()
    assert meter.summary() == {} and not (tmp_path / "asked").exists()
    meter = GpuMeter(2)
    meter.sample(), meter.sample()
    assert meter.summary() == {} and (tmp_path / "asked").read_text() == "x\n"
