"""What the page of a run and its appendix read."""


def test_the_page_shows_every_table_with_numbers_and_those_beside_the_papers(paper):
    numbers = [f"figure{n}" for n in (10, 11, 12, 13, 3, 4, 5, 6, 7, 8, 9)]
    tables = [f"table{n}" for n in range(1, 8)]
    beside = [f"table{n}-beside-paper" for n in "12673"]
    names = ["cost", "effects", *numbers, *tables, *beside]
    assert paper.report.tables == [f"<results>/tables/{name}.csv" for name in names]


def test_own_tables_do_not_differ_from_run_to_run(paper):
    own = paper.report.own_tables
    assert set(paper.report.tables) - set(own) == {
        "<results>/tables/cost.csv",
        *(f"<results>/tables/table{n}-beside-paper.csv" for n in "12673"),
    }


def test_the_page_has_answers_of_all_cells_and_verdicts_of_those_that_a_guard_judges(paper):
    cells = len(paper.cells())
    assert len(paper.report.answers) == cells // 2 * (1 + 2)  # safety has one shard, reasoning two
    assert len(paper.report.verdicts) == cells // 2


def test_behind_the_cells_are_responses_verdicts_sets_adapters_and_scores(paper):
    folders = {path.removeprefix("<results>/").split("/")[0] for path in paper.report.identities}
    assert folders == {
        *("prompts", "corpora", "responses", "verdicts", "datasets", "adapters"),
        *("benchmarks", "answers", "scores"),
    }
    assert all(path.endswith(".identity.json") for path in paper.report.identities)


def test_the_appendix_has_the_models_that_the_run_builds(miniature):
    built = set(miniature.report.appendix_identities) - set(miniature.report.identities)
    assert built and all(path.startswith("<results>/models/") for path in built)


def test_further_guards_judge_what_they_can(make):
    study = make(audit=["llama-guard-3", "wildguard"])
    assert study.report.audits_of("harmbench") == ["wildguard"]  # Llama-Guard-3 is its own
    assert study.report.audits_of("xstest") == []  # Llama-Guard-3 knows no refusals
    assert study.report.audits_of("gsm8k") == []
    (cell,) = study.cells(["qwen3-0.6b"], ["initial"], ["harmbench"])
    assert study.report.audit_verdicts(cell) == study.paths.verdicts_of(cell, "wildguard")


def test_the_judge_study_reads_four_verdicts_on_each_answer(paper):
    assert (
        len(paper.report.judge_verdicts) == len(set(paper.report.judge_verdicts)) == 4 * len(paper.paper.judged_cells())
    )


def test_there_is_nothing_behind_the_papers_own_numbers(make):
    report = make("printed.yaml").report
    assert report.tables and report.claims == ["<results>/claims.json"]
    assert report.answers == report.verdicts == report.prompts == report.identities == report.arms == []
