"""A chat format, read by rendering the model's own chat template: its marks, who opens them, what ends a turn.

A conversation whose last turn has a marked reasoning and a marked answer is rendered, and what stands before, between
and after them is the format. What a template does not show can be set in config (``families.<family>.chat``);
`scripts.data.describe_chat` reports what was found. The marks of stored responses are those of thinksafe.models.markup.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from os.path import commonprefix
from typing import Any

from thinksafe.models.markup import STORED, Bare, Markup
from thinksafe.models.tokenizer import encode

NO_THINK = "none"  # `chat: {think: none}`
CLOCK = "2026-01-01"  # what a template takes for today, where config gives no date
FIELDS = ("reasoning_content", "thinking", "reasoning")  # where templates read a turn's reasoning
WORD = r"(?:[A-Za-z]+[:_-])?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|scratchpad)"
TAG = re.compile(rf"(<\||<|\[|◁)((?:begin_of_|start_of_|begin_|start_)?)({WORD})(\|>|>|\]|▷)", re.IGNORECASE)
USER, REASON, ANSWER, NEXT, TOOL = "7Userq", "7Reasonq", "7Answerq", "7Nextq", "7Toolq"
PROMPT = "\x02prompt\x03"
GIVEN = {  # what every template gets
    "messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "raise_exception",
    "strftime_now", "bos_token", "eos_token", "pad_token", "unk_token",
}  # fmt: skip
SWITCH = re.compile("think|reason|effort|date|today", re.IGNORECASE)


@dataclass(frozen=True)
class ChatRules:
    """A chat format.

    Attributes
    ----------
    markup : what surrounds reasoning and answer as the model writes them
    given : how much of the opening mark the generation prompt holds
    end : the token that ends the model's turn
    stop : the tokens that end it, if config names them
    system, options, date : system prompt and options of the template with which thinking is on, and its clock
    parts : whether the template takes a message's content as a list of parts
    source : where the marks were found
    problems : what could not be found, each with what to set in config
    """

    markup: Bare = Markup()
    given: str = ""
    end: str | None = None
    stop: tuple[str, ...] = ()
    system: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    date: str = CLOCK
    parts: bool = False
    source: str = "config"
    problems: tuple[str, ...] = ()

    @property
    def thinks(self) -> bool:
        """Return whether the model's turn has reasoning and an answer."""
        return isinstance(self.markup, Markup)

    @property
    def opened(self) -> bool:
        """Return whether the generation prompt opens the think block (DeepSeek-R1-Distill), so that outputs do not."""
        return bool(self.given.strip())


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


def rendered(tokenizer: Any, messages: list[dict[str, Any]], generation: bool, rules: ChatRules) -> str:
    """Return a conversation in the chat template, with the system prompt, options, clock and parts of the format."""
    if rules.system is not None:
        messages = [{"role": "system", "content": rules.system}, *messages]
    if rules.parts:
        messages = [
            turn | {"content": [{"type": "text", "text": text}]} if isinstance(text := turn["content"], str) else turn
            for turn in messages
        ]
    day = date.fromisoformat(rules.date)
    return tokenizer.apply_chat_template(
        messages, add_generation_prompt=generation, tokenize=False, **{"strftime_now": day.strftime} | rules.options
    )


def prints_once(tokenizer: Any, turns: list[dict[str, Any]], generation: bool, rules: ChatRules) -> ChatRules:
    """Return the rules with the form of content in which each turn's text is printed once, as it is and in order.

    ValueError, with what became of the text, if neither form does: then the model would not read what it is given.
    """
    texts, seen, failed = [turn["content"] for turn in turns], [], 0
    for parts in (False, True):
        form = replace(rules, parts=parts)
        try:
            text = rendered(tokenizer, turns, generation, form)
        except Exception as error:  # a template raises whatever it likes
            seen.append(f"{type(error).__name__}: {error}")
            failed += 1
            continue
        places = [text.find(mark) for mark in texts]
        if all(text.count(mark) == 1 for mark in texts) and places == sorted(places):
            return form
        seen.append(f"printed {' and '.join(str(text.count(mark)) for mark in texts)} times, in {text[-120:]!r}")
    if failed == 2:
        raise ValueError(f"the chat template fails: {seen[0]}")
    speakers = " and ".join(turn["role"] for turn in turns)
    raise ValueError(
        f"the chat template does not print the text of {speakers} once and as it is (content as text: {seen[0]}; as "
        f"parts: {seen[1]}); put a chat_template.jinja that does into the folder"
    )


