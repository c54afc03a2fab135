"""Likelihood of a method's training set under the student before any training (paper Sec. 5.5, Figure 8)."""

from collections.abc import Callable

from thinksafe.evaluation.likelihood import token_sums
from thinksafe.files import Row, read_rows, write_rows
from thinksafe.jobs.start import start
from thinksafe.models.folder import student_tokenizer
from thinksafe.models.location import context_tokens, locate

COLUMNS: dict[str, type] = dict(id=str, role=str, tokens=int, nll=float)


def score_perplexity(
    dataset: str, model: list[str], spec: Row, rows: str, progress: Callable[[int, int], None]
) -> None:
    """Write, for each row, how many tokens the method learns from it and the sum of their NLL in nats.

    Paper: does not say over which tokens. Here: those that the method learns, so not the prompt.
    """
    from thinksafe.training.sft import loss_of, tokenise

    learnt = read_rows(dataset)
    folder = locate(spec["model"], model)
    loss, settings = loss_of(spec)
    tokenizer = student_tokenizer(folder, spec.get("chat"))
    examples, too_long = tokenise(loss, tokenizer, learnt, settings, context_tokens(folder))
    if not examples:
        raise ValueError(f"{dataset}: none of {len(learnt)} rows fits into the model's context")
    print(f"{len(examples)} rows; {too_long} left out, longer than the context")
    sums = token_sums(examples, folder, spec["dtype"], progress)
    scored = [
        learnt[example["row"]] | {"tokens": tokens, "nll": nll}
        for example, (tokens, nll) in zip(examples, sums, strict=True)
    ]
    write_rows(rows, scored, COLUMNS)


if __name__ == "__main__":
    start(snakemake, __file__)
