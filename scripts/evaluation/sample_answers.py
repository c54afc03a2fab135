"""Sample a trained student's answers to a benchmark (paper Sec. 5.1, B)."""

from collections.abc import Callable

from thinksafe.files import IDENTITY, Row, read_rows
from thinksafe.inference.sampling import sample, shard_of
from thinksafe.jobs.start import start
from thinksafe.models.location import locate


def sample_answers(
    prompts: str,
    model: list[str],
    adapter: list[str],
    spec: Row,
    answers: str,
    key: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write one student's answers to one shard of a benchmark, with its adapter served live.

    ``model`` are the files that stand for the model, ``adapter`` is the adapter's identity, or nothing for the initial
    student. ``spec`` is as in `sample_responses`; its ``steering`` is ``{prompt}``: nothing is added.
    """
    rows = shard_of(read_rows(prompts), spec["shard"], spec["shards"])
    folder = adapter[0].removesuffix(IDENTITY) if adapter else None
    sample(rows, str(locate(spec["model"], model)), spec, answers, key, adapter=folder, progress=progress)


if __name__ == "__main__":
    start(snakemake, __file__)
