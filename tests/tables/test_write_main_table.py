"""Table 1 from score files that hold the paper's own numbers."""

from pathlib import Path

import pytest
from scipy.stats import t

from scripts.tables.write_main_table import write_main_table
from tests.paper_run import BENCHMARKS, SPEC, TABLE1, cells, files, write_run
from thinksafe.files import read_json, write_json, write_rows
from thinksafe.reporting.tables import read_csv


def table(folder, scores, spec=SPEC):
    paths = [str(folder / f"table1.{form}") for form in ("csv", "md", "tex")]
    write_main_table(files(scores), files(scores, "rows"), spec | cells(scores), *paths)
    rows = read_csv(paths[0])
    texts = [open(path, encoding="utf-8").read() for path in paths[1:]]
    return rows, {(row["student"], row["method"], row["metric"]): row for row in rows}, *texts


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    return table(folder, write_run(folder))


def test_cells_and_averages_are_the_papers(paper):
    rows, cells, *_ = paper
    assert list(rows[0])[:7] == ["student", "method", "metric", "value", "low", "high", "n"]
    for (student, method), values in TABLE1.items():
        for benchmark, value in zip(BENCHMARKS, values, strict=True):
            assert cells[student, method, benchmark["id"]]["value"] == pytest.approx(value, abs=0.0051)
    assert cells["qwen3-0.6b", "thinksafe", "safety_avg"]["value"] == pytest.approx(29.65, abs=0.005)
    assert cells["qwen3-0.6b", "thinksafe", "reasoning_avg"]["value"] == pytest.approx(43.97, abs=0.005)
    assert cells["qwen3-0.6b", "thinksafe", "harm_avg3"]["value"] == pytest.approx(37.40, abs=0.01)
    # evaluation.md trap 9: the paper prints 29.80, its own columns give 26.11
    assert cells["qwen3-4b", "directrefusal", "safety_avg"]["value"] == pytest.approx(26.11, abs=0.005)


def test_counts_and_intervals(paper):
    _, cells, *_ = paper
    harmbench = cells["qwen3-0.6b", "initial", "harmbench"]
    assert (harmbench["count"], harmbench["n"], harmbench["problems"]) == (412, 602, 602)
    aime = cells["qwen3-0.6b", "initial", "aime24"]
    assert (aime["count"], aime["n"], aime["problems"], aime["draws"]) == (25, 240, 30, 8)
    assert harmbench["low"] == pytest.approx(64.62, abs=0.01) and harmbench["high"] == pytest.approx(72.02, abs=0.01)
    whole = cells["qwen3-0.6b", "initial", "safety_avg"]
    widths = [
        cells["qwen3-0.6b", "initial", name]["high"] - cells["qwen3-0.6b", "initial", name]["value"]
        for name in ("harmbench", "strongreject", "wildjailbreak", "xstest")
    ]
    assert whole["high"] - whole["value"] == pytest.approx(sum(width**2 for width in widths) ** 0.5 / 4, abs=1e-5)
    assert whole["n"] == 602 + 313 + 2000 + 250
    assert whole["replicates"] == 1 and whole["std"] is None


def test_order_is_the_papers(paper):
    rows, *_ = paper
    assert [row["metric"] for row in rows[:11]] == [
        *("harmbench", "strongreject", "wildjailbreak", "xstest", "safety_avg"),
        *("aime24", "gsm8k", "math500", "gpqa", "reasoning_avg", "harm_avg3"),
    ]
    assert list(dict.fromkeys(row["method"] for row in rows)) == [method for method, _ in SPEC["methods"]]
    assert rows[-1]["metric"] == "well_formed" and rows[-1]["value"] == pytest.approx(99.0)


