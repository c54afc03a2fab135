"""Tiny random Hugging Face model folders and LoRA adapters for tests, made in well under a second each."""

import importlib.util
from pathlib import Path

TEXTS = [
    "the quick brown fox jumps over the lazy dog",
    "how do I fix the gate of my neighbour? take a hammer and a nail",
    "okay, let me think. the user wants to know 8 + 5 = 13, so the answer is \\boxed{13}.",
    "Sorry, I cannot help with that. It would hurt somebody.",
    "safe unsafe yes no Answer user assistant\n",
]
FAMILIES = {
    "qwen3": {
        "model": "Qwen3",
        "template": "qwen3",
        "bos": None,
        "eos": "<|im_end|>",
        "pad": "<|endoftext|>",
        "turn": ["<|im_start|>"],
    },
    "r1": {
        "model": "Qwen2",
        "template": "deepseek_r1_distill",
        "bos": "<｜begin▁of▁sentence｜>",
        "eos": "<｜end▁of▁sentence｜>",
        "pad": "<｜end▁of▁sentence｜>",
        "turn": ["<｜User｜>", "<｜Assistant｜>"],
    },
    "other": {  # invented: tags of its own, which are special tokens, and a turn that does not end in the end of text
        "model": "Llama",
        "template": None,
        "bos": "<s>",
        "eos": "</s>",
        "pad": "</s>",
        "turn": ["<|user|>", "<|model|>", "<|over|>"],
        "think": ("<reasoning>", "</reasoning>"),
    },
}
TRAINING = {  # a spec's settings of training
    "lora": {"rank": 4, "alpha": 16, "dropout": 0.05, "targets": ["v_proj", "q_proj"]},
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup": 0.1,
    "batch_size": 4,
    "max_tokens": 300,
    "max_grad_norm": 1.0,
    "weight_decay": 0.0,
    "betas": [0.9, 0.999],
    "dtype": "float32",
}
NO_DROPOUT = {"lora": TRAINING["lora"] | {"dropout": 0.0}}
OTHER_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|' + {'user': 'user', 'assistant': 'model'}[message.role] + '|>' + message.content + '<|over|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|model|><reasoning>' }}{% endif %}"
)


def chat_template(name: str) -> str:
    """Return a chat template as the trl package ships it, without importing trl."""
    package = importlib.util.find_spec("trl").submodule_search_locations[0]
    return (Path(package) / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")


def make_tokenizer(family: str, vocabulary: int = 400):
    """Return a byte-level BPE tokenizer with the family's control tokens and chat template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    marks = FAMILIES[family]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    special = [token for token in (marks["pad"], marks["bos"], marks["eos"], *marks["turn"]) if token]
    special += marks.get("think", ())
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in dict.fromkeys(special)])
    if "think" not in marks:
        tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in ("<think>", "</think>")])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=marks["eos"], bos_token=marks["bos"], pad_token=marks["pad"]
    )
    fast.chat_template = chat_template(marks["template"]) if marks["template"] else OTHER_TEMPLATE
    return fast


def make_model(
    folder: str | Path,
    family: str = "qwen3",
    *,
    seed: int = 0,
    hidden: int = 64,
    layers: int = 2,
    spread: float = 0.3,
    vocabulary: int = 400,
    stop_boost: float = 0.0,
) -> Path:
    """Save a random model of a family (``qwen3``: Qwen3, ``r1``: Qwen2, ``other``: Llama) and return its folder.

    ``spread`` is the standard deviation of the weights: larger makes the next-token distributions more peaked.
    ``stop_boost`` scales the output row of the end-of-turn token, so that more or fewer responses end early.
    """
    import torch
    import transformers

    tokenizer = make_tokenizer(family, vocabulary)
    marks = FAMILIES[family]
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 32,  # vLLM on CPU needs heads of 32 at least
        "num_key_value_heads": max(1, hidden // 64),
        "max_position_embeddings": 512,
        "initializer_range": spread,
        "tie_word_embeddings": False,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
    if family == "qwen3":
        shape["head_dim"] = 32
    config = getattr(transformers, f"{marks['model']}Config")(**shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, f"{marks['model']}ForCausalLM")(config).eval()
    with torch.no_grad():
        model.lm_head.weight[tokenizer.eos_token_id] *= 1 + stop_boost
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return Path(folder)


def make_adapter(
    folder: str | Path, model_folder: str | Path, *, seed: int = 0, spread: float = 0.3, rank: int = 4
) -> Path:
    """Save a random LoRA adapter (q and v; not the usual zero start) for a model and return its folder."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(model_folder), dtype=torch.float32)
    config = LoraConfig(r=rank, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    generator = torch.Generator().manual_seed(seed)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=generator) * spread
    model.save_pretrained(str(folder))
    return Path(folder)
