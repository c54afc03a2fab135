"""Write one prompt set or benchmark of the miniature's world as source rows (docs/miniature.md)."""

from thinksafe.files import Row, write_table
from thinksafe.jobs.start import start
from thinksafe.miniature.rows import make_rows


def make_world(name: str, world: Row, rows: str) -> None:
    """Write the rows of the set ``name`` to the path ``rows``; ``world`` is config's, as `make_rows` needs it."""
    write_table(rows, make_rows(world, name))


if __name__ == "__main__":
    start(snakemake, __file__)
