"""What is in each table and figure of the paper."""

import pytest

QWEN3 = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"]
R1 = ["r1-qwen-1.5b", "r1-qwen-7b", "r1-llama-8b"]
ROWS = ["initial", "directrefusal", "safechain", "star1", "safepath", "safekey", "thinksafe"]  # of Tables 1 and 2
RELEASED = {"source": {"hub": "their/set", "split": "train"}, "columns": {"prompt": "q", "response": "a"}}


def compared(study, number):
    """Return the methods that a figure compares, by student."""
    return {
        student: [
            m for m in study.figure(number).methods if any(c[:2] == (student, m) for c in study.figure(number).cells)
        ]
        for student in study.figure(number).students
    }


# ---------------------------------------------------------------- tables
@pytest.mark.parametrize(("number", "students"), [(1, QWEN3), (2, R1)])
def test_tables_1_and_2_compare_the_papers_seven_methods_and_rejection_sampling(paper, number, students):
    table = paper.table(number)
    assert table.students == students and table.methods == [*ROWS, "rejection"]
    assert len({cell.benchmark for cell in table.cells}) == 8


def test_table_1_has_a_cell_for_each_student_method_and_benchmark(paper):
    cells = paper.table(1).cells
    assert len(cells) == 4 * 8 * 8
    assert not [cell for cell in paper.table(2).cells if cell.method == "rejection"]  # Qwen3 only


@pytest.mark.parametrize(("number", "companion"), [(1, 6), (2, 7)])
def test_tables_6_and_7_have_one_more_row_for_wildguard(paper, number, companion):
    assert paper.table(companion).students == paper.table(number).students
    assert set(paper.table(companion).methods) - set(paper.table(number).methods) == {"thinksafe-wildguard"}


def test_a_family_without_a_number_has_a_table_of_its_own_name(make):
    study = make(families={"r1": {"table": None}})
    assert study.paper.families == {"1": "qwen3", "-r1": "r1"}
    assert study.table("-r1").students == R1


def test_table_3_counts_what_the_guard_filters_out_of_every_student(paper):
    assert paper.paper.table3_students() == QWEN3 + R1
    arms = paper.paper.table3_arms()
    assert [arm.student for arm in arms if arm.method == "thinksafe"] == QWEN3 + R1
    assert [arm.student for arm in arms if arm.method == "rejection"] == QWEN3


def test_table_3_leaves_out_a_student_whose_set_is_released(make):
    study = make(sources={"qwen3-4b": {"thinksafe": {"harmful": RELEASED, "benign": RELEASED}}})
    assert study.paper.table3_students() == [name for name in QWEN3 + R1 if name != "qwen3-4b"]


# ---------------------------------------------------------------- figures
def test_figure_1_shows_the_cells_of_table_1(paper):
    assert paper.figure(1) == paper.table(1)


def test_figure_3_compares_thinksafe_with_grpo_on_qwen3_0_6b(paper):
    assert compared(paper, 3) == {"qwen3-0.6b": ["initial", "thinksafe", "thinksafe-kl", "grpo"]}


@pytest.mark.parametrize(("number", "students"), [(4, R1), (11, QWEN3)])
def test_figures_4_and_11_strip_refusals_of_their_reasoning(paper, number, students):
    assert compared(paper, number) == dict.fromkeys(students, ["thinksafe", "thinksafe-noreason"])


def test_figure_5_has_larger_teachers_of_the_students_own_family(paper):
    assert compared(paper, 5) == {
        "qwen3-0.6b": ["initial", "thinksafe", *(f"thinksafe-from-qwen3-{size}" for size in ("1.7b", "4b", "8b"))],
        "r1-qwen-1.5b": ["initial", "thinksafe", "thinksafe-from-r1-qwen-7b", "thinksafe-from-r1-llama-8b"],
    }


def test_figure_6_compares_qwen3_1_7b_with_r1_distill_qwen_1_5b(paper):
    assert compared(paper, 6) == {
        "qwen3-1.7b": ["initial", "thinksafe", "thinksafe-from-r1-qwen-1.5b"],
        "r1-qwen-1.5b": ["initial", "thinksafe", "thinksafe-from-qwen3-1.7b"],
    }


def test_figure_12_compares_qwen3_8b_with_r1_distill_qwen_7b(paper):
    assert compared(paper, 12) == {
        "qwen3-8b": ["initial", "thinksafe", "thinksafe-from-r1-qwen-7b"],
        "r1-qwen-7b": ["initial", "thinksafe", "thinksafe-from-qwen3-8b"],
    }


