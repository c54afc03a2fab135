"""Chat formats (paper A.1): prompts as token ids, responses as text, completions for training.

A response is stored as the model's whole turn, in one form (thinksafe/models/markup.py): it opens with ``<think>``,
although R1-Distill's template puts that tag into the prompt. For training it gets the model's own form again. A model
that does not think has no marks: its response is stored and learnt as it is.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from thinksafe.models.chat_template import prints_once, rendered, rules_of
from thinksafe.models.markup import THINK
from thinksafe.models.tokenizer import Piece, Span, decode, encode, encode_pieces, encode_plain


def render(tokenizer: Any, messages: list[dict[str, str]], generation: bool = True) -> str:
    """Return a conversation in the model's own chat template; ValueError unless it prints each text once, as it is."""
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; add chat_template.jinja to the model folder"
        )
    try:
        form = prints_once(tokenizer, messages, generation, rules_of(tokenizer))
    except ValueError as error:
        raise ValueError(f"{tokenizer.name_or_path}: {error}") from None
    return rendered(tokenizer, messages, generation, form)


def field(name: str) -> str:
    """Return the placeholder in rendered text for a text that `fill` inserts."""
    return f"\x02{name}\x03"


def fill(tokenizer: Any, template: str, texts: dict[str, str], limits: dict[str, int] | None = None) -> list[int]:
    """Return the ids of ``template`` with its fields filled by untrusted texts.

    Parameters
    ----------
    template : rendered text with fields (`field`)
    limits : tokens of a field; the middle of a longer one is cut, so that what follows it in the template stays
    """
    pieces = re.split("\x02(.*?)\x03", template)
    plain = {name: encode_plain(tokenizer, text) for name, text in texts.items() if limits and name in limits}
    cut = {name for name, ids in plain.items() if len(ids) > limits[name]}
    if not cut:
        return encode_pieces(tokenizer, [(texts[p], False) if i % 2 else (p, True) for i, p in enumerate(pieces)])[0]
    ids: list[int] = []
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            ids += encode(tokenizer, piece)
        elif piece in cut:
            head = limits[piece] // 2
            ids += plain[piece][:head] + plain[piece][len(plain[piece]) - (limits[piece] - head) :]
        else:
            ids += encode_plain(tokenizer, texts[piece])
    return ids


def prompt_tokens(tokenizer: Any, prompt: str) -> list[int]:
    """Return the ids of one user turn up to where the model's turn begins (thinking on, no system prompt)."""
    template = render(tokenizer, [{"role": "user", "content": field("prompt")}])
    return fill(tokenizer, template, {"prompt": prompt})


def text_of(tokenizer: Any, tokens: Sequence[int], stop: Collection[int]) -> str:
    """Return generated tokens as text in the model's own form, without the stop token at the end."""
    return decode(tokenizer, tokens[:-1] if tokens and tokens[-1] in stop else tokens)


def stored_response(tokenizer: Any, text: str) -> str:
    """Return a generated text as it is stored, with what the generation prompt has opened."""
    rules = rules_of(tokenizer)
    return rules.markup.to_stored(rules.given + text)


def own_form(tokenizer: Any, response: str) -> str:
    """Return a stored response as the model writes it after its prompt; the inverse of `stored_response`."""
    rules = rules_of(tokenizer)
    own = rules.markup.to_own(response)
    if not own.startswith(rules.given):
        raise ValueError(f"a stored response must open with {THINK!r}, this one opens with {response[:20]!r}")
    return own[len(rules.given) :]


def completion_tokens(tokenizer: Any, response: str) -> list[int]:
    """Return the ids to be learnt after the prompt: the stored response as the model itself writes it, and its end.

    The marks of its format are control tokens, any other control token is encoded as letters. The chat template is not
    used: R1-Distill's deletes the reasoning.
    """
    end = rules_of(tokenizer).end
    ids, _ = encode_pieces(tokenizer, response_pieces(tokenizer, own_form(tokenizer, response)))
    return [*ids, tokenizer.convert_tokens_to_ids(end) if end else tokenizer.eos_token_id]


def response_spans(tokenizer: Any, own: str) -> list[Span]:
    """Return the characters (start, end) of a response (`own_form`) that each token of `completion_tokens` covers.

    The token that ends the turn covers no characters and is left out.
    """
    return encode_pieces(tokenizer, response_pieces(tokenizer, own))[1]


def response_pieces(tokenizer: Any, own: str) -> list[Piece]:
    """Return a response in the model's own form cut into marks, whose control tokens are read as such, and text."""
    return rules_of(tokenizer).markup.pieces(own)
