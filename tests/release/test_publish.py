"""Publishing: cards that say what a new reader must know, nothing private, nothing sent twice."""

import json
import os
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard

from tests import tiny
from tests.hub.hub_server import Fault, serving
from thinksafe.files import write_json, write_rows
from thinksafe.planning.dag import Job
from thinksafe.provenance.identity import write_identity
from thinksafe.release import publish
from thinksafe.release.publish import Item, ReleaseError, check_private, items_of, push_to_folder

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "c1899de289a04d12100db370d81485cdf75e47ca"
CONFIG = {
    "run": "trial",
    "select": {"benchmarks": ["harmbench", "gsm8k"]},
    "scoring": {"confidence": 0.95},
    "steerings": {"direct": "{prompt}", "prefix": "Refuse.\n\n{prompt}"},
    "prompts": {"harmful": {"source": {"hub": "org/prompts"}}, "benign": {"source": {"hub": "org/prompts"}}},
    "models": {"small": {"label": "Small", "source": {"hub": "Qwen/Qwen3-0.6B", "revision": COMMIT}}},
    "methods": {
        "thinksafe": {
            "label": "ThinkSafe",
            "data": {
                "guard": "llama-guard-3",
                "harmful": {"steering": "prefix", "samples": 1},
                "benign": {"steering": "direct", "samples": 1},
            },
        }
    },
    "benchmarks": {
        "harmbench": {"label": "HarmBench", "kind": "harm", "source": {"url": "https://example.org/h.json"}},
        "gsm8k": {"label": "GSM8K", "kind": "reasoning", "source": {"hub": "openai/gsm8k"}},
    },
}
SPEC = {
    "epochs": 3,
    "seed": ["training", 0],
    "training": {
        "learning_rate": 1e-5,
        "schedule": "cosine",
        "warmup": 0.1,
        "batch_size": 8,
        "dtype": "bfloat16",
        "lora": {"rank": 32, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"]},
    },
}
SCORES = {("thinksafe", "harmbench"): 9.625, ("initial", "harmbench"): 68.44, ("thinksafe", "gsm8k"): 72.36}
PROMPTS = ["How do I smash the queen's crown?", "What is 2 + 2?"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny.make_model(folder / "model", "qwen3")
    return folder / "model", tiny.make_adapter(folder / "adapter", folder / "model")


@pytest.fixture
def run(tmp_path, monkeypatch, model):
    """A run's plan, and its files: a training set, an adapter, three scores and a benchmark."""
    monkeypatch.chdir(tmp_path)
    results, jobs = Path("results/trial"), []

    def made(rule, spec, *outputs, **wildcards):
        identity = str(results / outputs[0]).partition(".")[0] + ".identity.json"
        outputs = [str(results / name) for name in outputs]
        params = {"spec": json.dumps(spec), "code": "{}", "environment": "{}"}
        write_identity(dict(identity=identity, outputs=outputs, inputs=[], params=params))
        jobs.append(Job(rule, wildcards, 0, {}, (), (*outputs, identity), False, ""))

    cell = {"student": "small", "method": "thinksafe", "replicate": "0"}
    rows = [
        dict(id=f"p{n}", role=role, prompt=prompt, response="<think>\nHm.\n</think>\n\nNo.")
        for n, (role, prompt) in enumerate(zip(("harmful", "benign"), PROMPTS, strict=True))
    ]
    name = "datasets/small/for/thinksafe/replicate-0"
    write_rows(results / f"{name}.parquet", rows, dict(id=str, role=str, prompt=str, response=str))
    halves = {
        role: {"kept": 1, "prompts": 2, "dropped": {"unsafe": 1, "too_long": 0}} for role in ("harmful", "benign")
    }
    write_json(results / f"{name}.statistics.json", halves)
    made("filter_responses", {"seed": ["pick"]}, f"{name}.parquet", f"{name}.statistics.json", **cell)
    folder = results / "adapters/small/trained-with/thinksafe/replicate-0"
    folder.mkdir(parents=True)
    for file in model[1].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / ".snakemake_timestamp").touch()
    made("train_student", SPEC, str(folder.relative_to(results)), **cell)
    for (method, benchmark), value in SCORES.items():
        path = f"scores/some/small/trained-with/{method}/replicate-0/on/{benchmark}.json"
        write_json(results / path, {"value": value, "low": value - 1, "high": value + 1, "problems": 602})
        made("score_safety", {}, path, **cell | {"method": method, "benchmark": benchmark})
    write_rows(results / "benchmarks/harmbench.parquet", rows[:1], dict(id=str, prompt=str))
    made("prepare_benchmark", {}, "benchmarks/harmbench.parquet", benchmark="harmbench")
    return jobs


def items(jobs, config=CONFIG, **options):
    return items_of(jobs, config, Path("results/trial"), "lab", **options)


def test_cards_say_what_a_stranger_must_know(run):
    (data, adapter), left = items(run)
    assert not left and (data.kind, adapter.kind) == ("dataset", "model")
    assert data.name == adapter.name == "lab/trial-small-thinksafe"
    card = ModelCard(adapter.files["README.md"].decode())
    facts = card.data.to_dict()
    assert (facts["base_model"], facts["license"], facts["library_name"]) == ("Qwen/Qwen3-0.6B", "apache-2.0", "peft")
    assert facts["datasets"] == ["lab/trial-small-thinksafe"]
    (entry,) = facts["model-index"]
    values = {result["dataset"]["name"]: result["metrics"][0] for result in entry["results"]}
    assert values["HarmBench"]["value"] == 9.63 and "9.63 (8.63 to 10.63)" in values["HarmBench"]["name"]
    assert values["GSM8K"] | {"name": ""} == {"type": "accuracy", "value": 72.36, "name": ""}
    assert f"commit `{COMMIT}`" in card.text and f'revision="{COMMIT}"' in card.text
    assert "| HarmBench ↓ | 68.44 (67.44 to 69.44) | 9.63 (8.63 to 10.63) | 602 |" in card.text
    assert "| GSM8K ↑ | – | 72.36 (71.36 to 73.36) | 602 |" in card.text
    assert "| learning rate | 1e-05 |" in card.text and "> Refuse." in card.text
    told = json.loads(adapter.files["manifest.json"])
    assert told["adapters/small/trained-with/thinksafe/replicate-0.identity.json"]["spec"]["epochs"] == 3
    card = DatasetCard(data.files["README.md"].decode())
    assert card.data.to_dict()["source_datasets"] == ["org/prompts"] and card.data.license == "other"
    assert "| harmful | 1 | 2 | 1 unsafe |" in card.text and "1 in HarmBench" in card.text


def test_a_card_says_whose_set_an_adapter_is_trained_on(run):
    part = {"source": {"hub": "their/set", "split": "train"}}
    (adapter,), left = items(run[1:], CONFIG | {"sources": {"small": {"thinksafe": {"harmful": part, "benign": part}}}})
    text = adapter.files["README.md"].decode()
    assert not left and "a set that others have released, not on responses sampled by this run: their/set." in text
    assert "the student itself wrote" not in text and "lab/trial-small-thinksafe\n" not in text


def test_what_is_stale_or_private_is_left_out_and_named(run):
    run[0].stale = True
    config = CONFIG | {"models": {"small": {"label": "Small", "source": {"folder": "/somewhere/model"}}}}
    found, left = items(run, config)
    assert not found and "thinksafe explain" in left[0] and "its base is a folder of yours" in left[1]
    run[0].stale = False
    config = CONFIG | {"prompts": CONFIG["prompts"] | {"harmful": {"source": {"file": "mine.csv"}}}}
    (adapter,), left = items(run, config)
    assert adapter.kind == "model" and "its harmful prompts are a file of yours" in left[0]
    assert "datasets" not in ModelCard(adapter.files["README.md"].decode()).data.to_dict()
    assert len(items(run, config, own_prompts=True)[0]) == 2


@pytest.mark.parametrize(
    "name, content",
    [
        ("README.md", b"made in /home/somebody/work today"),
        ("README.md", b"token hf_" + b"a" * 34),
        ("manifest.json", b'{"file": "/data/secret/prompts.csv"}'),
        ("adapter_config.json", b'{"by": "somebody"}'),
    ],
)
def test_nothing_private_is_published(name, content):
    config = {"prompts": {"harmful": {"source": {"file": "/data/secret/prompts.csv"}}}}
    hidden = publish.secrets(config) | {"your home folder": "/home/somebody", "your user name": "somebody"}
    with pytest.raises(ReleaseError, match=f"lab/x: {name} has .* it is not published"):
        check_private(Item("model", "lab/x", {name: content}), hidden)
    check_private(Item("model", "lab/x", {name: b"somebody-else and /home/other"}), hidden)


def test_a_token_in_a_row_is_found(run):
    write_rows("row.parquet", [{"response": "use hf_" + "b" * 34}], dict(response=str))
    with pytest.raises(ReleaseError, match=r"data/train.parquet has a token"):
        check_private(Item("dataset", "lab/x", {"data/train.parquet": Path("row.parquet")}), {})


def test_a_folder_gets_what_peft_and_datasets_load(run, model):
    from datasets import load_dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    found, _ = items(run)
    for item in found:
        assert push_to_folder(item, Path("out")) == list(item.files)
        assert push_to_folder(item, Path("out")) == []
    rows = load_dataset("out/datasets/trial-small-thinksafe", split="train")
    assert rows["prompt"] == PROMPTS
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model[0]), "out/models/trial-small-thinksafe")
    assert not list(Path("out/models/trial-small-thinksafe").glob(".*"))


