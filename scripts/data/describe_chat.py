"""Report what a student's chat format was found to be, and what to set in config where it is not clear (paper A.1)."""

from pathlib import Path
from typing import Any

from thinksafe.files import write_text
from thinksafe.jobs.log import say
from thinksafe.jobs.start import start
from thinksafe.models.chat import completion_tokens, own_form, prompt_tokens, response_pieces
from thinksafe.models.chat_template import rules_of, switches
from thinksafe.models.folder import load_tokenizer, stop_tokens
from thinksafe.models.location import context_tokens, locate
from thinksafe.models.markup import STORED
from thinksafe.models.tokenizer import decode, encode

PROMPT = "What is 2 + 3?"
REASONING, ANSWER = "2 + 3 is 5.", "It is 5."
RESPONSE = f"{STORED[0]}{REASONING}{STORED[1]}{ANSWER}"


def describe_chat(model: list[str], spec: dict[str, Any], report: str) -> None:
    """Write the report on one student, and print it on the terminal.

    ``model`` are the files that stand for the student among the job's inputs. ``spec`` has ``student``, ``family``,
    ``model`` (its source), ``chat`` (config) and ``max_tokens`` (longest response asked).
    """
    lines = describe(locate(spec["model"], model), spec)
    for line in lines:
        say(line)
    write_text(report, "\n".join(lines) + "\n")


def describe(folder: str | Path, spec: dict[str, Any]) -> list[str]:
    """Return what was found, as lines of Markdown; ValueError, with the keys to set, if something was not."""
    tokenizer = load_tokenizer(folder, spec.get("chat"))
    rules = rules_of(tokenizer)
    if rules.problems:
        raise ValueError(
            f"the chat format of {spec['student']} is not clear. For each point set the key under "
            f"families.{spec['family']} in config:\n" + "\n".join(f"- {problem}" for problem in rules.problems)
        )
    stops = [f"`{token}`" for token in tokenizer.convert_ids_to_tokens(list(stop_tokens(folder, tokenizer)))]
    prompt = prompt_tokens(tokenizer, PROMPT)
    bos = prompt.count(tokenizer.bos_token_id) if tokenizer.bos_token_id is not None else 0
    context = context_tokens(folder)
    lines = [
        f"# The chat format of {spec['student']}",
        "",
        *_reasoning(tokenizer),
        f"- a turn ends with `{rules.end}`; a response stops at {', '.join(stops)}",
        f"- special tokens at the start of a prompt: {f'{bos} x `{tokenizer.bos_token}`' if bos else 'no BOS'}",
        *_inputs(tokenizer),
        f"- context: {context:,} tokens, prompt and response together; up to {spec['max_tokens']:,} are asked for",
        "",
        "A row of the training set as the model reads and writes it. Check that each part is what its name says:",
        "",
        *_row(tokenizer, prompt),
    ]
    if context <= spec["max_tokens"]:
        lines += ["", f"Lower `max_tokens` under `sampling`: no prompt fits beside {spec['max_tokens']:,} tokens."]
    return lines


def _reasoning(tokenizer: Any) -> list[str]:
    rules = rules_of(tokenizer)
    if not rules.thinks:
        return ["- this model does not think: a response is its answer alone (`chat: {think: none}`)"]
    tags = [f"`{tag}` ({_encoding(tokenizer, tag)})" for tag in rules.markup.tags]
    same = (rules.markup.open, rules.markup.close) == STORED
    return [
        f"- think tags: {' and '.join(tags)}{'' if same else '; stored as `<think>` and `</think>`'}",
        f"- found in: {rules.source}",
        f"- the think block is opened by {'the generation prompt' if rules.opened else 'the model itself'}",
    ]


def _inputs(tokenizer: Any) -> list[str]:
    """Return lines on what the template reads besides the messages."""
    rules, read = rules_of(tokenizer), switches(str(tokenizer.chat_template))
    named = [f"`{name}` = {rules.options[name]!r}" if name in rules.options else f"`{name}`" for name in read]
    told = "- the template's own switches (`chat: {options: ...}`; where no value stands, its default)"
    lines = [f"{told}: {', '.join(named)}"]
    if "strftime_now" in str(tokenizer.chat_template):
        lines.append(f"- the template prints today's date, which is {rules.date} on every day (`chat: {{date: ...}}`)")
    return lines if named else lines[1:]


def _row(tokenizer: Any, prompt: list[int]) -> list[str]:
    """Return the parts of prompt and completion, each with whether it is learnt."""
    rules = rules_of(tokenizer)
    response = RESPONSE if rules.thinks else ANSWER
    own = own_form(tokenizer, response)
    parts = [("prompt", decode(tokenizer, prompt), "read")]
    names = ["opens", "closes", "after"][rules.opened :] if rules.thinks else ["after"]
    for text, mark in response_pieces(tokenizer, own):
        name = names.pop(0) if mark else ("reasoning" if REASONING in text else "answer")
        parts.append((name, text, "learnt"))
    *learnt, end = completion_tokens(tokenizer, response)
    if (written := decode(tokenizer, learnt)) != own:
        raise ValueError(f"what would be learnt is {written!r}, and not {own!r}; is its markup what the model writes?")
    parts.append(("end", decode(tokenizer, [end]), "learnt"))
    return [f"    {kind:6} {name:9} {text!r}" for name, text, kind in parts]


def _encoding(tokenizer: Any, tag: str) -> str:
    ids = encode(tokenizer, tag)
    added = tokenizer.added_tokens_decoder.get(ids[0])
    if len(ids) > 1:
        return f"{len(ids)} tokens"
    return "a special token" if added is not None and added.special else "one token"


if __name__ == "__main__":
    start(snakemake, __file__)
