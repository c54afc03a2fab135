"""Make an ordinary model folder from the GGUF file that dev/setup_model.sh has brought: SmolLM2-135M-Instruct.

    python -m dev.real_model FILE.gguf FOLDER

Weights are the file's, which are rounded to four bits, as float32. Its tokenizer names no padding token and takes the
start of a turn for the end of a text; both are set as the model's publisher has them.
"""

import hashlib
import json
import sys
from pathlib import Path

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
BEGIN, END = "<|im_start|>", "<|im_end|>"


def main(source: Path, folder: Path) -> None:
    """Write config, weights in float32 and tokenizer of the model in ``source`` into ``folder``."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with source.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise SystemExit(f"{source}: SHA-256 {found}, not {SHA256}: this is not the file that is pinned")
    place = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    tokenizer = AutoTokenizer.from_pretrained(**place)
    tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token = BEGIN, END, END
    tokenizer.clean_up_tokenization_spaces = False
    model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    # What is loaded is in float32 and no longer quantized, which transformers does not note.
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        if hasattr(model, name):
            delattr(model, name)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    begin, end = tokenizer.convert_tokens_to_ids([BEGIN, END])
    for settings in (model.config, model.generation_config):
        settings.bos_token_id, settings.eos_token_id, settings.pad_token_id = begin, end, end
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts = {"source": source.name, "sha256": SHA256, "parameters": model.num_parameters()}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