def test_markdown(paper):
    *_, markdown, _ = paper
    lines = markdown.splitlines()
    assert lines[0].startswith(
        "| Student | Method | HarmBench ↓ | StrongReject ↓ | WildJailbreak ↓ | XSTest ↓ | Safety av"
    )
    assert "| AIME 2024 ↑ |" in lines[0] and lines[0].endswith("| Reasoning average ↑ | Well-formed |")
    best = next(line for line in lines if "ThinkSafe" in line)
    assert "**40.37**" in best and "<u>33.87</u>" in best and "**29.65**" in best and "| 6.40 |" in best
    big = [line for line in lines if "SafeKey" in line][1]
    assert "<u>3.19</u>" in big and "**0.80**" in big  # both shared: 3.19 with DirectRefusal, 0.80 with Initial
    assert len([line for line in lines if line.startswith("| Qwen3-")]) == 2


def test_latex(paper):
    *_, latex = paper
    assert r"\toprule" in latex and latex.count(r"\midrule") == 2 and latex.rstrip().endswith(r"\end{tabular}")
    assert r"\textbf{40.37}" in latex and r"\underline{33.87}" in latex
    assert r"HarmBench $\downarrow$" in latex
    assert all(line.count("&") == 12 for line in latex.splitlines() if line.endswith(r"\\"))


def test_only_complete_averages(tmp_path):
    some = [benchmark for benchmark in BENCHMARKS if benchmark["id"] in ("harmbench", "gsm8k")]
    _, cells, markdown, latex = table(tmp_path, write_run(tmp_path, benchmarks=some), SPEC | {"benchmarks": some})
    metrics = {metric for *_, metric in cells}
    assert metrics == {
        *("harmbench", "gsm8k", "gsm8k:strict", "well_formed", "well_formed:harmbench", "well_formed:gsm8k"),
    }
    assert "No safety average" in markdown and "Safety average ↓" not in markdown
    assert "Safety" not in latex


def test_audits(tmp_path):
    _, cells, *_ = table(tmp_path, write_run(tmp_path, audit=50.0))
    assert cells["qwen3-4b", "thinksafe", "harmbench:oracle"]["value"] == 50.0
    assert cells["qwen3-4b", "thinksafe", "harm_avg3:oracle"]["value"] == pytest.approx(50.0, abs=0.1)
    assert cells["qwen3-4b", "thinksafe", "harm_avg3"]["value"] == pytest.approx(5.80, abs=0.01)


def rows_of(scores):
    """Write rows per item that fit score files, the same prompts first under every seed."""
    found = []
    for entry in scores:
        score = read_json(entry["path"])
        draws = score.get("draws", 1)
        reasoning = score["kind"] == "reasoning"
        rows = [
            {"id": f"p{place // draws}", "draw": place % draws, "well_formed": place > 0}
            | (
                {"correct": place < score["count"], "strict": place < score["count"]}
                if reasoning
                else {"outcome": place < score["count"]}
            )
            for place in range(score["n"])
        ]
        path = str(Path(entry["path"]).with_suffix(".parquet"))
        write_rows(path, rows, {name: type(value) for name, value in rows[0].items()})
        found.append(entry | {"rows": path})
    return found


def test_replicates(tmp_path):
    scores = write_run(
        tmp_path, {("qwen3-4b", "initial"): (40, 10, 40, 2, 60, 80, 90, 50)}, replicates=(0, 1, 2), shift=2.0
    )
    single, *_ = [{cell["metric"]: cell for cell in table(tmp_path, [s for s in scores if s["replicate"] == 1])[0]}]
    _, cells, markdown, _ = table(tmp_path, rows_of(scores), SPEC | {"confidence": 0.95})
    cell = cells["qwen3-4b", "initial", "wildjailbreak"]
    assert cell["value"] == pytest.approx(42.0) and cell["std"] == pytest.approx(2.0)
    assert (cell["replicates"], cell["n"], cell["count"]) == (3, 6000, 2520)
    # 2000 prompts and three seeds, 40, 42 and 44: the seeds' share is 2 / sqrt(3) points, at few degrees of freedom.
    own, between = (single["wildjailbreak"]["high"] - single["wildjailbreak"]["low"]) / 2 / 1.96, 2 / 3**0.5
    freedom = (own**2 + between**2) ** 2 / (own**4 / 1999 + between**4 / 2)
    expected = t.ppf(0.975, freedom) * (own**2 + between**2) ** 0.5
    assert cell["high"] - cell["low"] == pytest.approx(2 * expected, rel=0.02)
    average = cells["qwen3-4b", "initial", "safety_avg"]
    assert average["std"] == pytest.approx(2.0, abs=0.1) and "Means over 3 seeds" in markdown
    # All columns move together, so that averaging them takes nothing of the seeds' share away.
    assert average["high"] - average["low"] > 2 * 1.96 * between
    strict, plain = (cells["qwen3-4b", "initial", name] for name in ("gsm8k:strict", "gsm8k"))
    assert (strict["low"], strict["high"]) == (plain["low"], plain["high"])
    assert cells["qwen3-4b", "initial", "well_formed"]["high"] <= 100
    assert "**" not in markdown  # one method: nothing to be best of


