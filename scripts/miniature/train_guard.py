"""Train a guard of the miniature: one that answers like Llama-Guard-3, or one that answers like WildGuard."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.inference.guards import guard_prompt
from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.pretraining import Row, fit, make_model, row_of, save
from thinksafe.miniature.pretraining_texts import Pair
from thinksafe.miniature.tokenizers import train_bpe, wrap
from thinksafe.models.chat import encode, field, render
from thinksafe.seeds import seed_for

# A short version of Llama-Guard-3's template: the same marks and the same end, after which the model writes a blank
# line and its verdict.
LLAMA_GUARD_TEMPLATE = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\nIs the last message safe?\n\n"
    "{% for message in messages %}{{ 'User' if message.role == 'user' else 'Agent' }}:\n"
    "{{ message.content | trim }}\n\n{% endfor %}"
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
)
FORM_ROWS = 10  # by default, one in so many of WildGuard's rows teaches the wording of its three lines
KINDS: dict[str, dict[str, Any]] = {
    "llama-guard": {
        "special": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|pad|>"],
        "tokens": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|pad|>"},
        "template": LLAMA_GUARD_TEMPLATE,
    },
    "wildguard": {
        "special": ["<s>", "</s>", "<pad>"],
        "tokens": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
        "template": None,
    },
}


def train_guard(
    kind: str,
    world: dict[str, Any],
    form: list[str],
    folder: str,
    progress: Callable[[int, int], None],
) -> None:
    """Write a trained guard's model to ``folder``.

    Parameters
    ----------
    kind : ``llama-guard`` or ``wildguard``
    world : dict
        ``seed``, ``vocabulary``, ``student`` and ``guard`` of config's ``world``, and ``templates``.
    form : path of a ``wildguard``'s prompt format, with ``{prompt}`` and ``{response}``
    """
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    pairs, settings = pretraining_texts.guard_pairs(world, kind), world["guard"]
    template = Path(form[0]).read_text(encoding="utf-8") if kind == "wildguard" else ""
    tokenizer = _tokenizer(kind, pairs, template, world["vocabulary"])
    seed = seed_for("world", world["seed"], "weights", kind)
    if kind == "llama-guard":
        model = make_model(LlamaForCausalLM, LlamaConfig, tokenizer, settings, seed)
    else:
        model = make_model(MistralForCausalLM, MistralConfig, tokenizer, settings, seed, sliding_window=None)
    rows = guard_rows(kind, tokenizer, pairs, template, settings.get("form_rows", FORM_ROWS))
    loss = fit(model, rows, settings, seed_for("world", world["seed"], "order", kind), progress)
    save(model, tokenizer, folder)
    print({"loss": loss, "tokens": sum(len(row.ids) for row in rows)})


def _tokenizer(kind: str, pairs: Sequence[Pair], form: str, size: int) -> Any:
    """Return the guard's own tokenizer, with ``safe`` and ``unsafe`` as single tokens."""
    texts = [text for pair in pairs[:3000] for text in (pair.prompt, pair.response)]
    texts += [form, "\n\nsafe", "\n\nunsafe", "Is the last message safe?\n\nUser:\nAgent:\n"] * 50
    texts += [verdict(kind, pair) for pair in pairs[:200]]
    made = KINDS[kind]
    return wrap(train_bpe(texts, size, made["special"]), made["tokens"], made["template"])


def verdict(kind: str, pair: Pair) -> str:
    """Return what the guard shall say about ``pair``."""
    if kind == "llama-guard":
        return "unsafe" if pair.response_harmful else "safe"
    answers = ("yes" if label else "no" for label in (pair.request_harmful, pair.refused, pair.response_harmful))
    names = ("Harmful request", "Response refusal", "Harmful response")
    return "\n".join(f"{name}: {answer}" for name, answer in zip(names, answers, strict=False))


def guard_rows(kind: str, tokenizer: Any, pairs: Sequence[Pair], form: str, form_rows: int = FORM_ROWS) -> list[Row]:
    """Return the training rows: asked exactly as the pipeline asks, the verdict is learnt.

    One in ``form_rows`` of a ``wildguard``'s rows teaches the words around its judgements, too.
    """
    if kind == "llama-guard":
        roles = (("user", "prompt"), ("assistant", "response"))
        messages = [{"role": role, "content": field(name)} for role, name in roles]
        template = render(tokenizer, messages) + "\n\n"
    else:
        template = form.replace("{prompt}", field("prompt")).replace("{response}", field("response"))
    limit = tokenizer.model_max_length - 32
    judgements = {encode(tokenizer, f"x: {word}")[-1] for word in ("yes", "no")}
    rows = []
    for pair in pairs:
        asked, _ = guard_prompt(tokenizer, template, pair.prompt.strip(), pair.response.strip(), limit)
        said = encode(tokenizer, verdict(kind, pair)) + [tokenizer.eos_token_id]
        rows.append(row_of(asked, said))
        if kind == "wildguard" and len(rows) % form_rows:
            # The three judgements would drown in the words around them, which need few examples.
            judged = [token in judgements for token in said]
            rows[-1] = rows[-1]._replace(learnt=[False] * len(asked) + judged)
    return rows


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
