"""The cache of `huggingface_hub`, which jobs read; ``snakemake fetch`` fills it, a job never does."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# The files that we download: no pickled weights, no second copy in a subfolder (Llama-Guard-3 has one under original/),
# no code.
WANTED: dict[str, dict[str, Any]] = {
    "model": {"allow_patterns": ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"], "ignore_patterns": ["*/*"]},
    "dataset": {"allow_patterns": ["*"], "ignore_patterns": ["*.py", ".gitattributes"]},
}


def cached_snapshot(name: str, kind: str, revision: str | None) -> Path:
    """Return the folder of a model or dataset in the local cache; raise FileNotFoundError if it is not there whole.

    ``revision`` is a commit, or a branch or tag as it was when it was fetched; None is the default branch.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, repo_type=kind, revision=revision, local_files_only=True, **WANTED[kind]))
    except LocalEntryNotFoundError as error:
        state = "is incomplete" if isinstance(error, IncompleteSnapshotError) else "is not there"
        raise FileNotFoundError(
            f"{kind} {name} {state} at revision {revision or 'main'} in {constants.HF_HUB_CACHE}; run "
            "`snakemake fetch` with this run's config where the hub can be reached (jobs never download)"
        ) from None


def download_path(url: str, sha256: str) -> Path:
    """Return the cache's path of a download that is pinned by its content."""
    from huggingface_hub import cached_assets_path

    folder = cached_assets_path("thinksafe-flow", "downloads", sha256)
    return folder / Path(urlsplit(url).path).name


def cached_download(url: str, sha256: str) -> bytes:
    """Return the content behind an address from the local cache.

    Raises FileNotFoundError if it has not been fetched, and ValueError if it differs from the pinned content.
    """
    path = download_path(url, sha256)
    if not path.is_file():
        raise FileNotFoundError(
            f"{url} has not been fetched; run `snakemake fetch` with this run's config where the address can be "
            "reached (jobs never download), or name a copy: source: {file: ...}"
        )
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{path}: has sha256 {found}, not the pinned {sha256}; remove it and run `snakemake fetch`")
    return content