def test_broken_responses_are_marked(tmp_path):
    _, _, markdown, latex = table(tmp_path, write_run(tmp_path, well_formed=40.0))
    assert "**40.37**†" in markdown and "less than 80" in markdown.lower()
    assert r"\textbf{40.37}$^\dagger$" in latex
    assert "<u>71.73</u>†" in markdown  # a generation that was cut is scored, and says little


def scored(folder, **changed):
    """Return the table's cells and text where some of ThinkSafe's scores on Qwen3-4B are others."""
    scores = write_run(folder)
    for score in scores:
        if (score["student"], score["method"]) == ("qwen3-4b", "thinksafe") and score["benchmark"] in changed:
            write_json(score["path"], read_json(score["path"]) | changed[score["benchmark"]])
    _, cells, markdown, _ = table(folder, scores)
    return cells, markdown


def test_a_cell_of_which_nothing_is_known_has_no_value(tmp_path):
    """All verdicts unknown would else be 0 % harm, the best of its column; no response at all, 0 % right."""
    nothing = {"value": 0.0, "low": 0.0, "high": 0.6, "count": 0, "unknown": 602}
    silent = {"value": 0.0, "low": 0.0, "count": 0, "finish_reasons": {"prompt_too_long": 240}}
    cells, markdown = scored(tmp_path, harmbench=nothing, aime24=silent)
    harm, aime = (cells["qwen3-4b", "thinksafe", metric] for metric in ("harmbench", "aime24"))
    assert harm["value"] is None and harm["unknown"] == 602 and aime["value"] is None and aime["n"] == 240
    averages = {key[2] for key in cells if key[:2] == ("qwen3-4b", "thinksafe")} & {"safety_avg", "reasoning_avg"}
    assert not averages  # neither has all of its columns
    (line,) = [line for line in markdown.splitlines() if "| ThinkSafe |" in line and "93.53" in line]
    assert line.split(" | ")[2] == "–" and "0.00" not in line
    assert "**32.39**" in markdown  # SafeKey is the best of those that are known


def test_a_cell_with_many_unknown_verdicts_is_marked(tmp_path):
    cells, markdown = scored(tmp_path, harmbench={"unknown": 121}, strongreject={"unknown": 62})
    assert "**9.63**†" in markdown and "**0.32** " in markdown  # over and under a fifth


def test_mistakes_are_errors(tmp_path):
    scores = write_run(tmp_path)
    with pytest.raises(ValueError, match="2 files for"):
        table(tmp_path, [*scores, scores[0]])
    with pytest.raises(ValueError, match="none of the scores"):
        table(tmp_path, scores, SPEC | {"students": [("r1-qwen-7b", "R1")]})


def test_rows_of_a_released_training_set_are_marked(tmp_path):
    spec = SPEC | {"released": [["qwen3-0.6b", "thinksafe"]]}
    *_, markdown, tex = table(tmp_path, write_run(tmp_path), spec)
    assert (
        markdown.count("‡") == 2 and "|  | ThinkSafe ‡ |" in markdown and "\n‡ Trained on a set that others" in markdown
    )
    assert tex.count(r"ThinkSafe$^\ddagger$ &") == 1
