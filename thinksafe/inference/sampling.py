"""Sample responses to prompts, in batches that an interrupted job does not lose (paper Sec. 4, A.1, B)."""

from collections.abc import Callable, Sequence
from typing import Any

from thinksafe.files import Row, write_rows
from thinksafe.inference.engines import load_engine
from thinksafe.inference.requests import Completion, Request, Sampling
from thinksafe.jobs.journal import Journal
from thinksafe.models.chat import prompt_tokens, stored_response
from thinksafe.models.chat_template import NO_THINK
from thinksafe.models.folder import student_tokenizer
from thinksafe.models.location import context_tokens
from thinksafe.seeds import seed_for

COLUMNS: dict[str, type] = dict(
    id=str, draw=int, prompt=str, asked=str, response=str, tokens=int, finish_reason=str, logprob=float, seed=int
)


def shard_of(rows: Sequence[Row], shard: int, shards: int) -> list[Row]:
    """Return the rows of one shard; shards differ in size by at most one row and keep the order."""
    return list(rows[len(rows) * shard // shards : len(rows) * (shard + 1) // shards])


def sample(
    prompts: Sequence[Row],
    folder: str,
    spec: Row,
    output: str,
    key: str,
    adapter: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write ``samples`` responses of the model in ``folder`` to each prompt; the caller removes the journal.

    Parameters
    ----------
    prompts : rows with ``id`` and ``prompt``
    spec : ``steering`` (text with ``{prompt}``), ``samples``, ``sampling``, ``engine``, ``seed`` (list of parts)
        and, where config has it, ``chat`` (what the model's template does not say about its format)
    key : digest of everything that the responses depend on; names the journal
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
    with Journal(output, key, spec["engine"]["batch_size"]) as journal:
        progress(len(journal.rows), len(jobs))
        if len(journal.rows) < len(jobs):
            _sample_rest(jobs, folder, spec, journal, adapter, progress)
        silent = {"thinks": False} if (spec.get("chat") or {}).get("think") == NO_THINK else {}
        rows = [job | row | silent for job, row in zip(jobs, journal.rows, strict=True)]
        write_rows(output, rows, COLUMNS | dict.fromkeys(silent, bool))


def _sample_rest(
    jobs: list[Row], folder: str, spec: Row, journal: Journal, adapter: str | None, progress: Callable[[int, int], None]
) -> None:
    sampling, settings, limit = Sampling(**spec["sampling"]), spec["engine"], context_tokens(folder)
    tokenizer = student_tokenizer(folder, spec.get("chat"))
    tokens = {asked: tuple(prompt_tokens(tokenizer, asked)) for asked in dict.fromkeys(job["asked"] for job in jobs)}
    needs = [len(prompt) + sampling.max_tokens for prompt in tokens.values()]
    if not (fitting := [need for need in needs if need <= limit]):
        shortest = min(needs) - sampling.max_tokens
        raise ValueError(
            f"{spec.get('student', folder)}: no prompt has room for a response. max_tokens is {sampling.max_tokens}, "
            f"the shortest prompt has {shortest} tokens and the model's context {limit}; set "
            f"sampling.(data|safety|reasoning).max_tokens below {max(limit - shortest, 0) + 1}, less by the length of "
            "the longer prompts"
        )
    engine = load_engine(
        settings["name"],
        folder,
        dtype=settings["dtype"],
        batch_size=settings["batch_size"],
        tensor_parallel=settings["tensor_parallel"],
        max_model_tokens=max(fitting),  # vLLM reserves memory for it
        adapters=[adapter] if adapter else [],
        tokenizer=tokenizer,
    )
    for start in range(len(journal.rows), len(jobs), settings["batch_size"]):
        requests = [
            Request(str(number), tokens[job["asked"]], job["seed"], adapter)
            for number, job in enumerate(jobs[start : start + settings["batch_size"]])
        ]
        # A prompt that leaves no room for a response is kept as a row without one, which filter and scores count.
        possible = [request for request in requests if len(request.tokens) + sampling.max_tokens <= limit]
        done = {c.id: c for completions in engine.generate(possible, sampling) for c in completions}
        journal.append([_row(done.get(request.id), tokenizer) for request in requests])
        progress(len(journal.rows), len(jobs))


def _row(completion: Completion | None, tokenizer: Any) -> Row:
    if completion is None:
        return dict(response="", tokens=0, finish_reason="prompt_too_long", logprob=None)
    return dict(
        response=stored_response(tokenizer, completion.text),
        tokens=len(completion.tokens),
        finish_reason=completion.finish_reason,
        logprob=float(sum(completion.logprobs)),
    )
