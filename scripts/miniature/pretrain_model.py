"""Train a student of the miniature from scratch, or its teacher from a student, on the world's texts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.pretraining import fit, make_model, row_of, save
from thinksafe.miniature.shapes import SHAPES, give_shape
from thinksafe.models.chat import completion_tokens, opens_think, prompt_tokens
from thinksafe.seeds import seed_for


def pretrain_model(
    model_id: str,
    family: str,
    spec: dict[str, Any],
    tokenizer_folder: str | Path,
    output: str | Path,
    parent: str | Path | None = None,
    shape: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, float]:
    """Write a trained model folder to ``output``; return what is worth logging.

    Parameters
    ----------
    spec : dict
        ``seed``, ``student`` and ``teacher`` of config's ``world``, and ``templates`` (reasoning benchmark: template).
    parent : path, optional
        Folder of the student that a teacher goes on from: with it, the texts are the teacher's.
    shape : str, optional
        A key of `SHAPES`: what the model and its folder have in common with one of the paper's students.
    progress : callable, optional
        Called with (done, total) steps about every 20 steps.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_folder), local_files_only=True)
    role = "teacher" if parent else "student"
    settings = pretraining_texts.habits(spec, role)
    generation = give_shape(SHAPES[shape], tokenizer) if shape else None
    if parent:
        model = AutoModelForCausalLM.from_pretrained(str(parent), local_files_only=True)
    else:
        model = new_student(family, tokenizer, settings, seed_for("world", spec["seed"], "weights", model_id), shape)
    opened, examples = opens_think(tokenizer), pretraining_texts.examples(spec, role, model_id)
    rows = [
        row_of(prompt_tokens(tokenizer, example.prompt), completion_tokens(tokenizer, example.response, opened))
        for example in examples
    ]
    loss = fit(model, rows, settings, seed_for("world", spec["seed"], "order", model_id), progress)
    save(model, tokenizer, output, generation)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"loss": loss, "parameters": parameters, "tokens": sum(len(row.ids) for row in rows)}


def new_student(family: str, tokenizer: Any, settings: dict[str, Any], seed: int, shape: str | None = None) -> Any:
    """Return an untrained model of the shape, or else of the family's architecture."""
    import transformers

    more: dict[str, Any] = {}
    if shape:
        kind = SHAPES[shape].architecture
        more = SHAPES[shape].config | {"bos_token_id": tokenizer.convert_tokens_to_ids(SHAPES[shape].bos)}
    else:
        kind = {"qwen3": "Qwen3", "r1": "Qwen2", "other": "Llama"}[family]  # R1-Distill-Qwen is a Qwen2 model
    classes = (getattr(transformers, f"{kind}{part}") for part in ("ForCausalLM", "Config"))
    return make_model(*classes, tokenizer, settings, seed, **more)


if __name__ == "__main__":
    import json

    from thinksafe.files import IDENTITY
    from thinksafe.jobs.start import start

    spec = json.loads(snakemake.params.spec)
    parent = list(snakemake.input.get("parent", []))
    start(
        snakemake,
        "pretrain_model",
        model_id=spec["model"],
        family=spec["family"],
        spec=spec["world"],
        tokenizer_folder=snakemake.input.tokenizer.removesuffix(IDENTITY),
        output=snakemake.output.folder,
        parent=parent[0].removesuffix(IDENTITY) if parent else None,
        shape=spec.get("shape"),
    )
