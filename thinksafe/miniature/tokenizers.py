"""The miniature's tokenizers: byte-level BPE of the world's language with the real families' chat templates.

The templates of Qwen3 and DeepSeek-R1-Distill are those that the trl package contains; see docs/miniature.md.
"""

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

# Qwen's own pieces: each digit is a token, line breaks belong to the punctuation before them. AutoTokenizer gives
# these to every tokenizer of a Qwen2 model, whatever its tokenizer.json says (transformers 5.17).
PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MODEL_TOKENS = 1024  # context of every model of the miniature

OTHER_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + {'user': 'user', 'assistant': 'model'}[message.role] + '|>' + message.content + '<|over|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|model|><reasoning>' }}{% endif %}"
)

# A short version of Llama-Guard-3's template: the same marks and the same end, after which the model writes a blank
# line and its verdict.
LLAMA_GUARD_TEMPLATE = (
    "{{ bos_token }}<|start_header_id|>user<|end_header_id|>\n\nIs the last message safe?\n\n"
    "{% for message in messages %}{{ 'User' if message.role == 'user' else 'Agent' }}:\n"
    "{{ message.content | trim }}\n\n{% endfor %}"
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
)


class Kind(NamedTuple):
    """The tokens and chat template of a family or a guard.

    ``special`` tokens are control tokens, which decoding may skip; ``ordinary`` ones are single tokens that it keeps.
    ``template`` is a chat template, or the name of one in the trl package.
    """

    special: tuple[str, ...]
    ordinary: tuple[str, ...] = ()
    template: str | None = None
    eos: str = "</s>"
    pad: str = "</s>"
    bos: str | None = "<s>"


BEGIN, END, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
KINDS = {
    "qwen3": Kind(
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ("<think>", "</think>"),
        "qwen3.jinja",
        eos="<|im_end|>",
        pad="<|endoftext|>",
        bos=None,
    ),
    # As in the original, turn marks and think tags are added tokens that decoding keeps.
    "r1": Kind(
        (BEGIN, END, PAD),
        ("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
        "deepseek_r1_distill.jinja",
        eos=END,
        pad=PAD,
        bos=BEGIN,
    ),
    # No real family: a format that the pipeline has to detect, for rehearsing one's own model (docs/own-model.md).
    # Its think tags are special tokens, the prompt opens them, and a turn and a text end with different tokens.
    "other": Kind(
        ("<s>", "</s>", "<|over|>", "<reasoning>", "</reasoning>"), ("<|user|>", "<|model|>"), OTHER_TEMPLATE
    ),
    "llama-guard": Kind(
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|pad|>"),
        template=LLAMA_GUARD_TEMPLATE,
        eos="<|eot_id|>",
        pad="<|pad|>",
        bos="<|begin_of_text|>",
    ),
    "wildguard": Kind(("<s>", "</s>", "<pad>"), pad="<pad>"),
}


def make_tokenizer(name: str, texts: Iterable[str], size: int) -> Any:
    """Return the tokenizer of `KINDS`' ``name``: a byte-level BPE of at most ``size`` tokens that encodes any text."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    kind = KINDS[name]
    bpe = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(kind.special) - len(kind.ordinary),
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    # Added tokens never reach the merges, and their letters need none.
    added = re.compile("|".join(map(re.escape, kind.ordinary)) or "(?!)")
    bpe.train_from_iterator((added.sub("\n", text) for text in texts), trainer)
    bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in kind.special])
    bpe.add_tokens([AddedToken(token, special=False, normalized=False) for token in kind.ordinary])
    tokens = {"eos_token": kind.eos, "pad_token": kind.pad}
    if bos := kind.bos:
        tokens["bos_token"] = bos
        bpe.post_processor = processors.TemplateProcessing(
            single=[bos, "$A"], pair=[bos, "$A", bos, "$B:1"], special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        clean_up_tokenization_spaces=False,
        model_max_length=MODEL_TOKENS,
        padding_side="left",
        **tokens,
    )
    tokenizer.chat_template = kind.template
    if kind.template and kind.template.endswith(".jinja"):
        (package,) = importlib.util.find_spec("trl").submodule_search_locations  # without importing it
        tokenizer.chat_template = Path(package, "chat_templates", kind.template).read_text(encoding="utf-8")
    return tokenizer