# ---------------------------------------------------------------- what a template shows
def find_rules(tokenizer: Any, chat: dict[str, Any]) -> ChatRules:
    """Return the format that a chat template shows, with what config's ``chat`` says in its place.

    ``chat`` may have ``think`` (two marks, or ``none``), ``opens_think``, ``stop`` (tokens, the first ends a turn),
    ``system``, ``options`` and ``date``.
    """
    rules = ChatRules(system=chat.get("system"), options=chat.get("options") or {}, date=str(chat.get("date") or CLOCK))
    found: dict[str, Any] = {"system": rules.system, "options": rules.options, "date": rules.date}
    if not tokenizer.chat_template:
        problem = "the tokenizer has no chat template; add chat_template.jinja to its folder"
        return ChatRules(**found, problems=(problem,))
    try:
        rules = prints_once(tokenizer, [{"role": "user", "content": PROMPT}], True, rules)
    except ValueError as error:
        return ChatRules(**found, problems=(str(error),))
    found["parts"] = rules.parts
    said = chat.get("think")
    view, problems = _View(tokenizer, rules, said), []
    if said == NO_THINK:
        found["markup"] = Bare()
        problems += view.still_thinks()
    else:
        markup, given, source = view.marks(said)
        found |= {"source": source, "given": given}
        if markup:
            found["markup"] = markup
            problems += view.thinks_not(markup)
        else:
            problems.append(source)
    opened = bool(found.get("given", "").strip())
    if chat.get("opens_think") not in (None, opened):
        problems.append(
            f"chat.opens_think: {str(chat['opens_think']).lower()} is wrong; the generation prompt ends {view.prompt!r}"
        )
    if chat.get("stop"):
        found["end"], found["stop"] = chat["stop"][0], tuple(chat["stop"])
    else:
        end, tail = view.end()
        found["end"] = end or tokenizer.eos_token
        if tail and "markup" in found:
            found["markup"] = replace(found["markup"], tail=tail)
    if found["end"] is None:
        problems.append("no token is known to end the model's turn; set chat: {stop: [<token>]}")
    stops = [token for token in found.get("stop") or [found["end"]] if token]
    if wrong := [token for token in stops if len(encode(tokenizer, token)) != 1]:
        problems.append(
            f"chat.stop: {', '.join(wrong)} is no single token of this tokenizer; name one that ends a turn"
        )
    return ChatRules(**found, problems=tuple(problems))


