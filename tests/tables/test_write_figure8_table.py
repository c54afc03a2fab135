"""Perplexities of whole training sets and of their halves."""

import json
from math import log

import pytest

from scripts.tables.write_figure8_table import write_figure8_table
from tests.paper_run import cells, files
from thinksafe.files import write_rows
from thinksafe.layout import PERPLEXITY
from thinksafe.reporting.tables import read_csv


def test_the_table_has_whole_sets_and_halves(tmp_path):
    benign = [dict(id=str(n), role="benign", tokens=4, nll=4 * log(8)) for n in range(3)]
    sets = {
        "star1": [dict(id="1", role="harmful", tokens=4, nll=4 * log(2))],
        "thinksafe": [*benign, dict(id="h", role="harmful", tokens=12, nll=12 * log(2))],
    }
    scores = []
    for method, rows in sets.items():
        cell = {"student": "s", "method": method, "replicate": 0}
        scores.append(cell | {"path": str(tmp_path / f"{PERPLEXITY(cell)}.parquet")})
        write_rows(scores[-1]["path"], rows, dict(id=str, role=str, tokens=int, nll=float))
    spec = {"students": [["s", "S"]], "methods": [["star1", "STAR-1"], ["thinksafe", "T"]], "confidence": 0.95}
    write_figure8_table(files(scores), spec | cells(scores), str(tmp_path / "figure8.csv"))
    found = {(row["method"], row["metric"]): row for row in read_csv(str(tmp_path / "figure8.csv"))}
    assert found["star1", "perplexity"]["value"] == found["star1", "perplexity:harmful"]["value"] == 2
    assert ("star1", "perplexity:benign") not in found
    assert found["thinksafe", "perplexity"]["value"] == pytest.approx(4)  # half of the tokens at 2, half at 8
    assert found["thinksafe", "perplexity_example"]["value"] == pytest.approx(2 * 8**0.75 / 2**0.75, abs=1e-5)
    assert found["thinksafe", "perplexity:benign"]["n"] == 3 and found["thinksafe", "perplexity"]["tokens"] == 24
    assert json.dumps(sorted({metric for _, metric in found})).count("perplexity") == 6
