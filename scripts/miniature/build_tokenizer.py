"""Build the tokenizer of one family of the miniature's models, with the real family's chat template."""

from typing import Any

from thinksafe.jobs.start import start
from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.tokenizers import make_tokenizer

TEXTS = 3000  # examples of each style from which merges are learnt


def build_tokenizer(world: dict[str, Any], family: str, folder: str) -> None:
    """Write the tokenizer of ``family`` (``qwen3``, ``r1`` or ``other``) into ``folder``; ``world`` is config's."""
    make_tokenizer(family, pretraining_texts.texts(world, TEXTS), world["vocabulary"]).save_pretrained(folder)


if __name__ == "__main__":
    start(snakemake, __file__)
