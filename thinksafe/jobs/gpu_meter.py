"""How busy the GPUs of a job are, while it runs: utilisation and memory, as nvidia-smi tells them. Plumbing.

nvidia-smi comes with the driver, so that no environment needs a package for it. Where there is none, or it fails, a
job has no such numbers, and nothing else happens.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

ASKED = "uuid,utilization.gpu,memory.used,memory.total"


class GpuMeter:
    """Collects samples of the GPUs that this process may use (``CUDA_VISIBLE_DEVICES``; all where it is not set).

    Parameters
    ----------
    count : int
        How many GPUs the job holds; where it holds none, those that it could see are others'.
    """

    def __init__(self, count: int) -> None:
        self.command = self._command(os.environ) if count else None
        self.busy: list[float] = []  # percent, the mean over the job's GPUs at each sample
        self.memory: list[float] = []  # MiB, the most that one of them held
        self.total = 0.0

    @staticmethod
    def _command(environment: Mapping[str, str]) -> list[str] | None:
        visible, tool = environment.get("CUDA_VISIBLE_DEVICES"), shutil.which("nvidia-smi")
        if tool is None or visible in ("", "-1"):
            return None
        command = [tool, f"--query-gpu={ASKED}", "--format=csv,noheader,nounits"]
        return [*command, f"--id={visible}"] if visible else command

    def sample(self) -> None:
        """Ask once; a tool that fails is not asked again."""
        if self.command is None:
            return
        try:
            done = subprocess.run(self.command, capture_output=True, text=True, timeout=10, check=True)
            rows = [
                [float(value) for value in line.split(",")[1:]] for line in done.stdout.splitlines() if line.strip()
            ]
            busy, used, total = zip(*rows, strict=True)
        except (OSError, subprocess.SubprocessError, ValueError):
            self.command = None
            return
        self.busy.append(sum(busy) / len(busy))
        self.memory.append(max(used))
        self.total = max(total)

    def summary(self) -> dict[str, Any]:
        """Return ``gpu_utilisation`` (percent, mean over time and GPUs), ``gpu_memory_mb`` (peak), and how sampled."""
        if not self.busy:
            return {}
        return {
            "gpu_utilisation": round(sum(self.busy) / len(self.busy), 1),
            "gpu_memory_mb": round(max(self.memory)),
            "gpu_memory_total_mb": round(self.total),
            "gpu_samples": len(self.busy),
        }
