"""Likelihoods against plain formulas, whatever is padded; perplexities and their intervals on numbers done by hand."""

import json
from math import exp, log

import pytest
import torch

from scripts.evaluation.score_perplexity import score_perplexity
from scripts.tables.write_figure8_table import write_figure8_table
from tests import tiny
from thinksafe.analysis.perplexity import corpus_perplexity, example_perplexity
from thinksafe.evaluation import likelihood
from thinksafe.evaluation.likelihood import batches, token_sums
from thinksafe.files import read_rows, write_rows
from thinksafe.reporting.tables import read_csv

torch.set_num_threads(1)
DATA = {"id": str, "role": str, "prompt": str, "response": str}
ROWS = [
    {
        "id": f"r{n}",
        "role": "benign" if n % 3 else "harmful",
        "prompt": f"What is {n}?",
        "response": f"<think>\nI think {n}.\n</think>\n\nIt is {n}.{' x' * n}",
    }
    for n in range(7)
]


def test_batches_are_by_length_and_hold_no_more_than_the_limit():
    lengths = [3, 9, 3, 100, 5, 9]
    made = list(batches(lengths, 18))
    assert made == [[3], [1, 5], [4, 0, 2]]
    assert list(batches([])) == []


@pytest.mark.parametrize("family", ["qwen3", "r1"])
def test_only_what_is_learnt_counts_and_padding_changes_nothing(tmp_path, family, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny.make_model(tmp_path / "model", family)
    write_rows(tmp_path / "set.parquet", ROWS, DATA)
    spec = {"model": {"folder": str(folder)}, "loss": {"nll": {}}, "dtype": "float32"}
    found = {}
    for limit in (1, 10_000):
        monkeypatch.setattr(likelihood.batches, "__defaults__", (limit,))
        output = str(tmp_path / f"{limit}.parquet")
        score_perplexity(str(tmp_path / "set.parquet"), [], spec, output, lambda done, total: None)
        found[limit] = read_rows(output)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).double()
    for row, alone, together in zip(ROWS, *found.values(), strict=True):
        assert (alone["id"], alone["role"]) == (row["id"], row["role"])
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": row["prompt"]}], add_generation_prompt=True, tokenize=False
        )
        said = row["response"].removeprefix("<think>\n") if family == "r1" else row["response"]
        prompt, answer = (tokenizer.encode(text, add_special_tokens=False) for text in (asked, said))
        before, ids = len(prompt), torch.tensor([[*prompt, *answer, tokenizer.eos_token_id]])
        logs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        wanted = -logs.gather(1, ids[0, 1:, None])[before - 1 :].sum().item()
        assert alone["tokens"] == together["tokens"] == ids.shape[1] - before
        assert alone["nll"] == pytest.approx(wanted, rel=1e-4)
        assert together["nll"] == pytest.approx(wanted, rel=1e-4)


def test_the_same_bytes_twice(tmp_path):
    folder = tiny.make_model(tmp_path / "model", "qwen3")
    examples = [{"input_ids": list(range(5, 9 + n)), "labels": [-100, -100, *range(7, 9 + n)]} for n in range(9)]
    first = token_sums(examples, folder, "float32")
    assert first == token_sums(examples, folder, "float32")
    assert [count for count, _ in first] == [2 + n for n in range(9)]


def test_perplexities_by_hand():
    sums = [(2, 2 * log(4)), (6, 6 * log(2))]
    assert corpus_perplexity(sums, 0.95)[0] == pytest.approx(exp((2 * log(4) + 6 * log(2)) / 8))
    assert example_perplexity(sums, 0.95)[0] == pytest.approx((4 * 2) ** 0.5)
    for measure in (corpus_perplexity, example_perplexity):
        assert measure([(5, 5 * log(3))] * 4, 0.95) == pytest.approx((3, 3, 3))
        assert measure([(5, 5 * log(3))], 0.95) == pytest.approx((3, 3, 3))
        value, low, high = measure(sums, 0.95)
        assert low < value < high and value / low == pytest.approx(high / value)


def test_intervals_cover_the_truth_as_often_as_they_say():
    draw = torch.Generator().manual_seed(0)
    covered = {"corpus": 0, "example": 0}
    for _ in range(300):
        counts = torch.randint(20, 200, (60,), generator=draw)
        means = 1.0 + 0.4 * torch.randn(60, generator=draw)
        sums = [(int(count), float(count * mean)) for count, mean in zip(counts, means, strict=True)]
        for name, measure in (("corpus", corpus_perplexity), ("example", example_perplexity)):
            _, low, high = measure(sums, 0.95)
            covered[name] += low <= exp(1.0) <= high
    assert all(275 <= count <= 297 for count in covered.values()), covered


def test_the_table_has_whole_sets_and_halves(tmp_path):
    columns = dict(id=str, role=str, tokens=int, nll=float)
    write_rows(tmp_path / "a.parquet", [dict(id="1", role="harmful", tokens=4, nll=4 * log(2))], columns)
    both = [dict(id=str(n), role="benign", tokens=4, nll=4 * log(8)) for n in range(3)]
    write_rows(tmp_path / "b.parquet", [*both, dict(id="h", role="harmful", tokens=12, nll=12 * log(2))], columns)
    scores = [
        dict(student="s", method=method, replicate=0, path=str(tmp_path / f"{name}.parquet"))
        for method, name in (("star1", "a"), ("thinksafe", "b"))
    ]
    spec = {"students": [["s", "S"]], "methods": [["star1", "STAR-1"], ["thinksafe", "T"]], "confidence": 0.95}
    write_figure8_table(scores, spec, str(tmp_path / "figure8.csv"))
    found = {(row["method"], row["metric"]): row for row in read_csv(str(tmp_path / "figure8.csv"))}
    assert found["star1", "perplexity"]["value"] == found["star1", "perplexity:harmful"]["value"] == 2
    assert ("star1", "perplexity:benign") not in found
    assert found["thinksafe", "perplexity"]["value"] == pytest.approx(4)  # half of the tokens at 2, half at 8
    assert found["thinksafe", "perplexity_example"]["value"] == pytest.approx(2 * 8**0.75 / 2**0.75, abs=1e-5)
    assert found["thinksafe", "perplexity:benign"]["n"] == 3 and found["thinksafe", "perplexity"]["tokens"] == 24
    assert json.dumps(sorted({metric for _, metric in found})).count("perplexity") == 6
