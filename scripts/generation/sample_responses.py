"""Sample training responses: harmful prompts steered to refusal, benign prompts as they are (paper Sec. 4, A.1)."""

from collections.abc import Callable

from thinksafe.data.taking import take_prompts
from thinksafe.files import Row, read_rows
from thinksafe.inference.sampling import sample, shard_of
from thinksafe.jobs.start import start
from thinksafe.models.location import locate


def sample_responses(
    prompts: str, model: list[str], spec: Row, responses: str, key: str, progress: Callable[[int, int], None]
) -> None:
    """Write the responses of one model to one shard of a prompt set.

    ``model`` are the files that stand for the model. ``spec`` has its source (``model``), ``take`` (how many of the
    prompts, or None), ``shard``, ``shards``, and what `thinksafe.inference.sampling.sample` needs.
    """
    rows = shard_of(take_prompts(read_rows(prompts), spec["take"]), spec["shard"], spec["shards"])
    sample(rows, str(locate(spec["model"], model)), spec, responses, key, progress=progress)


if __name__ == "__main__":
    start(snakemake, __file__)
