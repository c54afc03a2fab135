"""Train a guard of the miniature: one that answers like Llama-Guard-3, or one that answers like WildGuard."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.inference.guards import ANSWER_TOKENS, guard_prompt, guard_template
from thinksafe.jobs.start import start
from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.pretraining import Row, fit, make_model, row_of, save
from thinksafe.miniature.pretraining_texts import Pair
from thinksafe.miniature.tokenizers import make_tokenizer
from thinksafe.models.tokenizer import encode
from thinksafe.seeds import seed_for

FORM_ROWS = 10  # by default, one in ten of WildGuard's rows teaches the wording of its three lines


def train_guard(
    kind: str, world: dict[str, Any], form: list[str], folder: str, progress: Callable[[int, int], None]
) -> None:
    """Write the model of a trained guard, a ``llama-guard`` or a ``wildguard``, to ``folder``.

    ``world`` has ``seed``, ``vocabulary``, ``guard`` and ``templates`` of config's ``world``; ``form`` is the path of a
    ``wildguard``'s prompt format.
    """
    pairs, settings = pretraining_texts.guard_pairs(world, kind), world["guard"]
    template = Path(form[0]).read_text(encoding="utf-8") if kind == "wildguard" else ""
    tokenizer = make_tokenizer(kind, _texts(kind, pairs, template), world["vocabulary"])
    seed = seed_for("world", world["seed"], "weights", kind)
    architecture, config = ("Llama", {}) if kind == "llama-guard" else ("Mistral", {"sliding_window": None})
    model = make_model(architecture, tokenizer, settings, seed, **config)
    rows = guard_rows(kind, tokenizer, pairs, template, settings.get("form_rows", FORM_ROWS))
    loss = fit(model, rows, settings, seed_for("world", world["seed"], "order", kind), progress)
    save(model, tokenizer, folder)
    print({"loss": loss, "tokens": sum(len(row.ids) for row in rows)})


def _texts(kind: str, pairs: Sequence[Pair], form: str) -> list[str]:
    """Return the texts of the guard's own tokenizer, in which ``safe`` and ``unsafe`` become single tokens."""
    texts = [text for pair in pairs[:3000] for text in (pair.prompt, pair.response)]
    texts += [form, "\n\nsafe", "\n\nunsafe", "Is the last message safe?\n\nUser:\nAgent:\n"] * 50
    return texts + [verdict(kind, pair) for pair in pairs[:200]]


def verdict(kind: str, pair: Pair) -> str:
    """Return the output that the guard learns for ``pair``."""
    if kind == "llama-guard":
        return "unsafe" if pair.response_harmful else "safe"
    answers = ("yes" if label else "no" for label in (pair.request_harmful, pair.refused, pair.response_harmful))
    names = ("Harmful request", "Response refusal", "Harmful response")
    return "\n".join(f"{name}: {answer}" for name, answer in zip(names, answers, strict=True))


def guard_rows(kind: str, tokenizer: Any, pairs: Sequence[Pair], form: str, form_rows: int) -> list[Row]:
    """Return the training rows: the question exactly as the pipeline asks it, and the verdict.

    In a ``wildguard``'s rows only the judgements count, except in one of ``form_rows``.
    """
    template, limit = guard_template(tokenizer, form), tokenizer.model_max_length - ANSWER_TOKENS
    judgements = {encode(tokenizer, f"x: {word}")[-1] for word in ("yes", "no")}
    rows = []
    for pair in pairs:
        question, _ = guard_prompt(tokenizer, template, pair.prompt.strip(), pair.response.strip(), limit)
        output = encode(tokenizer, verdict(kind, pair)) + [tokenizer.eos_token_id]
        learnt = None
        if kind == "wildguard" and (len(rows) + 1) % form_rows:
            # The words around the three judgements need few examples, and would dominate the loss.
            learnt = [token in judgements for token in output]
        rows.append(row_of(question, output, learnt))
    return rows


if __name__ == "__main__":
    start(snakemake, __file__)
