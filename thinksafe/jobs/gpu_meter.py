"""Utilisation and memory of a job's GPUs while it runs, from nvidia-smi; where that is missing or fails, nothing."""

import os
import shutil
import subprocess
from typing import Any

QUERY = "uuid,utilization.gpu,memory.used,memory.total"


class GpuMeter:
    """Collects samples of the GPUs that this process may use (``CUDA_VISIBLE_DEVICES``; all if it is not set).

    ``count`` is the number of GPUs that the job holds; if it holds none, those that it sees belong to others.
    """

    def __init__(self, count: int) -> None:
        visible, tool = os.environ.get("CUDA_VISIBLE_DEVICES"), shutil.which("nvidia-smi")
        self.command: list[str] | None = None
        if count and tool and visible not in ("", "-1"):
            self.command = [tool, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits"]
            self.command += [f"--id={visible}"] if visible else []
        # Mean utilisation of the job's GPUs (percent), the most memory that one of them held, and had (MiB).
        self.samples: list[tuple[float, float, float]] = []

    def sample(self) -> None:
        """Take one sample; a tool that fails is not called again."""
        if self.command is None:
            return
        try:
            done = subprocess.run(self.command, capture_output=True, text=True, timeout=10, check=True)
            rows = [map(float, line.split(",")[1:]) for line in done.stdout.splitlines() if line.strip()]
            busy, used, total = zip(*rows, strict=True)
        except (OSError, subprocess.SubprocessError, ValueError):
            self.command = None
            return
        self.samples.append((sum(busy) / len(busy), max(used), max(total)))

    def summary(self) -> dict[str, Any]:
        """Return ``gpu_utilisation`` (percent, mean over time and GPUs), ``gpu_memory_mb`` (peak) and sample counts."""
        if not self.samples:
            return {}
        busy, used, total = zip(*self.samples, strict=True)
        return {
            "gpu_utilisation": round(sum(busy) / len(busy), 1),
            "gpu_memory_mb": round(max(used)),
            "gpu_memory_total_mb": round(max(total)),
            "gpu_samples": len(busy),
        }
