"""Where models are found."""

import json

import pytest

from thinksafe.models.location import context_tokens, locate


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "my model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    for name in ("model.safetensors", "tokenizer.json"):
        (made / name).write_text("{}")
    return made


def test_a_built_model_is_beside_its_identity(folder):
    assert locate({"built": "student"}, [f"{folder}.identity.json", "other.json"]) == folder


def test_a_folder_of_the_users(folder):
    assert locate({"folder": str(folder)}, []) == folder


def test_a_model_of_the_hub_is_taken_from_the_cache_at_its_revision(folder, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot(name, **how):
        asked.append((name, how["repo_type"], how["revision"], how["local_files_only"]))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    assert locate({"hub": "a/b", "revision": "abc"}, []) == locate({"hub": "a/b"}, []) == folder
    assert asked == [("a/b", "model", "abc", True), ("a/b", "model", None, True)]


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_broken_folder_is_reported_with_what_is_missing(folder, missing):
    (folder / missing).unlink()
    lacks = {"config.json": "config.json", "model.safetensors": "weights", "tokenizer.json": "a tokenizer"}[missing]
    with pytest.raises(ValueError, match=f"{folder}: the model folder lacks {lacks}[^,]*;"):
        locate({"folder": str(folder)}, [])


def test_a_folder_that_does_not_exist_lacks_everything(tmp_path):
    with pytest.raises(
        ValueError, match="nowhere: the model folder lacks config.json, weights .*, a tokenizer .*; fetch"
    ):
        locate({"folder": str(tmp_path / "nowhere")}, [])


def test_a_missing_shard_of_the_weights_is_named(folder):
    shards = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))
    with pytest.raises(ValueError, match="the model folder lacks model-00001-of-00002.safetensors; fetch"):
        locate({"folder": str(folder)}, [])


def test_context_tokens(folder):
    assert context_tokens(folder) == 4096