class _View:
    """What a template prints after the user's text, in the turns that show its format."""

    def __init__(self, tokenizer: Any, rules: ChatRules, said: Any = None) -> None:
        self.tokenizer, self.rules = tokenizer, rules
        self.prompt = self._print([], True) or ""  # the generation prompt, with what ends the user's turn
        history = self._print([{"role": "assistant", "content": ANSWER}, {"role": "user", "content": NEXT}], False)
        self.before, _, after = (history or "").partition(ANSWER)
        self.after = after.partition(NEXT)[0]
        # What every turn of the model begins with. An opening tag that ends the prompt is no part of it.
        self.header = commonprefix([self.prompt, self.before]) if history else self.prompt
        tag = self._last_tag(self.prompt)
        if isinstance(said, list) and (end := self.prompt.rstrip()).endswith(said[0].strip()):
            tag = len(end) - len(said[0].strip())
        self.header = re.sub(r"[<\[◁][^>\]▷]*$", "", self.header[:tag])  # which may end within another tag

    def _print(self, turns: list[dict[str, Any]], generation: bool) -> str | None:
        """Return what stands after the user's text, or None if the template refuses these turns."""
        try:
            text = rendered(self.tokenizer, [{"role": "user", "content": USER}, *turns], generation, self.rules)
        except Exception:  # a template raises whatever it likes
            return None
        return text.partition(USER)[2]

    @staticmethod
    def _last_tag(text: str) -> int | None:
        """Return where a think tag begins that is the last thing in a text, white space aside."""
        found = [match for match in TAG.finditer(text) if not text[match.end() :].strip()]
        return found[-1].start() if found else None

    def _shown(self) -> Iterator[tuple[str, str]]:
        """Yield each field in which the template reads reasoning, and the turn that it prints."""
        turns = [(name, {"content": ANSWER, name: REASON}) for name in FIELDS]
        for thought in (REASON, [{"type": "text", "text": REASON}]):
            parts = [{"type": "thinking", "thinking": thought}, {"type": "text", "text": ANSWER}]
            turns.append(("parts of type thinking", {"content": parts}))
        for name, turn in turns:
            text = self._print([{"role": "assistant"} | turn], False) or ""
            if text.count(REASON) == text.count(ANSWER) == 1 and text.index(REASON) < text.index(ANSWER):
                if not re.search("['\"]type['\"]", text):  # a list that is printed as it is
                    yield name, text

    def marks(self, said: list[str] | None) -> tuple[Markup | None, str, str]:
        """Return the marks, how much of the first the prompt holds, and where they were found or what to set."""
        given = self.prompt[len(self.header) :]
        shown = next(self._shown(), None) or self._before_a_tool()
        if shown:
            name, text = shown
            before, _, rest = text.partition(REASON)
            opening = given if given.strip() else before[len(commonprefix([self.prompt, before])) :]
            if before.startswith(self.prompt[: len(self.header)]):
                opening = before[len(self.header) :]
            markup = Markup(opening, rest.partition(ANSWER)[0])
            if not opening.startswith(given):  # thinking is off, or the prompt is laid out in another way
                markup, given = (Markup(given, markup.close), given) if _is_open(given, markup) else (markup, "")
            if all(markup.tags) and (said is None or tuple(mark.strip() for mark in said) == markup.tags):
                return markup, given, f"the template, from {name}"
        if said:
            marks = [mark if mark.strip() != mark else full for mark, full in zip(said, _laid_out(*said), strict=True)]
            given = given if marks[0].strip() in given else ""
            return Markup(given or marks[0], marks[1]), given, "config"
        spelt = str(self.tokenizer.chat_template)
        tokens = "\n".join(self.tokenizer.get_added_vocab())
        prompted = _pairs(given, f"{given}\n{spelt}\n{tokens}")
        pairs = prompted or _pairs(spelt, spelt + tokens)
        if len(pairs) == 1:
            opening, closing = _laid_out(*pairs[0])
            source = "the generation prompt" if prompted else "the template's words"
            return Markup(given if prompted else opening, closing), given if prompted else "", source
        if pairs:
            listed = " or ".join(f"[{opening}, {closing}]" for opening, closing in pairs)
            problem = f"several pairs of think tags are in the chat template; set one: chat: {{think: {listed}}}"
            return None, given, problem
        tags = " and ".join(f"{opening} {closing}" for opening, closing in _pairs(tokens, tokens))
        problem = "the chat template neither opens nor prints reasoning, as that of a model that does not think"
        if tags:
            problem += f" (although its tokenizer has {tags})"
        hint = "set chat: {think: none} if it writes none, or the marks around it as chat: {think: [<open>, <close>]}"
        return None, given, f"{problem}; {hint}"

    def _before_a_tool(self) -> tuple[str, str] | None:
        """Return a turn whose reasoning is printed only before a tool is called (Gemma 4)."""
        call = {"type": "function", "function": {"name": TOOL, "arguments": {}}}
        for name in FIELDS:
            turns = [{"role": "assistant", "content": "", "tool_calls": [call]} | more for more in ({}, {name: REASON})]
            plain, whole = (self._print([turn], False) or "" for turn in turns)
            if plain.count(TOOL) == whole.count(TOOL) == whole.count(REASON) == 1:
                lead, rest = plain.partition(TOOL)[0], whole.partition(REASON)[2].partition(TOOL)[0]
                call_mark = commonprefix([lead[::-1], rest[::-1]])[::-1]
                return f"{name} before a tool's call", whole.partition(REASON)[0] + REASON + (
                    rest[: len(rest) - len(call_mark)] + ANSWER
                )
        return None

    def _switch(self, wanted: bool) -> dict[str, bool]:
        """Return the switch of the template that turns thinking on, or off, where it is not so already."""
        now = self._whole()
        for name in switches(str(self.tokenizer.chat_template)):
            if re.search("think", name, re.IGNORECASE) and name not in self.rules.options:
                if now == self._whole(**{name: not wanted}) != (other := self._whole(**{name: wanted})) and other:
                    return {name: wanted}
        return {}

    def _whole(self, **options: Any) -> str | None:
        try:
            form = replace(self.rules, options=self.rules.options | options)
            return rendered(self.tokenizer, [{"role": "user", "content": USER}], True, form)
        except Exception:  # a template raises whatever it likes
            return None

    def thinks_not(self, markup: Markup) -> list[str]:
        """Return the problem that the prompt turns thinking off."""
        if (switch := self._switch(True)) or self.prompt.rstrip().endswith(markup.tags[1]):
            other = "{options: {<switch>: true}} or chat: {system: ...}"
            hint = f"{{options: {_as_yaml(switch)}}}" if switch else other
            end = f"the generation prompt ends {self.prompt[-80:]!r}"
            return [f"thinking is off ({end}); set what turns it on, as chat: {hint}"]
        return []

    def still_thinks(self) -> list[str]:
        """Return the problem that the prompt turns thinking on, although config says that there is none."""
        if (switch := self._switch(False)) or self._last_tag(self.prompt) is not None:
            hint = f"chat: {{think: none, options: {_as_yaml(switch)}}}" if switch else "no chat.think"
            return [f"chat.think: none, and the template turns thinking on (it ends {self.prompt[-80:]!r}); set {hint}"]
        return []

    def end(self) -> tuple[str | None, str]:
        """Return the token that ends the model's turn, and what stands between the answer and it."""
        shown = next(self._shown(), None)
        text = shown[1] if shown else self._print([{"role": "assistant", "content": ANSWER}], False) or ""
        last = text.partition(ANSWER)[2]
        tokens = sorted((t.content for t in self.tokenizer.added_tokens_decoder.values()), key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, filter(str.strip, tokens))) or "(?!)")
        # A later turn shows what belongs to this one: an end of text after it does not.
        both = commonprefix([last, self.after]) if self.after else last
        found = list(pattern.finditer(both)) or list(pattern.finditer(last)) or list(pattern.finditer(self.after))[:1]
        if not found:
            return None, ""
        end = next((token for token in found if token.group() == self.tokenizer.eos_token), found[-1])
        between = end.string[: end.start()]
        return end.group(), between if between.strip() else ""


