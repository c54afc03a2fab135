"""A training set that others have released, where a student's own would be sampled (docs/running-the-paper.md)."""

import random
from collections import Counter
from collections.abc import Callable

from scripts.generation.filter_responses import COLUMNS
from thinksafe.data.published_sets import ROLES, Unusable, respond, taken_apart
from thinksafe.data.sources import select, source_rows
from thinksafe.files import Row, write_json, write_rows
from thinksafe.models.chat import completion_tokens, opens_think
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.location import locate
from thinksafe.seeds import seed_for


def import_released(
    files: dict[str, list[str]],
    model: list[str],
    spec: Row,
    output: str,
    statistics: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write the set in the form that `filter_responses` gives its own, harmful rows first, and what was not usable.

    A row that does not open, close and end its reasoning as a student would is dropped and counted by its reason; none
    is repaired into something that the student did not write.

    Parameters
    ----------
    files : dict
        For each role the local file behind its source, if it has one.
    model : files that stand for the student among the job's inputs; its tokenizer counts the tokens
    spec : dict
        ``student``, ``method``, ``model``, ``chat``, ``seed`` and the parts ``harmful`` and ``benign``.

    Raises
    ------
    ValueError
        If a source has another form than its part says, or no row of a role, or fewer than ``take``, can be used.
    """
    # Paper: the authors' code keeps rows that never close their reasoning, which would teach not to answer.
    tokenizer = load_tokenizer(locate(spec["model"], model), spec.get("chat"))
    opened = opens_think(tokenizer)
    rows: list[Row] = []
    counts: Row = {}
    for role in ROLES:
        what = f"sources.{spec['student']}.{spec['method']}.{role}"
        kept, counts[role] = usable(source_rows(spec[role]["source"], files[role]), spec, role, what)
        for row in kept:
            tokens = len(completion_tokens(tokenizer, row["response"], opened))
            rows.append(row | {"role": role, "draw": 0, "tokens": tokens})
    write_rows(output, rows, COLUMNS)
    write_json(statistics, counts)
    print(counts)
    progress(1, 1)


def usable(rows: list[Row], spec: Row, role: str, what: str) -> tuple[list[Row], Row]:
    """Return id, prompt and response of the rows that can be learnt from, and how many were there, kept and dropped."""
    part = spec[role]
    rows = select(rows, part, what)
    order = list(range(len(rows)))
    if part.get("order") == "random":
        random.Random(seed_for(*spec["seed"], role)).shuffle(order)
    kept: list[Row] = []
    dropped: Counter[str] = Counter()
    for number in order:
        if len(kept) == part.get("take"):
            break
        prompt, response = (rows[number][part["columns"][name]] for name in ("prompt", "response"))
        try:
            if not isinstance(prompt, str) or not prompt.strip():
                raise Unusable("no_prompt")
            kept.append(
                dict(id=f"released-{role}-{number:06d}", prompt=prompt, response=respond(*taken_apart(response)))
            )
        except Unusable as reason:
            dropped[str(reason)] += 1
    if len(kept) < (part.get("take") or 1):
        raise ValueError(
            f"{what}: {len(kept)} usable rows of {len(rows)}, where {part.get('take') or 'some'} are wanted; dropped: "
            f"{dict(dropped)}. A response is the reasoning, </think> and the answer; do `columns` name the right ones?"
        )
    return kept, {"released": len(rows), "kept": len(kept), "dropped": dict(sorted(dropped.items()))}


if __name__ == "__main__":
    import json

    from thinksafe.jobs.run import start

    start(
        snakemake,
        "import_released",
        files={role: list(snakemake.input.get(role, [])) for role in ROLES},
        model=list(snakemake.input.get("model", [])),
        spec=json.loads(snakemake.params.spec),
        output=snakemake.output.dataset,
        statistics=snakemake.output.statistics,
    )
