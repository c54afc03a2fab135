"""Chat templates that packages ship, each on a tiny tokenizer that has the template's own control tokens."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from tests import tiny

BROUGHT = Path(__file__).parents[1] / ".tokenizers"  # by `make setup-tokenizers`
ABSENT = "there are no real tokenizers here; `make setup-tokenizers` brings them"


def trl_names() -> list[str]:
    """Return the names of the templates that trl ships as models have them, without those it changes for training."""
    (package,) = importlib.util.find_spec("trl").submodule_search_locations
    names = [path.stem for path in Path(package, "chat_templates").glob("*.jinja")]
    return sorted(name for name in names if not name.endswith("_training"))


def mistral_template(version: str, thinking: str | None) -> str:
    """Return the template that mistral-common makes for a version of its tokenizers."""
    sys.path.insert(0, str(BROUGHT / "raw/python"))
    try:
        from mistral_common.integrations.chat_templates import template_generator
        from mistral_common.tokens.tokenizers.base import TokenizerVersion
    finally:
        sys.path.remove(str(BROUGHT / "raw/python"))
    config = {"version": TokenizerVersion(version), **({thinking: True} if thinking else {})}
    return template_generator.build_chat_template(template_generator.TemplateConfig(**config))


def tokenizer_for(template: str) -> Any:
    """Return a byte-level tokenizer whose control tokens are those that the template prints."""
    made = tiny.make_tokenizer("r1" if "｜" in template else "qwen3")
    spelt = set(re.findall(r"<[^<>\s'\"{}]{1,40}>|\[/?[A-Z_]+\]", template)) | {"<s>", "</s>"}
    held = made.get_vocab()
    made.add_special_tokens({"additional_special_tokens": sorted(spelt - held.keys())})
    made.bos_token = made.bos_token or "<s>"
    made.chat_template = template
    return made
