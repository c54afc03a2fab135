"""Write a counterpart of a baseline's published training set, as its authors publish theirs (docs/miniature.md)."""

from collections.abc import Callable
from typing import Any

from thinksafe.files import read_rows, write_table
from thinksafe.miniature.counterparts import WRITERS


def write_corpus(
    prompts: dict[str, str], traces: list[str], spec: dict[str, Any], output: str, progress: Callable[[int, int], None]
) -> None:
    """Write the rows of one published set.

    Parameters
    ----------
    prompts : dict
        The world's ``harmful`` and ``benign`` training prompts.
    traces : the teacher's kept responses, where the set is made of such
    spec : dict
        ``corpus`` (its name) and the world's ``seed``.
    """
    rows = WRITERS[spec["corpus"]](
        {role: read_rows(path) for role, path in prompts.items()}, read_rows(traces), spec["seed"]
    )
    if not rows:
        raise ValueError(f"{spec['corpus']}: nothing that the teacher said can stand in it; look at {traces}")
    write_table(output, rows)
    print(f"{len(rows)} rows")
    progress(1, 1)


if __name__ == "__main__":
    import json

    from thinksafe.jobs.start import start

    start(
        snakemake,
        "write_corpus",
        prompts={"harmful": snakemake.input.harmful, "benign": snakemake.input.benign},
        traces=list(snakemake.input.get("traces", [])),
        spec=json.loads(snakemake.params.spec),
        output=snakemake.output.rows,
    )