def _is_open(given: str, markup: Markup) -> bool:
    return bool(given.strip()) and markup.tags[1] not in given


def _laid_out(opening: str, closing: str) -> tuple[str, str]:
    """Return two tags with the white space that stored responses have around them."""
    return STORED[0].replace("<think>", opening), STORED[1].replace("</think>", closing)


def _as_yaml(options: dict[str, bool]) -> str:
    return "{" + ", ".join(f"{name}: {str(value).lower()}" for name, value in options.items()) + "}"


def _pairs(text: str, closers: str) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for match in TAG.finditer(text):
        left, begin, word, right = match.groups()
        name = begin.lower().replace("begin", "end").replace("start", "end") + word if begin else f"/{word}"
        if begin.isupper():
            name = begin.replace("BEGIN", "END").replace("START", "END") + word
        if (closer := f"{left}{name}{right}") in closers:
            found[match.group(), closer] = None
    return list(found)


def switches(template: str) -> list[str]:
    """Return the names that a template reads and does not set itself: its switches, a date, a default system turn."""
    from jinja2 import Environment, TemplateSyntaxError, meta, nodes

    plain = re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", template)
    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(plain)
    except TemplateSyntaxError:
        return []
    names = tree.find_all(nodes.Name)
    own = {name.name for name in names if name.ctx != "load" and not SWITCH.search(name.name)}.union(FIELDS)
    return sorted(meta.find_undeclared_variables(tree) - own - GIVEN)
