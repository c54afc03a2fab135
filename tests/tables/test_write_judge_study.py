"""The judge study from stored verdicts."""

import pytest

from scripts.tables.write_judge_study import write_judge_study
from tests.paper_run import cells, files
from thinksafe.files import write_rows
from thinksafe.layout import ANSWER_VERDICTS, VIEW_VERDICTS
from thinksafe.reporting.tables import read_csv

COLUMNS = {"id": str, "draw": int, "harm": str, "p_unsafe": float}


JUDGES = [("lg", "full"), ("lg", "answer"), ("wg", "full"), ("oracle", "full")]


SPEC = {
    "judges": JUDGES,
    "students": [["s", "Student"]],
    "methods": [["initial", "Initial"], ["thinksafe", "ThinkSafe"]],
    "benchmarks": ["harmbench", "strongreject"],
    "confidence": 0.95,
    "own_views": {"lg": "full", "wg": "full", "oracle": "full"},
}


# Of 100 prompts, how many each judge calls unsafe: the last turns the order of the two methods round.
UNSAFE = {"lg:full": (60, 10), "lg:answer": (55, 10), "wg:full": (60, 12), "oracle:full": (5, 40)}


def run(folder, replicates=1, unknown=0):
    """Write the verdicts of every judge on two methods, and return what the script takes."""
    entries = []
    for benchmark in SPEC["benchmarks"]:
        for place, (method, _) in enumerate(SPEC["methods"]):
            for replicate in range(replicates):
                for guard, view in JUDGES:
                    judge = f"{guard}:{view}"
                    cell = {"student": "s", "method": method, "replicate": replicate, "benchmark": benchmark}
                    pattern = ANSWER_VERDICTS if view == "full" else VIEW_VERDICTS
                    path = folder / f"{pattern(cell, guard=guard, view=view, shard=0)}.parquet"
                    rows = []
                    for n in range(100):
                        unsafe = n < UNSAFE[judge][place]
                        harm = "unknown" if view == "answer" and n >= 100 - unknown else "unsafe" if unsafe else "safe"
                        p = None if guard == "oracle" or harm == "unknown" else 0.9 if unsafe else 0.1
                        rows.append({"id": f"p{n}", "draw": 0, "harm": harm, "p_unsafe": p})
                    write_rows(path, rows if guard == "lg" else rows[::-1], COLUMNS)  # in any order
                    entries.append(cell | {"guard": guard, "view": view, "path": str(path)})
    return entries


def write_study(folder, entries, spec):
    answers = [entry for entry in entries if (entry["guard"], entry["view"]) == JUDGES[0]]
    write_judge_study(files(entries), spec | cells(answers), str(folder / "study.csv"), str(folder / "study.md"))


def study(folder, **options):
    write_study(folder, run(folder, **options), SPEC)
    return read_csv(str(folder / "study.csv")), (folder / "study.md").read_text()


def test_shares_and_rankings(tmp_path):
    rows, text = study(tmp_path, unknown=5)
    share = {(r["method"], r["benchmark"], r["judge"]): r for r in rows if r["part"] == "share"}
    found = share["initial", "average", "lg:full"]
    assert found["value"] == 60 and found["low"] < 60 < found["high"] and found["n"] == 200 and found["unknown"] == 0
    # Unknown verdicts stay in the denominator.
    assert (
        share["initial", "harmbench", "lg:answer"]["value"],
        share["initial", "average", "lg:answer"]["unknown"],
    ) == (
        55,
        10,
    )
    ranking = {r["judge"]: r for r in rows if r["part"] == "ranking"}
    assert (
        ranking["lg:full"]["tau"] == 1
        and ranking["wg:full"]["swapped"] == 0
        and ranking["wg:full"]["best"] == "thinksafe"
    )
    turned = ranking["oracle:full"]
    assert (turned["tau"], turned["swapped"], turned["clearly_swapped"], turned["best"]) == (-1, 1, 1, "initial")
    assert "Of 3 comparisons of two methods by another judge, 1 come out clearly the other way" in text


def test_thresholds_fall_and_an_oracle_has_none(tmp_path):
    rows, _ = study(tmp_path)
    curve = [r for r in rows if r["part"] == "threshold" and (r["judge"], r["method"]) == ("wg:full", "initial")]
    values = [r["value"] for r in sorted(curve, key=lambda r: r["threshold"])]
    assert values == sorted(values, reverse=True) and (values[0], values[-1]) == (100, 0)
    assert {r["value"] for r in curve if 0.1 < r["threshold"] <= 0.9} == {60}
    assert not [r for r in rows if r["part"] == "threshold" and r["judge"] == "oracle:full"]


def test_thresholds_compare_methods_on_the_same_students(tmp_path):
    """A harmless student that has the untrained method only is not in its curve: it would look safer than it is."""
    entries = run(tmp_path)
    more = [
        entry | {"student": "t", "path": entry["path"].replace("/s/trained-with/", "/t/trained-with/")}
        for entry in entries
        if entry["method"] == "initial"
    ]
    for entry in more:
        rows = [{"id": f"p{n}", "draw": 0, "harm": "safe", "p_unsafe": 0.1} for n in range(100)]
        write_rows(entry["path"], rows, COLUMNS)
    spec = SPEC | {"students": [*SPEC["students"], ["t", "T"]]}
    write_study(tmp_path, [*entries, *more], spec)
    curve = [r for r in read_csv(str(tmp_path / "study.csv")) if r["part"] == "threshold" and r["judge"] == "lg:full"]
    assert {(r["method"], r["value"]) for r in curve if r["threshold"] == 0.5} == {("initial", 60), ("thinksafe", 10)}


def test_agreement_is_kappa_over_prompts(tmp_path):
    rows, _ = study(tmp_path)
    (found,) = [r for r in rows if r["part"] == "agreement" and (r["judge"], r["other"]) == ("lg:full", "lg:answer")]
    assert found["value"] == pytest.approx(100 * 390 / 400) and found["n"] == 400
    assert (found["only_judge"], found["only_other"]) == (2.5, 0)


def test_replicates_are_draws_of_the_same_prompts(tmp_path):
    one, _ = study(tmp_path / "one")
    two, _ = study(tmp_path / "two", replicates=2)
    first, second = (
        next(r for r in rows if r["part"] == "share" and r["judge"] == "lg:full" and r["benchmark"] == "harmbench")
        for rows in (one, two)
    )
    assert second["n"] == 2 * first["n"] and second["value"] == first["value"]
    # The very same answers again tell nothing new: the interval is no narrower than that of the prompts.
    assert second["high"] - second["low"] > 0.95 * (first["high"] - first["low"])
