"""A workflow's driver as a child of the tests, and what can be seen of its jobs."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm.cluster import DEATH_SIGNAL, ROOT, Cluster

# Short waits: jobs here take seconds. Everything else is the profile's.
QUICK = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10", "--jobs", "3")
TWO_DEVICES = ("--set-resources", "train_student:gpu=2")  # without SLURM, as many as its profile says


def copy_of_checkout(target: Path) -> Path:
    """Copy what git has or would have of this checkout, and lend it our environment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    target.mkdir(parents=True)
    names = [
        name for name in listed.stdout.decode().split("\0") if name not in ("", ".venv") and (ROOT / name).exists()
    ]
    subprocess.run(["cp", "-a", "--parents", "-t", str(target), *names], cwd=ROOT, check=True)
    (target / ".venv").symlink_to((ROOT / ".venv").resolve())
    return target


def site(folder: Path, **facts: str) -> None:
    """Set facts at the head of the profile, as somebody who has copied this checkout would."""
    path = folder / "profiles/slurm/config.yaml"
    text = path.read_text(encoding="utf-8")
    for name, value in facts.items():
        text, count = re.subn(rf"(?m)^  {name}: \S+", f"  {name}: {value}", text)
        assert count == 1, name
    path.write_text(text, encoding="utf-8")


class Driver:
    """A running `snakemake`, with ``--profile slurm`` where there is a cluster; it dies with the tests."""

    def __init__(self, folder: Path, cluster: Cluster | None, *arguments: str, quick: tuple[str, ...] = QUICK) -> None:
        self.folder, self.cluster = folder, cluster
        self.log = folder / f"driver-{time.monotonic_ns()}.log"
        slurm = ["--profile", "slurm", *quick] if cluster else []
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(folder / ".venv/bin/python"), "-m", "snakemake", *slurm, *arguments],
                cwd=folder,
                env=(cluster.env if cluster else os.environ) | {"OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL),
            )

    def told(self) -> str:
        """Return what the driver has printed so far."""
        return self.log.read_text(errors="replace")

    def finish(self, status: int = 0, seconds: float = 1200) -> str:
        """Wait for the driver's end and return what it printed."""
        found = self.process.wait(seconds)
        assert found == status, f"status {found}\n{self.told()[-6000:]}"
        return self.told()

    def end(self) -> None:
        """End the driver and its jobs, whatever state they are in."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self.cluster:
            self.cluster.ask("scancel", "--quiet", "--user", str(os.getuid()), check=False)

    def job(self) -> str:
        """Return the SLURM job that was submitted last, or nothing."""
        return (["", *re.findall(r"submitted with SLURM jobid (\d+)", self.told())])[-1]


class Sampling:
    """A job that samples: how many rows are safe in its journal, which only grows while none is sampled twice."""

    def __init__(self, driver: Driver, output: Path) -> None:
        self.driver, self.output = driver, output
        self.most = 0

    def rows(self) -> int:
        """Return how many rows are safe."""
        for path in self.output.parent.glob(f".{self.output.name}.*.journal"):
            with contextlib.suppress(FileNotFoundError):
                rows = path.read_bytes().count(b"\n")
                assert rows >= self.most, f"{self.most} rows were safe, and now {rows} are"
                self.most = rows
        return self.most

    def wait(self, holds: Callable[[], object], what: str, seconds: float = 240) -> None:
        """Wait until something holds, while the journal does not shrink and the driver runs."""

        def so() -> object:
            self.rows()
            assert self.driver.process.poll() is None, self.driver.told()[-4000:]
            return holds()

        self.driver.cluster.wait(so, what, seconds)

    def advance(self, rows: int = 5) -> None:
        """Wait until so many more rows are safe."""
        goal = self.rows() + rows
        self.wait(lambda: self.rows() >= goal, f"{goal} rows")
        assert not self.output.exists(), "the job was over before it was disturbed"
