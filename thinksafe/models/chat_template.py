"""A chat format, read from the model's own chat template: think tags, who opens them, what ends a turn.

The paper's two families are read like any other model (A.1). What a template does not say can be set in config
(``families.<family>.chat``); `scripts.data.describe_chat` reports what was found. Stored responses have ``<think>`` and
``</think>`` whatever a model's own tags are (thinksafe.models.chat).
"""

import re
from dataclasses import dataclass, field
from typing import Any

STORED = ("<think>", "</think>")  # the tags of stored responses, whatever the model's own
WORD = r"(?:[A-Za-z]+[:_-])?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|scratchpad)"
TAG = re.compile(rf"(<\||<|\[|◁)((?:begin_of_|start_of_|begin_|start_)?)({WORD})(\|>|>|\]|▷)", re.IGNORECASE)
MARK = "\x02turn\x03"


@dataclass(frozen=True)
class ChatRules:
    """A chat format.

    Attributes
    ----------
    think : the pair of tags as the model writes them
    opened : whether the generation prompt has the first of them
    end : the token that ends the model's turn
    stop : the tokens that end it, if config names them
    system, options : system prompt and options of the template with which thinking is on
    problems : what could not be found, each with what to set in config
    """

    think: tuple[str, str] = STORED
    opened: bool = False
    end: str | None = None
    stop: tuple[str, ...] = ()
    system: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def rules_of(tokenizer: Any) -> ChatRules:
    """Return the format of a tokenizer: what its template says, and in its place what config says (`declare`)."""
    declared, template, rules = getattr(tokenizer, "_chat_rules", ({}, None, None))
    if rules is None or template != tokenizer.chat_template:
        rules = find_rules(tokenizer, declared)
        tokenizer._chat_rules = (declared, tokenizer.chat_template, rules)
    return rules


def declare(tokenizer: Any, chat: dict[str, Any] | None) -> Any:
    """Return the tokenizer with what config says about its format (``think``, ``opens_think``, ``stop``, ...)."""
    tokenizer._chat_rules = (dict(chat or {}), None, None)
    return tokenizer


def require_rules(tokenizer: Any) -> ChatRules:
    """Return the format of a tokenizer; ValueError, with what to set in config, if it could not be found."""
    rules = rules_of(tokenizer)
    if rules.problems:
        raise ValueError(f"{tokenizer.name_or_path}: " + "; ".join(rules.problems))
    return rules


def find_rules(tokenizer: Any, chat: dict[str, Any]) -> ChatRules:
    """Return the format that a chat template shows, with what config's ``chat`` says in its place.

    ``chat`` may have ``think`` (two tags), ``opens_think``, ``stop`` (tokens, the first ends a turn), ``system`` and
    ``options``.
    """
    found: dict[str, Any] = {"system": chat.get("system"), "options": chat.get("options") or {}}
    if not tokenizer.chat_template:
        return ChatRules(
            **found, problems=("the tokenizer has no chat template; add chat_template.jinja to its folder",)
        )
    problems = []
    try:
        prompt = rendered(tokenizer, [{"role": "user", "content": MARK}], True, found)
    except Exception as error:  # a template raises whatever it likes
        return ChatRules(**found, problems=(f"the chat template fails: {type(error).__name__}: {error}",))
    opening = prompt.rpartition(MARK)[2]
    if chat.get("think"):
        found["think"] = tuple(chat["think"])
    else:
        pairs = find_tags(tokenizer)
        pairs = [pair for pair in pairs if pair[0] in opening] or pairs
        if len(pairs) == 1:
            found["think"] = pairs[0]
        elif not pairs:
            problems.append("no think tags were found in the chat template; set chat: {think: [<open>, </open>]}")
        else:
            listed = ", ".join(f"[{opened}, {closed}]" for opened, closed in pairs)
            problems.append(f"several pairs of think tags are in the chat template; set one: chat: {{think: {listed}}}")
    think = found.get("think")
    if think and think[1] in opening.rpartition(think[0])[2]:
        problems.append(
            f"the generation prompt closes the think block ({opening!r}), so thinking is off; set what turns it on, as "
            "chat: {options: {enable_thinking: true}} or chat: {system: ...}"
        )
    found["opened"] = bool(think) and think[0] in opening
    if chat.get("opens_think") not in (None, found["opened"]):
        said = str(chat["opens_think"]).lower()
        problems.append(f"chat.opens_think: {said} is wrong; the generation prompt ends {opening!r}")
    if chat.get("stop"):
        found["end"], found["stop"] = chat["stop"][0], tuple(chat["stop"])
    else:
        found["end"] = find_end(tokenizer, found)
    if found["end"] is None:
        problems.append("no token is known to end the model's turn; set chat: {stop: [<token>]}")
    stops = [token for token in found.get("stop") or [found["end"]] if token]
    if wrong := [token for token in stops if len(tokenizer.encode(token, add_special_tokens=False)) != 1]:
        problems.append(
            f"chat.stop: {', '.join(wrong)} is no single token of this tokenizer; name one that ends a turn"
        )
    return ChatRules(**found, problems=tuple(problems))


def rendered(tokenizer: Any, messages: list[dict[str, str]], generation: bool, rules: dict[str, Any]) -> str:
    """Return a conversation in the chat template, with the system prompt and the options that the format has."""
    if rules["system"] is not None:
        messages = [{"role": "system", "content": rules["system"]}, *messages]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=generation, tokenize=False, **rules["options"])


def find_tags(tokenizer: Any) -> list[tuple[str, str]]:
    """Return every pair of think tags in the template, or else among the added tokens."""
    template, tokens = str(tokenizer.chat_template), "\n".join(tokenizer.get_added_vocab())
    return _pairs(template, template + tokens) or _pairs(tokens, tokens)


def _pairs(text: str, closers: str) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for match in TAG.finditer(text):
        left, begin, word, right = match.groups()
        name = begin.lower().replace("begin", "end").replace("start", "end") + word if begin else f"/{word}"
        if (closer := f"{left}{name}{right}") in closers:
            found[match.group(), closer] = None
    return list(found)


def find_end(tokenizer: Any, rules: dict[str, Any]) -> str | None:
    """Return the token that the template puts after the model's turn, or else the tokenizer's end of text."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": MARK}]
    try:
        after = rendered(tokenizer, turns, False, rules).rpartition(MARK)[2]
    except Exception:  # a template may refuse such a turn, and raises whatever it likes
        after = ""
    added = [token.content for token in tokenizer.added_tokens_decoder.values()]
    return max(filter(after.lstrip().startswith, added), key=len, default=tokenizer.eos_token)