def test_figure_7_compares_rejection_sampling_on_the_qwen3_students(paper):
    assert compared(paper, 7) == dict.fromkeys(QWEN3, ["initial", "rejection", "thinksafe"])


def test_figure_8_reads_the_training_sets_of_tables_1_and_2(paper):
    methods = paper.paper.figure8_methods()
    assert methods == [*ROWS[1:], "thinksafe-wildguard", "rejection"]
    assert {arm.method for arm in paper.paper.figure8_arms() if arm.student in R1} == {*methods} - {"rejection"}


@pytest.mark.parametrize(("number", "students"), [("9", QWEN3), ("10", R1)])
def test_figures_9_and_10_measure_thinksafes_responses(paper, number, students):
    assert [arm[:2] for arm in paper.paper.lengths_arms(number)] == [(student, "thinksafe") for student in students]


def test_table_3_and_figures_9_and_10_show_who_has_thinksafe(make):
    study = make(methods={"thinksafe": {"students": ["qwen3-0.6b", "r1-qwen-1.5b"]}})
    assert study.paper.table3_students() == ["qwen3-0.6b", "r1-qwen-1.5b"]
    assert [arm.student for number in ("9", "10") for arm in study.paper.lengths_arms(number)] == [
        "qwen3-0.6b",
        "r1-qwen-1.5b",
    ]


def test_figure_13_compares_four_steering_strategies_on_qwen3_0_6b(paper):
    strategies = ["thinksafe", "thinksafe-suffix", "thinksafe-risk", "thinksafe-intent"]
    assert compared(paper, 13) == {"qwen3-0.6b": strategies}


def test_figure_2_shows_a_prompt_direct_steered_and_by_a_teacher(paper):
    assert paper.paper.figure2() == ("qwen3-0.6b", "safechain")


def test_a_figure_shows_nobody_who_lacks_what_it_compares(make):
    study = make(select={"students": ["r1-llama-8b"], "methods": ["initial", "thinksafe"]})
    assert {number for number in (3, 4, 5, 6, 7, 11, 12, 13) if study.figure(number).students} == set()


# ---------------------------------------------------------------- effects, cost, judges
def test_effects_of_steering_are_measured_on_untrained_qwen3_students(paper):
    assert [arm[:2] for arm in paper.paper.effect_arms()] == [(student, "initial") for student in QWEN3]
    assert {cell.method for cell in paper.paper.effect_cells()} == {"initial", "rejection", "thinksafe"}


def test_effects_of_steering_need_responses_that_this_run_samples(make):
    study = make(sources={"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED, "benign": RELEASED}}})
    assert study.paper.effect_students() == QWEN3[1:]


def test_the_time_of_thinksafe_counts_sampling_filtering_and_training(paper):
    jobs = paper.paper.cost_jobs([arm for arm in paper.paper.arms_of(3) if arm.method == "thinksafe"])
    count = {
        stage: len([job for job in jobs if job["stage"] == stage]) for stage in ("generation", "filtering", "training")
    }
    shards = paper.config.shards.data
    assert count == {"generation": 2 * shards, "filtering": 2 * shards + 1, "training": 1}
    assert {job["student"] for job in jobs} == {"qwen3-0.6b"}


def test_the_time_of_grpo_is_its_training(paper):
    (job,) = paper.paper.cost_jobs([arm for arm in paper.paper.arms_of(3) if arm.method == "grpo"])
    assert job["identity"] == "adapters/qwen3-0.6b/trained-with/grpo/replicate-0.identity.json"
    assert paper.paper.cost_files(paper.paper.arms_of(3))[-1] == f"<results>/{job['identity']}"


def test_what_a_released_set_cost_is_not_known(make):
    study = make(sources={"qwen3-0.6b": {"thinksafe": {"harmful": RELEASED, "benign": RELEASED}}})
    assert not study.paper.cost_jobs([arm for arm in study.trained if arm[:2] == ("qwen3-0.6b", "thinksafe")])


def test_the_judge_study_asks_both_guards_about_both_views(paper):
    judges = paper.paper.judges()
    assert judges[0] == ["llama-guard-3", "full"]
    assert sorted(map(tuple, judges)) == [
        (g, view) for g in ("llama-guard-3", "wildguard") for view in ("answer", "full")
    ]
    assert {cell.benchmark for cell in paper.paper.judged_cells()} == {"harmbench", "strongreject", "wildjailbreak"}


def test_the_papers_own_numbers_are_known_for_its_seven_students(paper, miniature):
    assert paper.paper.beside_students("1") == QWEN3 and paper.paper.beside_students("3") == QWEN3 + R1
    assert miniature.paper.beside_students("1") == []
