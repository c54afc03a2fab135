"""Train a student of the miniature from scratch, or its teacher from a student, on the world's texts."""

from collections.abc import Callable
from typing import Any

from thinksafe.files import IDENTITY
from thinksafe.jobs.start import start
from thinksafe.miniature import pretraining_texts
from thinksafe.miniature.pretraining import fit, make_model, row_of, save
from thinksafe.miniature.shapes import SHAPES, give_shape
from thinksafe.models.chat import completion_tokens, prompt_tokens
from thinksafe.models.folder import load_tokenizer
from thinksafe.seeds import seed_for

ARCHITECTURES = {"qwen3": "Qwen3", "r1": "Qwen2", "other": "Llama"}  # R1-Distill-Qwen is a Qwen2 model


def pretrain_model(
    model: str,
    family: str,
    world: dict[str, Any],
    tokenizer: str,
    parent: list[str],
    folder: str,
    progress: Callable[[int, int], None],
    shape: str | None = None,
) -> None:
    """Write a trained model to ``folder``.

    Parameters
    ----------
    model : the model's name in config, from which its seeds are made
    world : ``seed``, ``student``, ``teacher`` and ``templates`` of config's ``world``
    tokenizer : path of the identity of the family's tokenizer
    parent : the same of the student that a teacher continues from; with one, the texts are the teacher's
    shape : a key of `SHAPES`: what the model and its folder share with one of the paper's students
    """
    from transformers import AutoModelForCausalLM

    encoder = load_tokenizer(tokenizer.removesuffix(IDENTITY))
    role = "teacher" if parent else "student"
    settings = pretraining_texts.habits(world, role)
    generation = give_shape(SHAPES[shape], encoder) if shape else None
    if parent:
        network = AutoModelForCausalLM.from_pretrained(parent[0].removesuffix(IDENTITY), local_files_only=True)
    else:
        network = new_student(family, encoder, settings, seed_for("world", world["seed"], "weights", model), shape)
    examples = pretraining_texts.examples(world, role, model)
    rows = [
        row_of(prompt_tokens(encoder, example.prompt), completion_tokens(encoder, example.response))
        for example in examples
    ]
    loss = fit(network, rows, settings, seed_for("world", world["seed"], "order", model), progress)
    save(network, encoder, folder, generation)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print({"loss": loss, "parameters": parameters, "tokens": sum(len(row.ids) for row in rows)})


def new_student(family: str, tokenizer: Any, settings: dict[str, Any], seed: int, shape: str | None = None) -> Any:
    """Return an untrained model of the shape, or else of the family's architecture."""
    if shape is None:
        return make_model(ARCHITECTURES[family], tokenizer, settings, seed)
    bos = tokenizer.convert_tokens_to_ids(SHAPES[shape].bos)
    return make_model(SHAPES[shape].architecture, tokenizer, settings, seed, **SHAPES[shape].config, bos_token_id=bos)


if __name__ == "__main__":
    start(snakemake, __file__)
