"""What each claim of the paper needs of a run; members of the averages."""

import pytest

from thinksafe.analysis.scores import AVERAGES
from thinksafe.study.targets import NothingSelected

QWEN3 = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"]


def test_the_harm_average_is_of_the_three_benchmarks_of_harm():
    assert AVERAGES["harm_avg3"] == ("harmbench", "strongreject", "wildjailbreak")


def test_the_safety_average_counts_over_refusal_too():
    assert AVERAGES["safety_avg"] == (*AVERAGES["harm_avg3"], "xstest")


def test_the_reasoning_average_is_of_the_four_benchmarks_of_reasoning():
    assert AVERAGES["reasoning_avg"] == ("aime24", "gsm8k", "math500", "gpqa")


def test_the_papers_run_can_decide_every_claim(paper):
    assert len(paper.claims.read) == 79
    assert all(paper.claims.needs_of(name) for name in paper.claims.read)


def test_grpo_is_compared_with_thinksafe_on_the_smallest_student(paper):
    metrics = ("harmbench", "strongreject", "wildjailbreak", "xstest")
    cells = {(cell.student, cell.method, cell.benchmark) for cell in paper.claims.cells("B01")}
    assert cells == {("qwen3-0.6b", method, metric) for method in ("grpo", "thinksafe") for metric in metrics}
    assert paper.claims.tables("B01") == []


def test_a_claim_about_time_needs_the_cost_of_its_own_adapters_only(paper):
    assert [arm[:2] for arm in paper.claims.arms("B03", "cost")] == [("qwen3-0.6b", m) for m in ("grpo", "thinksafe")]
    assert paper.claims.tables("B03") == ["<results>/claims/B03/cost.csv"]
    assert paper.claims.scores("B03") == []


def test_a_claim_about_perplexity_needs_only_the_sets_that_it_compares(paper):
    arms = paper.claims.arms("F01", "figure8")
    assert {arm.student for arm in arms} == set(QWEN3)
    assert {arm.method for arm in arms} == {"thinksafe", "safechain", "star1"}


def test_compliance_of_untrained_students_is_judged_where_rejection_sampling_has_direct_responses(paper):
    assert paper.claims.students_over("E05") == {"students": QWEN3}
    assert [arm[:2] for arm in paper.claims.arms("E05", "effects")] == [(student, "initial") for student in QWEN3]


def test_a_claim_names_what_a_run_lacks(make):
    study = make(select={"students": ["r1-qwen-7b"], "methods": ["initial", "thinksafe"]})
    with pytest.raises(NothingSelected, match="claim_B01: this run cannot decide it, as it lacks qwen3-0.6b grpo"):
        study.claims.files_of("B01")
    assert study.claims.files_of("A01") == ["<results>/claims/A01.json"]


def test_all_claims_together_need_the_tables_of_the_run(paper, make):
    names = ("table3", "effects", "figure8", "figure9", "figure10", "cost")
    assert paper.claims.tables() == [f"<results>/tables/{name}.csv" for name in names]
    small = make(select={"students": ["r1-qwen-7b"], "methods": ["initial", "thinksafe"]})
    assert small.claims.tables() == [f"<results>/tables/{name}.csv" for name in ("table3", "figure10")]


def test_the_papers_numbers_come_with_its_own_tables_and_without_rows(make):
    claims = make("printed.yaml").claims
    assert claims.tables() == ["config/paper/table3.csv", "config/paper/text_cells.csv"]
    assert claims.scores() and claims.scores(ending=".parquet") == []
    assert not claims.is_in_run(("qwen3-0.6b", "thinksafe", "perplexity"))


def test_the_order_of_the_selection_does_not_change_what_a_verdict_depends_on(paper, make):
    methods = ["initial", "thinksafe", "star1"]
    one, other = (make(select={"methods": chosen}) for chosen in (methods, [*methods[:1], *methods[:0:-1]]))
    assert one.claims.spec() == other.claims.spec()


def test_one_verdict_depends_on_its_own_claim_alone(paper):
    assert list(paper.claims.spec("B01")["claims"]["claims"]) == ["B01"]
    assert len(paper.claims.spec()["claims"]["claims"]) == 79
