"""A user's own model: a tiny model of an unknown chat format, from its template to its evaluation.

The model is trained for seconds, as in config/smoke.yaml; config/own-model.yaml is then used as a user would.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from thinksafe.files import read_json, read_rows

ROOT = Path(__file__).resolve().parents[2]
WORLD, OWN = "own-model-world", "own-model-rehearsal"

pytestmark = [pytest.mark.slow, pytest.mark.miniature]

TOP_K = {part: {"top_k": {"other": 20}} for part in ("data", "safety", "reasoning")}
BUILDER = {  # makes what a user has: a model folder, a guard, prompts
    "extends": str(ROOT / "config/smoke.yaml"),
    "run": WORLD,
    "families": {"other": {}},
    "sampling": TOP_K,
    "select": {"students": ["stranger"]},
    "models": {"stranger": {"label": "Stranger", "size": "mini", "family": "other", "source": {"built": "student"}}},
}


def user(chat: dict | None = None) -> dict:
    """Return what a user writes over the template: their files, their budget, a machine without a GPU."""
    made = ROOT / "results" / WORLD
    rows = {"columns": {"prompt": "prompt"}, "where": None, "rows": 10}
    decoding = {"top_k": {"own": 20}, "max_tokens": 96}
    return {
        "extends": str(ROOT / "config/own-model.yaml"),
        "run": OWN,
        "select": {"benchmarks": ["harmbench", "gsm8k"]},
        "families": {"own": {"chat": chat} if chat else {}},
        "models": {"mine": {"source": {"folder": str(made / "models/stranger")}, "size": "mini"}},
        "guards": {
            "llama-guard-3": {"source": {"folder": str(made / "models/llama-guard-3")}, "max_prompt_tokens": 512}
        },
        "prompts": {
            "harmful": {"source": {"file": str(made / "world/harmful.parquet")}, **rows, "take": 8},
            "benign": {"source": {"file": str(made / "world/benign.parquet")}, **rows, "take": 6},
        },
        "engine": {"name": "transformers", "dtype": "float32", "batch_size": 64},
        "sampling": {part: decoding for part in ("data", "safety", "reasoning")},
        "training": {"dtype": "float32", "max_tokens": 512},
        "benchmarks": {
            "harmbench": {"source": {"file": str(made / "world/harmbench.parquet")}, "rows": 10},
            "gsm8k": {
                "source": {"file": str(made / "world/gsm8k.parquet")},
                "columns": {"problem": "problem", "answer": "answer"},
                "rows": 10,
                "samples": 2,
            },
        },
    }


def snakemake(config: dict, folder: Path, *targets: str) -> subprocess.CompletedProcess[str]:
    """Run the workflow with an overlay."""
    overlay = folder / f"{config['run']}.yaml"
    overlay.write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", *targets, "--configfile", str(overlay), "--cores", "2"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for overlays, once there is a model of a third format."""
    folder = tmp_path_factory.mktemp("own-model")
    shutil.rmtree(ROOT / "results" / OWN, ignore_errors=True)
    names = ["models/stranger.identity.json", "models/llama-guard-3.identity.json"]
    names += [f"world/{rows}.parquet" for rows in ("harmful", "benign", "harmbench", "gsm8k")]
    done = snakemake(BUILDER, folder, *(f"results/{WORLD}/{name}" for name in names))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_model_of_an_unknown_format_from_template_to_evaluation(folder: Path) -> None:
    run = ROOT / "results" / OWN

    done = snakemake(user(), folder, "chat")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (run / "chat/mine.md").read_text(encoding="utf-8")
    assert "`<reasoning>` (a special token) and `</reasoning>` (a special token); stored as `<think>`" in page
    assert "opened by the generation prompt" in page and "a turn ends with `<|over|>`" in page
    assert page.splitlines()[2][2:] in done.stdout + done.stderr  # on the terminal as well

    done = snakemake(user(), folder, "dataset")
    assert done.returncode == 0, done.stdout + done.stderr
    raw = read_rows(run / "responses/mine/steered-by/prefix/draws-1/replicate-0/harmful/part-0.parquet")
    raw += read_rows(run / "responses/mine/steered-by/prefix/draws-1/replicate-0/harmful/part-1.parquet")
    assert len(raw) == 8 and all(row["response"].startswith("<think>\n") for row in raw)
    assert not any("reasoning>" in row["response"] for row in raw)
    rows = read_rows(run / "datasets/mine/for/thinksafe/replicate-0.parquet")
    assert rows and all(row["response"].count("</think>") == 1 for row in rows)
    assert not (run / "adapters").exists()

    done = snakemake(user(), folder, "adapter")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (run / "adapters/mine/trained-with/thinksafe/replicate-0/adapter_model.safetensors").is_file()

    done = snakemake(user(), folder, "evaluation")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Initial" in (run / "tables/table-own.md").read_text(encoding="utf-8")
    score = read_json(run / "scores/safety/mine/trained-with/thinksafe/replicate-0/on/harmbench.json")
    assert score["n"] == 10
    assert "Nothing to be done" in (again := snakemake(user(), folder, "evaluation", "-n")).stdout + again.stderr


def test_a_wrong_word_about_the_format_is_reported_before_anything_is_sampled(folder: Path) -> None:
    done = snakemake(user({"think": ["<plan>", "</plan>"], "opens_think": True}), folder, "chat")
    assert done.returncode != 0
    assert "set the key under families.own" in (said := done.stdout + done.stderr), said
    assert "chat.opens_think: true is wrong; the generation prompt ends" in said
