"""The miniature's tokenizers: byte-level BPE of the world's language with the real families' chat templates.

The templates are those of Qwen3 and DeepSeek-R1-Distill as the trl package ships them; see docs/miniature.md.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# Qwen's own pieces: digits are tokens of their own, line breaks go with the mark before them. AutoTokenizer puts
# exactly these into every tokenizer of a Qwen2 model, whatever its tokenizer.json says (transformers 5.17).
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MODEL_TOKENS = 1024  # context of every model of the miniature

OTHER_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + {'user': 'user', 'assistant': 'model'}[message.role] + '|>' + message.content + '<|over|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|model|><reasoning>' }}{% endif %}"
)

FAMILIES: dict[str, dict[str, Any]] = {
    "qwen3": {
        "template": "qwen3.jinja",
        "special": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        "ordinary": ["<think>", "</think>"],
        "tokens": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    },
    "r1": {
        "template": "deepseek_r1_distill.jinja",
        "special": [
            "<｜begin▁of▁sentence｜>",
            "<｜end▁of▁sentence｜>",
            "<｜▁pad▁｜>",
        ],
        # As in the original, the turns' marks and the think tags are added tokens that decoding keeps.
        "ordinary": ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"],
        "tokens": {
            "bos_token": "<｜begin▁of▁sentence｜>",
            "eos_token": "<｜end▁of▁sentence｜>",
            "pad_token": "<｜▁pad▁｜>",
        },
    },
    # No real family: a format that the pipeline has to find out, for rehearsing one's own model (docs/own-model.md).
    # Its think tags are special tokens, the prompt opens them, and a turn ends in another token than the text.
    "other": {
        "template": OTHER_TEMPLATE,
        "special": ["<s>", "</s>", "<|over|>", "<reasoning>", "</reasoning>"],
        "ordinary": ["<|user|>", "<|model|>"],
        "tokens": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"},
    },
}


def template_of(family: str) -> str:
    """Return a family's chat template."""
    template = FAMILIES[family]["template"]
    return shipped_template(template) if template.endswith(".jinja") else template


def shipped_template(name: str) -> str:
    """Return a chat template of the trl package, found without importing it."""
    package = importlib.util.find_spec("trl")
    if package is None or not package.submodule_search_locations:
        raise ValueError("the trl package is not installed, and the miniature takes its chat templates from it")
    path = Path(package.submodule_search_locations[0]) / "chat_templates" / name
    return path.read_text(encoding="utf-8")


def train_bpe(texts: Iterable[str], size: int, special: Sequence[str], ordinary: Sequence[str] = ()) -> Any:
    """Return a byte-level BPE of at most ``size`` tokens that encodes any text and gives it back unchanged.

    ``special`` tokens are control tokens, which decoding may skip; ``ordinary`` ones are single tokens that it keeps.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(special) - len(ordinary),
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    # Added tokens never reach the merges, and their own letters need none.
    tokenizer.train_from_iterator((_without(text, ordinary) for text in texts), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ordinary])
    return tokenizer


def _without(text: str, tokens: Sequence[str]) -> str:
    """Return ``text`` with each of ``tokens`` replaced by a line break."""
    for token in tokens:
        text = text.replace(token, "\n")
    return text


def wrap(tokenizer: Any, tokens: dict[str, str], template: str | None) -> Any:
    """Return ``tokenizer`` as transformers knows it; one with a BOS adds it where special tokens are asked for."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    if "bos_token" in tokens:
        bos = tokens["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[bos, "$A"], pair=[bos, "$A", bos, "$B:1"], special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        model_max_length=MODEL_TOKENS,
        padding_side="left",
        **tokens,
    )
    if template:
        wrapped.chat_template = template
    return wrapped
