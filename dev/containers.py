"""Write the recipes under containers/ from the conda files under envs/: `python -m dev.containers`.

One image contains the environment of every kind of job at the path where Snakemake looks for it in a `containerized`
image: under a digest of the conda file and its post-deploy script. (`snakemake --containerize` does nearly this, but it
needs conda, does not pin the base image, and does not run post-deploy scripts.) Usage: docs/environments.md.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BASE = "condaforge/miniforge3:24.11.3-2"
LEFT_OUT = ("versions", "scoring-py310", "sampling-transformers")  # the last two are not the paper's
MADE = "# Made by `python -m dev.containers` from envs/*.yaml; edit those. Build and use: docs/environments.md."


def environments() -> dict[Path, str]:
    """Return the prefix in the image of each conda file."""
    return {
        path: f"/conda-envs/{digest(path)}"
        for path in sorted((ROOT / "envs").glob("*.yaml"))
        if path.stem not in LEFT_OUT
    }


def post_deploy(path: Path) -> Path | None:
    """Return the script that runs once in a new environment, if there is one."""
    script = path.with_suffix(".post-deploy.sh")
    return script if script.exists() else None


def digest(path: Path) -> str:
    """Return Snakemake's own digest of an environment's content (`snakemake.deployment.conda.Env.content_hash`)."""
    script = post_deploy(path)
    return hashlib.md5((script.read_bytes() if script else b"") + path.read_bytes(), usedforsecurity=False).hexdigest()


def files() -> list[tuple[str, str]]:
    """Return the source (relative to the repository) and target of each file in the image."""
    found = []
    for path, prefix in environments().items():
        found.append((f"envs/{path.name}", f"{prefix}/environment.yaml"))
        if script := post_deploy(path):
            found.append((f"envs/{script.name}", f"{prefix}/post-deploy.sh"))
    return found


def commands() -> list[str]:
    """Return the commands that build the environments."""
    found = []
    for path, prefix in environments().items():
        found.append(f"conda env create --quiet --prefix {prefix} --file {prefix}/environment.yaml")
        if post_deploy(path):
            found.append(f"conda run --prefix {prefix} bash {prefix}/post-deploy.sh")
    return [*found, "conda clean --all --yes"]


def dockerfile() -> str:
    """Return the recipe for Docker: one layer per environment, so that a change of one rebuilds only that."""
    lines = [MADE, f"FROM {BASE}", 'LABEL io.github.snakemake.containerized="true"']
    lines += [f"COPY {source} {target}" for source, target in files()]
    lines += [f"RUN {command}" for command in commands()]
    return "\n".join(lines) + "\n"


def apptainer() -> str:
    """Return the recipe for Apptainer."""
    lines = [MADE, "Bootstrap: docker", f"From: {BASE}", ""]
    lines += ["%labels", "    io.github.snakemake.containerized true", ""]
    lines += ["%files", *(f"    {source} {target}" for source, target in files()), ""]
    lines += ["%post", "    set -e", *(f"    {command}" for command in commands())]
    return "\n".join(lines) + "\n"


RECIPES = {"Dockerfile": dockerfile, "thinksafe-flow.def": apptainer}


def main() -> None:
    """Write both recipes."""
    for name, recipe in RECIPES.items():
        path = ROOT / "containers" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(recipe(), encoding="utf-8")
        print(f"containers/{name}", file=sys.stderr)


if __name__ == "__main__":
    main()
