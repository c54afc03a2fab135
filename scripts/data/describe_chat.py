"""Report what a student's chat format was found to be, and what to set in config where it is not clear (paper A.1)."""

from pathlib import Path
from typing import Any

from thinksafe.files import write_text
from thinksafe.jobs.log import say
from thinksafe.jobs.start import start
from thinksafe.models.chat import completion_tokens, opens_think, prompt_tokens
from thinksafe.models.chat_template import STORED, rules_of
from thinksafe.models.folder import load_tokenizer, stop_tokens
from thinksafe.models.location import context_tokens, locate

PROMPT = "What is 2 + 3?"
RESPONSE = f"{STORED[0]}\n2 + 3 is 5.\n{STORED[1]}\n\nIt is 5."


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
    tags = [f"`{tag}` ({_encoding(tokenizer, tag)})" for tag in rules.think]
    stops = [f"`{token}`" for token in tokenizer.convert_ids_to_tokens(list(stop_tokens(folder, tokenizer)))]
    prompt = prompt_tokens(tokenizer, PROMPT)
    bos = prompt.count(tokenizer.bos_token_id) if tokenizer.bos_token_id is not None else 0
    context = context_tokens(folder)
    lines = [
        f"# The chat format of {spec['student']}",
        "",
        f"- think tags: {' and '.join(tags)}{'' if rules.think == STORED else '; stored as `<think>` and `</think>`'}",
        f"- the think block is opened by {'the generation prompt' if rules.opened else 'the model itself'}",
        f"- a turn ends with `{rules.end}`; a response stops at {', '.join(stops)}",
        f"- special tokens at the start of a prompt: {f'{bos} x `{tokenizer.bos_token}`' if bos else 'no BOS'}",
        f"- context: {context:,} tokens, prompt and response together; up to {spec['max_tokens']:,} are asked for",
        "",
        "A row of the training set, the part that is learnt after the arrow:",
        "",
        f"    {tokenizer.decode(prompt)!r}",
        f"    -> {tokenizer.decode(completion_tokens(tokenizer, RESPONSE, opens_think(tokenizer)))!r}",
    ]
    if context <= spec["max_tokens"]:
        lines += ["", f"Lower `max_tokens` under `sampling`: no prompt fits beside {spec['max_tokens']:,} tokens."]
    return lines


def _encoding(tokenizer: Any, tag: str) -> str:
    ids = tokenizer.encode(tag, add_special_tokens=False)
    added = tokenizer.added_tokens_decoder.get(ids[0])
    if len(ids) > 1:
        return f"{len(ids)} tokens"
    return "a special token" if added is not None and added.special else "one token"


if __name__ == "__main__":
    start(snakemake, __file__)
