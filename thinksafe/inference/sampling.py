"""Sample responses to prompts, in batches that an interrupted job does not lose (paper Sec. 4, A.1, B)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.files import write_rows
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Request, Sampling
from thinksafe.jobs.journal import Journal
from thinksafe.models.chat import opens_think, prompt_tokens, stored_response
from thinksafe.models.chat_template import require_rules
from thinksafe.models.folder import load_tokenizer
from thinksafe.models.location import context_tokens
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(
    id=str, draw=int, prompt=str, asked=str, response=str, tokens=int, finish_reason=str, logprob=float, seed=int
)


def share_of(rows: Sequence[dict[str, Any]], shard: int, shards: int) -> list[dict[str, Any]]:
    """Return the rows of one shard; shards differ in size by at most one row and keep the order."""
    return list(rows[len(rows) * shard // shards : len(rows) * (shard + 1) // shards])


def taken(rows: Sequence[dict[str, Any]], take: int | None) -> list[dict[str, Any]]:
    """Return ``take`` of the prompts in their order, drawn once for all students: more of them contain the fewer.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    if take is None:
        return list(rows)
    if take > len(rows):
        raise ValueError(f"prompts.*.take: {take} are asked for and there are {len(rows)}; lower it, or take: null")
    kept = set(sorted((row["id"] for row in rows), key=lambda name: (seed_for("take", name), name))[:take])
    return [row for row in rows if row["id"] in kept]


def sample(
    prompts: Sequence[dict[str, Any]],
    folder: str,
    spec: dict[str, Any],
    output: str,
    key: str,
    adapter: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write ``samples`` responses of the model in ``folder`` to each prompt; the caller removes the journal.

    Parameters
    ----------
    prompts : rows with ``id`` and ``prompt``
    spec : dict
        ``steering`` (text with ``{prompt}``), ``samples``, ``sampling``, ``engine``, ``seed`` (list of parts)
        and, where config has it, ``chat`` (what the model's template does not say about its format).
    key : str
        Digest of all that the responses depend on; names the journal.
    """
    jobs = [
        dict(
            id=row["id"],
            draw=draw,
            prompt=row["prompt"],
            asked=spec["steering"].replace("{prompt}", row["prompt"]),
            seed=seed_for(*spec["seed"], row["id"], draw),
        )
        for row in prompts
        for draw in range(spec["samples"])
    ]
    batch = spec["engine"]["batch_size"]
    with Journal(output, key, batch) as journal:
        progress(len(journal.rows), len(jobs))
        if len(journal.rows) < len(jobs):
            _sample_rest(jobs, folder, spec, journal, adapter, progress)
        write_rows(output, [job | row for job, row in zip(jobs, journal.rows, strict=True)], COLUMNS)


def _sample_rest(
    jobs: list[dict[str, Any]],
    folder: str,
    spec: dict[str, Any],
    journal: Journal,
    adapter: str | None,
    progress: Callable[[int, int], None],
) -> None:
    sampling = Sampling(**spec["sampling"])
    limit = context_tokens(folder)
    engine = load_engine(
        spec["engine"]["name"],
        folder,
        dtype=spec["engine"]["dtype"],
        batch_size=spec["engine"]["batch_size"],
        tensor_parallel=spec["engine"]["tensor_parallel"],
        max_model_tokens=limit if spec["engine"]["name"] == "transformers" else _longest(jobs, folder, spec, limit),
        adapters=[adapter] if adapter else [],
        chat=spec.get("chat"),
    )
    require_rules(engine.tokenizer)
    _require_room(jobs, engine.tokenizer, sampling.max_tokens, limit, spec.get("student", folder))
    opened = opens_think(engine.tokenizer)
    batch = spec["engine"]["batch_size"]
    for start in range(len(journal.rows), len(jobs), batch):
        requests = [
            Request(str(number), tuple(prompt_tokens(engine.tokenizer, job["asked"])), job["seed"], adapter)
            for number, job in enumerate(jobs[start : start + batch])
        ]
        # A prompt that leaves no room for a response is kept as a row without one: counted later, never dropped here.
        fitting = [request for request in requests if len(request.tokens) + sampling.max_tokens <= limit]
        done = {c.id: c for completions in engine.generate(fitting, sampling) for c in completions}
        journal.append([_row(done.get(request.id), opened) for request in requests])
        progress(len(journal.rows), len(jobs))


def _require_room(jobs: list[dict[str, Any]], tokenizer: Any, max_tokens: int, limit: int, model: str) -> None:
    """Raise ValueError if no prompt leaves room for a response: rows without one would then be all there is."""
    needs = (len(prompt_tokens(tokenizer, job["asked"])) for job in jobs)
    if (shortest := next((need for need in needs if need + max_tokens <= limit), None)) is None:
        shortest = min(len(prompt_tokens(tokenizer, job["asked"])) for job in jobs)
        raise ValueError(
            f"{model}: no prompt has room for a response. max_tokens is {max_tokens}, the shortest prompt has "
            f"{shortest} tokens and the model's context {limit}; set sampling.(data|safety|reasoning).max_tokens below "
            f"{max(limit - shortest, 0) + 1}, less by the length of the longer prompts"
        )


def _row(completion: Any, opened: bool) -> dict[str, Any]:
    if completion is None:
        return dict(response="", tokens=0, finish_reason="prompt_too_long", logprob=None)
    return dict(
        response=stored_response(completion.text, opened),
        tokens=len(completion.tokens),
        finish_reason=completion.finish_reason,
        logprob=float(sum(completion.logprobs)),
    )


def _longest(jobs: list[dict[str, Any]], folder: str, spec: dict[str, Any], limit: int) -> int:
    """Return the context that these requests need: an engine reserves memory for what it is told."""
    tokenizer = load_tokenizer(folder, spec.get("chat"))
    needs = [len(prompt_tokens(tokenizer, job["asked"])) + spec["sampling"]["max_tokens"] for job in jobs]
    return max((need for need in needs if need <= limit), default=limit)
