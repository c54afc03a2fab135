"""What `snakemake NAME` makes."""

import pytest

from thinksafe.study.targets import ARTIFACTS, TARGETS, NothingSelected, artifact_of


def artifacts(study):
    """Return what `all` makes, without endings."""
    return {artifact_of(path) for path in study.targets.all}


def test_the_papers_run_makes_seven_tables_and_thirteen_figures(paper):
    wanted = {f"tables/table{n}" for n in range(1, 8)} | {f"figures/figure{n}" for n in range(1, 14)}
    assert artifacts(paper) == wanted | {"tables/effects", "claims"}


def test_five_tables_stand_beside_the_papers(paper):
    beside = [path for path in paper.targets.all if "beside" in path]
    assert beside == [f"<results>/tables/table{n}-beside-paper.csv" for n in "12673"]


def test_every_table_and_figure_has_a_name(paper):
    assert set(TARGETS) >= {f"table{n}" for n in range(1, 8)} | {f"figure{n}" for n in range(1, 14)}
    assert set(ARTIFACTS) <= set(TARGETS)
    assert all(paper.targets.files_of(name) for name in TARGETS)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("figure12", ["figures/figure12.png"]),
        ("table1", ["tables/table1.csv", "tables/table1.md", "tables/table1-beside-paper.csv"]),
        ("ablation_no_reasoning", ["figures/figure4.png", "figures/figure11.png"]),
        ("ablation_rejection", ["tables/effects.md", "figures/figure7.png"]),
        ("claims", ["claims.json"]),
        ("report", ["report/index.html"]),
        ("appendix", ["appendix.md", "checklist.md"]),
        ("judge_study", ["judge-study.md", "figures/judge-study.png"]),
    ],
)
def test_a_name_stands_for_its_files(paper, name, files):
    assert paper.targets.files_of(name) == [f"<results>/{file}" for file in files]


def test_tables_6_and_7_need_the_method_with_wildguard(make):
    study = make(select={"methods": ["initial", "thinksafe"]})
    assert study.targets.main_tables() == ["1", "2"]
    with pytest.raises(NothingSelected, match="table6: the selection has nothing for it. Add the students"):
        study.targets.files_of("table6")


def test_a_small_selection_makes_only_what_it_has_something_for(make):
    study = make(select={"students": ["r1-llama-8b"], "methods": ["initial", "thinksafe"]})
    assert artifacts(study) == {
        *(f"tables/table{n}" for n in (2, 3, 4, 5)),
        *("figures/figure10", "claims"),
    }


def test_the_papers_own_numbers_make_nothing_that_needs_responses(make):
    assert artifacts(make("printed.yaml")) == {*(f"tables/table{n}" for n in (1, 2, 6, 7)), "figures/figure1", "claims"}


def test_the_judge_study_is_made_by_all_where_the_config_says_so(paper, make):
    assert "judge-study" not in artifacts(paper)
    assert "judge-study" in artifacts(make(judge_study={"in_all": True}))


def test_the_steps_of_ones_own_model_follow_from_one_another(make):
    study = make(
        select={"students": ["qwen3-4b"], "methods": ["initial", "thinksafe", "grpo"], "benchmarks": ["gsm8k"]}
    )
    chat, dataset, adapter, evaluation = map(study.targets.files_of, ("chat", "dataset", "adapter", "evaluation"))
    assert chat == ["<results>/chat/qwen3-4b.md"]
    assert dataset == [*chat, "<results>/datasets/qwen3-4b/for/thinksafe/replicate-0.parquet"]
    assert adapter == [*dataset, "<results>/adapters/qwen3-4b/trained-with/thinksafe/replicate-0.identity.json"]
    assert evaluation == [*adapter, "<results>/tables/table1.csv", "<results>/tables/table1.md"]


def test_tables_and_figures_are_those_of_all(paper):
    found = paper.targets.files_of("tables") + paper.targets.files_of("figures")
    assert set(paper.targets.all) - set(found) == {"<results>/claims.json"}
