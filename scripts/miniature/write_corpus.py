"""Write a counterpart of a baseline's published training set, in its authors' format (docs/miniature.md)."""

from thinksafe.files import read_rows, write_table
from thinksafe.jobs.start import start
from thinksafe.miniature.counterparts import WRITERS


def write_corpus(harmful: str, benign: str, traces: list[str], corpus: str, seed: int, rows: str) -> None:
    """Write the rows of the set ``corpus``; ``seed`` is the world's.

    ``harmful`` and ``benign`` are its training prompts, ``traces`` the teacher's filtered responses, if they are used.
    """
    prompts = {"harmful": read_rows(harmful), "benign": read_rows(benign)}
    made = WRITERS[corpus](prompts, read_rows(traces), seed)
    if not made:
        raise ValueError(f"{corpus}: no response of the teacher fits; look at {traces}")
    write_table(rows, made)
    print(f"{len(made)} rows")


if __name__ == "__main__":
    start(snakemake, __file__)
