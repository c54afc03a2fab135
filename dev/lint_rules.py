"""Run `snakemake --lint` and fail on all findings that are not deliberate: `make lint` calls it."""

import subprocess
import sys

DELIBERATE = {"Environment variable THINKSAFE_IMAGE used": "a machine fact, and optional"}


def lints(report: str) -> list[str]:
    """Return the linter's findings that are not deliberate, each with its file."""
    found, file = [], ""
    for line in report.splitlines():
        if line.startswith("Lints for "):
            file = line.removeprefix("Lints for ").rstrip(":")
        elif line.startswith("    * ") and not line.removeprefix("    * ").startswith(tuple(DELIBERATE)):
            found.append(f"{file}: {line.removeprefix('    * ').rstrip(':')}")
    return found


def main() -> None:
    """Lint the workflow in the current folder."""
    done = subprocess.run([sys.executable, "-m", "snakemake", "--lint"], capture_output=True, text=True)
    report = done.stdout + done.stderr
    if done.returncode and "Lints for " not in report:
        sys.exit(report)
    if found := lints(report):
        sys.exit("\n".join(found) + "\n(`snakemake --lint` explains each)")
    print("snakemake --lint: nothing but deliberate exceptions")


if __name__ == "__main__":
    main()
