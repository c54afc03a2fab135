"""Chat formats (paper A.1): prompts as token ids, responses as text, completions for training.

A response is stored as the model's whole turn, in one form: it opens with ``<think>``, although R1-Distill's template
puts that tag into the prompt, and its tags are ``<think>`` and ``</think>``, whatever a model's own are
(models/chat_template.py). For training it gets the model's own form again. Text from users and models is untrusted: a
control token that is spelt out in it is encoded as letters.
"""

import re
from typing import Any

from thinksafe.models.chat_template import STORED, rendered, rules_of

THINK = f"{STORED[0]}\n"


def render(tokenizer: Any, messages: list[dict[str, str]], generation: bool = True) -> str:
    """Return a conversation in the model's own chat template."""
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; add chat_template.jinja to the model folder"
        )
    rules = rules_of(tokenizer)
    return rendered(tokenizer, messages, generation, {"system": rules.system, "options": rules.options})


def encode(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of trusted text, control tokens read as such and nothing added."""
    return tokenizer.encode(text, add_special_tokens=False)


def encode_plain(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of untrusted text: what looks like a control token is encoded letter by letter."""
    return [
        token
        for start, end in _plain_pieces(tokenizer, text)
        for token in tokenizer.encode(text[start:end], add_special_tokens=False, split_special_tokens=True)
    ]


def _plain_pieces(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Return the pieces (start, end) of an untrusted text, cut so that no piece holds a control token."""
    # `split_special_tokens` splits only what the tokenizer calls special: not think tags, nor R1-Distill's turn marks.
    tokens = {added.content for added in tokenizer.added_tokens_decoder.values() if not added.special}
    marks = "|".join(re.escape(token) for token in sorted(tokens & controls(tokenizer)))
    cuts = [match.start() + 1 for match in re.finditer(f"(?={marks})", text)] if marks else []
    return list(zip([0, *cuts], [*cuts, len(text)], strict=True))


def has_control(tokenizer: Any, text: str, allowed: tuple[str, ...] = ()) -> bool:
    """Return whether a text spells out one of the tokenizer's control tokens, other than those ``allowed``."""
    return any(token in text for token in controls(tokenizer).difference(allowed))


def controls(tokenizer: Any) -> set[str]:
    """Return the tokens that mean more than their letters: special ones, think tags, and others in angle brackets."""
    added = set(tokenizer.get_added_vocab())
    return {*tokenizer.all_special_tokens, *added.intersection(rules_of(tokenizer).think)} | {
        token for token in added if "<" in token
    }


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
    if not cut and not any(has_control(tokenizer, text) for text in texts.values()):
        return encode(tokenizer, "".join(texts[p] if i % 2 else p for i, p in enumerate(pieces)))
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


def opens_think(tokenizer: Any) -> bool:
    """Return whether the generation prompt opens the think block (DeepSeek-R1-Distill), so that outputs do not."""
    return rules_of(tokenizer).opened


def stored_response(text: str, opened: bool) -> str:
    """Return a generated text as it is stored, with the think tag that the generation prompt has opened."""
    return THINK + text if opened else text


def stored_tags(tokenizer: Any, text: str) -> str:
    """Return a model's own text with ``<think>`` and ``</think>`` for its own think tags."""
    for own, stored in zip(rules_of(tokenizer).think, STORED, strict=True):
        text = text.replace(own, stored)
    return text


def own_tags(tokenizer: Any, response: str) -> str:
    """Return a stored response with the model's own think tags; the inverse of `stored_tags`."""
    for own, stored in zip(rules_of(tokenizer).think, STORED, strict=True):
        response = response.replace(stored, own)
    return response


def completion_tokens(tokenizer: Any, response: str, opened: bool) -> list[int]:
    """Return the ids to be learnt after the prompt: the stored response as the model itself writes it, and its end.

    Think tags are tokens of their own, any other control token is encoded as letters. The chat template is not used:
    R1-Distill's deletes the reasoning.
    """
    if opened:
        if not response.startswith(THINK):
            raise ValueError(f"a stored response must open with {THINK!r}, this one opens with {response[:20]!r}")
        response = response[len(THINK) :]
    end = rules_of(tokenizer).end
    ids = [
        token
        for _, piece, plain in _response_pieces(tokenizer, own_tags(tokenizer, response))
        for token in tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=plain)
    ]
    return [*ids, tokenizer.convert_tokens_to_ids(end) if end else tokenizer.eos_token_id]


def response_spans(tokenizer: Any, response: str) -> list[tuple[int, int]]:
    """Return the characters (start, end) of a response that each token of `completion_tokens` covers.

    ``response`` has the model's own think tags, without what the generation prompt holds of it; the token that ends the
    turn covers no characters and is left out.
    """
    return [
        (place + start, place + end)
        for place, piece, plain in _response_pieces(tokenizer, response)
        for start, end in tokenizer(
            piece, add_special_tokens=False, split_special_tokens=plain, return_offsets_mapping=True
        )["offset_mapping"]
    ]


def _response_pieces(tokenizer: Any, response: str) -> list[tuple[int, str, bool]]:
    """Return the pieces that a response is encoded in, each with its start and whether it is untrusted text."""
    think = rules_of(tokenizer).think
    if not has_control(tokenizer, response, allowed=think):
        return [(0, response, False)]
    pieces, place = [], 0
    for piece in re.split("(" + "|".join(re.escape(tag) for tag in think) + ")", response):
        if piece in think:
            pieces.append((place, piece, False))
        else:
            pieces += [(place + start, piece[start:end], True) for start, end in _plain_pieces(tokenizer, piece)]
        place += len(piece)
    return pieces
