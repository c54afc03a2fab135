"""A model's tokenizer: the one way to load it, ids of text and of control tokens, and a check that nothing is lost.

Text from users and models is untrusted: a control token that is spelt out in it is encoded as letters.
"""

import json
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Blanks, line breaks, tabs, another alphabet, an accent, an emoji, digits: what a wrong tokenizer class has lost.
PROBE = "Tell me  how\tto bake\n\n  bread:\r\n\té, ж, 中 and 🙂 for 12.50 - 3 people.\n"
Piece = tuple[str, bool]  # text, and whether its control tokens are read as such
Span = tuple[int, int]


def load(folder: str | Path) -> Any:
    """Return the tokenizer of a model folder, as its ``tokenizer.json`` has it; ValueError if text does not survive.

    The class that ``tokenizer_config.json`` names is not used: over a byte-level ``tokenizer.json``, transformers'
    ``LlamaTokenizerFast`` deletes every blank (DeepSeek-R1-Distill-Llama).
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    own = Path(folder) / "tokenizer.json"
    kind = PreTrainedTokenizerFast if own.is_file() else AutoTokenizer
    tokenizer = kind.from_pretrained(str(folder), local_files_only=True)
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise ValueError(f"{folder}: {type(tokenizer).__name__} is no fast tokenizer; add its tokenizer.json")
    tokenizer.backend_tokenizer.no_truncation()  # which a tokenizer.json may ask for
    tokenizer.backend_tokenizer.no_padding()
    if lost := losses(tokenizer, own):
        raise ValueError(
            f"{folder}: this tokenizer changes text, so the model would not read what it is given: {'; '.join(lost)}. "
            "Copy tokenizer.json and tokenizer_config.json from the model's publisher again, or set `source` of the "
            "model or guard to a folder whose tokenizer keeps text"
        )
    return tokenizer


def losses(tokenizer: Any, own: Path | None = None) -> list[str]:
    """Return what is lost on the way to ids and back; ``own`` is the ``tokenizer.json`` that ids are compared with."""
    from tokenizers import Tokenizer

    spelt = PROBE + " ".join(sorted(controls(tokenizer)))
    found = []
    for what, text in (("text", PROBE), ("control tokens spelt as letters", spelt)):
        ids = encode_plain(tokenizer, text)
        if (back := decode(tokenizer, ids)) != text:
            place = next((n for n, (a, b) in enumerate(zip(text, back, strict=False)) if a != b), len(back))
            found.append(f"{what}: {text[place : place + 20]!r} becomes {back[place : place + 20]!r}")
    read = controls(tokenizer).intersection(tokenizer.convert_ids_to_tokens(encode_plain(tokenizer, spelt)))
    if read:
        found.append(f"letters become control tokens: {', '.join(sorted(read)[:5])}")
    if own and own.is_file():
        raw = Tokenizer.from_file(str(own))
        raw.no_truncation()
        if raw.encode(PROBE, add_special_tokens=False).ids != encode(tokenizer, PROBE):
            found.append(f"its ids are not those of {own.name}")
    return found


def encode(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of trusted text, control tokens read as such and nothing added."""
    return tokenizer.encode(text, add_special_tokens=False)


def encode_plain(tokenizer: Any, text: str) -> list[int]:
    """Return the ids of untrusted text: what looks like a control token is encoded letter by letter."""
    return encode_pieces(tokenizer, [(text, False)])[0]


def encode_pieces(tokenizer: Any, pieces: Sequence[Piece]) -> tuple[list[int], list[Span]]:
    """Return the ids of pieces of text, encoded as one text, and the characters (start, end) that each id covers."""
    pieces = [piece for piece in pieces if piece[0]]
    if not any(has_control(tokenizer, text) for text, trusted in pieces if not trusted):
        encoding = tokenizer.backend_tokenizer.encode("".join(text for text, _ in pieces), add_special_tokens=False)
        return encoding.ids, encoding.offsets
    plain, names, ids = _plain(tokenizer)
    written, places = "", [0]  # the original place of each character
    for text, trusted in pieces:
        for part in _marks(tokenizer).split(text) if trusted else [text]:
            name = names[part] if trusted and part in names else part
            start = places.pop()
            inner = range(start, start + len(part)) if name is part else [start] * len(name)
            places += [*inner, start + len(part)]
            written += name
    encoding = plain.encode(written, add_special_tokens=False)
    found = [ids.get(number, number) for number in encoding.ids]
    return found, [(places[start], places[end]) for start, end in encoding.offsets]


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return ids as text, control tokens as they are spelt."""
    return tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)


def has_control(tokenizer: Any, text: str) -> bool:
    """Return whether a text spells out one of the tokenizer's control tokens."""
    return bool(_marks(tokenizer).search(text))


