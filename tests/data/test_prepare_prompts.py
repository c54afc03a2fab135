"""The paper's training prompts, from invented rows in SafeChain's format: each label is named in the config."""

import json
from pathlib import Path

import pytest

from scripts.data.prepare_prompts import prepare_prompts
from thinksafe.config import settings
from thinksafe.config.types import plain
from thinksafe.files import read_rows

PROMPTS = plain(settings.load([Path(__file__).parents[2] / "config/config.yaml"]))["prompts"]
LABELS = ["vanilla_harmful", "adversarial_benign", "vanilla_benign", "adversarial_harmful"]


def made(rows, role, folder):
    """Return what becomes of the rows as prompts of one role."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = PROMPTS[role] | {"role": role, "source": {"file": str(path)}}
    prepare_prompts([str(path)], spec, str(folder / "made.parquet"))
    return read_rows(folder / "made.parquet")


@pytest.fixture(scope="module")
def rows():
    return [
        {
            "instruction": f"Tell “me” about {n // 8},\nplease",
            "label": LABELS[n % 4],
            "response": f"{n}\n</think>\n\nNo.",
        }
        for n in range(40_000)
    ]


@pytest.mark.parametrize(("role", "labels"), [("harmful", LABELS[::3]), ("benign", LABELS[1:3])])
def test_two_of_four_labels_are_taken(role, labels, rows, tmp_path):
    found = made(rows, role, tmp_path)
    assert [row["prompt"] for row in found] == [row["instruction"] for row in rows if row["label"] in labels]
    assert {row["category"] for row in found} == set(labels)
    assert len({row["id"] for row in found}) == 20_000  # a prompt that occurs twice stays two rows


def test_another_label_or_number_of_rows_is_an_error(rows, tmp_path):
    odd = [*rows[:-1], rows[-1] | {"label": "unharmful"}]
    for role in ("harmful", "benign"):
        with pytest.raises(
            ValueError, match=f"prompts.{role}: row 40000 of the source has label 'unharmful', which is"
        ):
            made(odd, role, tmp_path)
    with pytest.raises(ValueError, match="prompts.benign: the source has 39999 rows, where 40000 are expected"):
        made(rows[:-1], "benign", tmp_path)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_prompts_are_numbered_in_the_order_of_the_source(tmp_path, suffix):
    prompts = ["twice", "x,\ny", "twice"]
    if suffix == "csv":
        text = "prompt,label\n" + "".join(f'"{prompt}",l{n}\n' for n, prompt in enumerate(prompts))
    else:
        text = "\n".join(json.dumps({"prompt": prompt, "label": f"l{n}"}) for n, prompt in enumerate(prompts))
    path = tmp_path / f"p.{suffix}"
    path.write_text(text)
    source = {"source": {"file": str(path)}, "columns": {"prompt": "prompt", "category": "label"}}
    prepare_prompts([str(path)], source | {"role": "harmful"}, str(tmp_path / "out.parquet"))
    made = read_rows(tmp_path / "out.parquet")
    assert [row["prompt"] for row in made] == prompts
    assert [row["id"] for row in made] == [f"harmful-{n:06d}" for n in range(3)]
    assert [row["category"] for row in made] == ["l0", "l1", "l2"]
