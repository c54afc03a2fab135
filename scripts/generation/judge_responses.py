"""Ask a guard for its verdict on each response: training samples and benchmark answers alike (paper Sec. 4, 5.1)."""

from collections.abc import Callable
from functools import partial

from thinksafe.files import Row, read_rows, write_rows
from thinksafe.inference.guards import COLUMNS, ask_guard, judge
from thinksafe.jobs.start import start
from thinksafe.models.location import locate


def judge_responses(
    responses: str,
    model: list[str],
    form: list[str],
    guard: Row,
    verdicts: str,
    progress: Callable[[int, int], None],
    engine: Row | None = None,
) -> None:
    """Write one verdict per response of a shard.

    ``model`` are the files that stand for the guard, ``form`` is its prompt format if its tokenizer has none, ``guard``
    its entry in config, ``engine`` the settings of the inference engine, which the oracle does not need.
    """
    rows = read_rows(responses)
    if not rows:
        raise ValueError(f"{responses}: there is no response to judge; are the prompts empty?")
    if guard["kind"] == "oracle":
        from thinksafe.miniature.oracle import verdicts as ask
    else:
        settings = guard | {"engine": engine}
        ask = partial(ask_guard, str(locate(guard["source"], model)), settings, form[0] if form else None)
    write_rows(verdicts, judge(rows, guard["judged_text"], ask, progress), COLUMNS)


if __name__ == "__main__":
    start(snakemake, __file__)
