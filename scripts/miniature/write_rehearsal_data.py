"""Write one file in the format of a published data set, for the rehearsal (docs/running-the-paper.md)."""

from thinksafe.files import Row, write_bytes, write_table
from thinksafe.jobs.start import start
from thinksafe.miniature.rehearsal import FILES, encode


def write_rehearsal_data(name: str, world: Row, rows: str) -> None:
    """Write the file ``name`` to the path ``rows``; ``world`` is config's, as far as the file needs it."""
    made = FILES[name](world)
    if name.endswith(".parquet"):
        write_table(rows, made)
    else:
        write_bytes(rows, encode(made, name))
    print(f"{len(made)} rows")


if __name__ == "__main__":
    start(snakemake, __file__)
