"""Numbers and mean lengths of training responses."""

import pytest

from scripts.figures.plot_lengths import plot_lengths
from scripts.tables.write_lengths import write_lengths
from tests.figures.drawing import drawn_twice
from tests.paper_run import STUDENTS, cells, files
from thinksafe.files import write_rows
from thinksafe.layout import TRAINING_SET
from thinksafe.reporting.tables import read_csv

SPEC = {"students": STUDENTS, "confidence": 0.95}


def write_set(folder, lengths, student="qwen3-0.6b"):
    """Write a training set with responses of these lengths by role, and return its cell with its path."""
    cell = {"student": student, "method": "thinksafe", "replicate": 0}
    rows = [
        {"id": f"{role}-{n}", "role": role, "tokens": tokens}
        for role in lengths
        for n, tokens in enumerate(lengths[role])
    ]
    path = folder / f"{TRAINING_SET(cell)}.parquet"
    write_rows(path, rows, {"id": str, "role": str, "tokens": int})
    return cell | {"path": str(path)}


def test_lengths(tmp_path):
    lengths = {"harmful": [10] * 198 + [1000, 2000], "benign": list(range(100, 300))}
    datasets, table = [write_set(tmp_path, lengths)], str(tmp_path / "figure9.csv")
    write_lengths(files(datasets), SPEC | cells(datasets), table)
    found = {row["metric"]: row for row in read_csv(table)}
    assert found["N_h"]["value"] == found["N_b"]["value"] == 200
    assert found["mu_h"]["value"] == pytest.approx((1980 + 3000) / 200)
    assert found["mu_h_drawn"]["value"] == 10 and found["median_h"]["value"] == 10
    assert found["mu_b"]["value"] == pytest.approx(199.5)
    # t(199) = 1.97196; the standard deviation of 100..299 is 57.8792
    assert found["mu_b"]["high"] - 199.5 == pytest.approx(1.97196 * 57.8792 / 200**0.5, abs=0.001)
    drawn_twice(tmp_path, "figure9", plot_lengths, files(datasets), table, SPEC | cells(datasets))
    with pytest.raises(ValueError, match="no training set"):
        write_lengths([], SPEC | cells([]), table)
