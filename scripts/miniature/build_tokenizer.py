"""Build the tokenizer of one family of the miniature's models, with the real family's chat template."""

from typing import Any

from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.tokenizers import FAMILIES, template_of, train_bpe, wrap

TEXTS = 3000  # examples of each style that merges are learnt from


def build_tokenizer(world: dict[str, Any], family: str, folder: str) -> None:
    """Write the tokenizer of ``family`` (``qwen3``, ``r1`` or ``other``) into ``folder``.

    Parameters
    ----------
    world : dict
        Config's ``world``; ``phrases`` and ``templates`` are among the texts. The merges depend on it alone, so that
        all families share them.
    """
    kind, texts = FAMILIES[family], pretraining_texts.texts(world, TEXTS)
    tokenizer = train_bpe(texts, world["vocabulary"], kind["special"], kind["ordinary"])
    wrap(tokenizer, kind["tokens"], template_of(family)).save_pretrained(folder)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