def controls(tokenizer: Any) -> frozenset[str]:
    """Return the tokens that mean more than their letters: special ones, and added ones that are no words or blanks."""
    return _known(tokenizer)[0]


def _marks(tokenizer: Any) -> re.Pattern:
    return _known(tokenizer)[1]


def _known(tokenizer: Any) -> tuple[frozenset[str], re.Pattern]:
    """Return the control tokens and a pattern of them, kept with the tokenizer until it gets another token."""
    held = getattr(tokenizer, "_controls", (None, None, None))
    if held[0] != len(tokenizer):
        tokens = frozenset(
            added.content
            for added in tokenizer.added_tokens_decoder.values()
            if added.special or re.search(r"[^\w\s▁]|_", added.content) and not re.fullmatch("<0x..>", added.content)
        )
        listed = "|".join(re.escape(token) for token in sorted(tokens, key=lambda token: (-len(token), token)) if token)
        held = tokenizer._controls = (len(tokenizer), tokens, re.compile(f"({listed or '(?!)'})"))
        tokenizer._plain = None
    return held[1:]


def _plain(tokenizer: Any) -> tuple[Any, dict[str, str], dict[int, int]]:
    """Return a tokenizer that knows control tokens under secret names only, these names, and its ids in ours."""
    tokens = controls(tokenizer)  # drops an old one
    if getattr(tokenizer, "_plain", None) is None:
        secret = secrets.token_hex(8)
        names = {token: f"\ufdd0{secret}-{number}\ufdd1" for number, token in enumerate(sorted(tokens))}
        backend = tokenizer.backend_tokenizer
        # A model that cannot yield a control token is shared, as a copy of a large vocabulary takes seconds.
        share = type(backend.model).__name__ == "BPE" and all(
            backend.model.token_to_id(token) is None for token in tokens
        )
        tokenizer._plain = (*(_shared if share else _copied)(tokenizer, names), names)
    plain, ids, names = tokenizer._plain
    return plain, names, ids


def _shared(tokenizer: Any, names: dict[str, str]) -> tuple[Any, dict[int, int]]:
    """Return a tokenizer over the same model, and for each of its added ids that of ``tokenizer``."""
    from tokenizers import AddedToken, Tokenizer

    backend = tokenizer.backend_tokenizer
    plain, ids = Tokenizer(backend.model), {}
    for part in ("normalizer", "pre_tokenizer"):
        if (value := getattr(backend, part)) is not None:
            setattr(plain, part, value)
    for number, added in sorted(backend.get_added_tokens_decoder().items()):
        name = names.get(added.content, added.content)
        flags = {flag: getattr(added, flag) for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")}
        plain.add_tokens([AddedToken(name, **flags)])
        ids[plain.token_to_id(name)] = number
    return plain, ids


def _copied(tokenizer: Any, names: dict[str, str]) -> tuple[Any, dict[int, int]]:
    """Return a copy in which control tokens have other names in the model's vocabulary, too; its ids are the same."""
    from tokenizers import Tokenizer

    content = json.loads(tokenizer.backend_tokenizer.to_str())
    ids = {}
    for added in content["added_tokens"]:
        if added["content"] in names:
            added["content"] = names[added["content"]]
            ids[added["content"]] = added["id"]
    model = content["model"]
    if isinstance(model["vocab"], dict):  # of which a control token may be an entry
        model["vocab"] = {names.get(token, token): number for token, number in model["vocab"].items()}
        if model.get("unk_token"):
            model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    else:
        model["vocab"] = [[names.get(token, token), score] for token, score in model["vocab"]]
    plain = Tokenizer.from_str(json.dumps(content))
    if any(plain.token_to_id(name) != number for name, number in ids.items()):
        raise ValueError(f"{tokenizer.name_or_path}: its control tokens cannot be told from letters")
    return plain, {}