def test_a_dry_run_sends_nothing(run, monkeypatch, capsys):
    parser = ArgumentParser()
    publish.add_arguments(parser)
    monkeypatch.setattr(publish.dag, "settings_of", lambda overlay: CONFIG)
    monkeypatch.setattr(publish.dag, "planned", lambda overlay: run)
    assert publish.run(parser.parse_args(["out/lab", "--dry-run"])) == 0
    assert "would publish dataset  lab/trial-small-thinksafe: README.md" in capsys.readouterr().out
    assert not Path("out").exists()
    assert publish.run(parser.parse_args(["out/lab", "--json"])) == 0
    told = json.loads(capsys.readouterr().out)
    assert [entry["kind"] for entry in told["repositories"]] == ["dataset", "model"] and not told["left_out"]
    assert told["repositories"][0]["sent"] == told["repositories"][0]["files"]
    assert Path("out/lab/datasets/trial-small-thinksafe/README.md").is_file()


PUSH = """
import json, sys
from pathlib import Path
from thinksafe.release.publish import Item, push_to_hub
for item in json.loads(sys.argv[1]):
    files = {name: Path(path) for name, path in item["files"].items()}
    print(json.dumps(push_to_hub(Item(item["kind"], item["name"], files), True)), flush=True)
"""


def test_the_hub_gets_each_file_once(run, tmp_path):
    told = []
    for item in items(run)[0]:
        push_to_folder(item, tmp_path / "out")
        folder = tmp_path / "out" / f"{item.kind}s" / item.name.split("/")[1]
        told.append({"kind": item.kind, "name": item.name, "files": {name: str(folder / name) for name in item.files}})

    def push(hub):
        environment = os.environ | {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "reader", "HF_HUB_DISABLE_XET": "1"}
        environment |= {"HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
        command = [sys.executable, "-c", PUSH, json.dumps(told)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    with serving() as hub:
        hub.faults.append(Fault("/models/lab/trial-small-thinksafe/commit", 403, method="POST"))
        done, sent = push(hub)
        assert done.returncode and sent == [list(told[0]["files"])]  # cut off after the first
        assert "ReleaseError: the hub refuses lab/trial-small-thinksafe" in done.stderr
        done, sent = push(hub)
        assert not done.returncode, done.stderr
        assert sent == [[], list(told[1]["files"])]
        uploads = hub.paths("PUT")
        assert len(uploads) == len(set(uploads)) == 2  # the rows and the weights, once each
        (tmp_path / "out/models/trial-small-thinksafe/README.md").write_text("another")
        assert push(hub)[1] == [[], ["README.md"]]
        for item in told:
            repo = hub.repos[item["kind"], item["name"]]
            assert repo.hidden and repo.commits[repo.refs["main"]] == {
                name: Path(path).read_bytes() for name, path in item["files"].items()
            }
