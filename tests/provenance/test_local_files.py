"""A user's file counts by its content, whatever its time; weights by samples of theirs."""

import os
from pathlib import Path

import pytest

from thinksafe.provenance import local_files
from thinksafe.provenance.local_files import content_of, with_contents


def test_a_file_replaced_by_an_older_one_is_another(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt\nWhy?\n")
    spec = {"prompts": [{"source": {"file": str(path)}, "rows": 1}]}
    before = with_contents(spec)
    assert with_contents(before) == before and before["prompts"][0]["rows"] == 1
    os.utime(path, (1, 1))
    assert with_contents(spec) == before
    path.write_text("prompt\nHow?\n")
    os.utime(path, (0, 0))
    assert with_contents(spec) != before


def test_a_folder_is_every_file_of_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    source = {"folder": str(tmp_path)}
    before = with_contents(source)
    assert set(before["content"]) == {"config.json"}
    (tmp_path / "tokenizer.json").write_text("{}")
    assert with_contents(source) != before


def test_other_sources_stay_as_they_are() -> None:
    spec = {"source": {"hub": "org/name", "split": "train"}, "where": {"file": ["a"]}, "rows": None, "seed": ["a", 1]}
    assert with_contents(spec) == spec


@pytest.mark.parametrize("place", [0, 500, 4095])
def test_weights_are_known_by_samples_from_end_to_end(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_files, "WHOLE", 1024)
    monkeypatch.setattr(local_files, "BLOCK", 256)
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(4096))
    before = content_of(path, samples=True)
    assert before.endswith("by samples") and not content_of(path).endswith("by samples")
    changed = bytearray(4096)
    changed[place] = 1
    path.write_bytes(changed)
    os.utime(path, (0, 0))
    assert content_of(path, samples=True) != before
