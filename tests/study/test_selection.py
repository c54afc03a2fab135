"""What a selection spans: the students, methods, benchmarks and cells of the paper's run (Sec. 5.1)."""

from thinksafe.study.selection import Arm, Cell

QWEN3 = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"]
R1 = ["r1-qwen-1.5b", "r1-qwen-7b", "r1-llama-8b"]


def test_the_paper_aligns_four_qwen3_and_three_r1_distill_students(paper):
    assert paper.selection.students_of("qwen3") == QWEN3
    assert paper.selection.students_of("r1") == R1
    assert paper.selection.students_of(None) == QWEN3 + R1


def test_safety_is_measured_on_four_benchmarks_and_reasoning_on_four(paper):
    assert paper.selection.benchmarks_of("harm") == ["harmbench", "strongreject", "wildjailbreak"]
    assert paper.selection.benchmarks_of("refusal") == ["xstest"]
    assert paper.selection.benchmarks_of("reasoning") == ["aime24", "gsm8k", "math500", "gpqa"]


def test_rejection_sampling_trains_the_qwen3_students_only(paper):
    assert paper.selection.students_with(["rejection"]) == QWEN3
    assert "rejection" not in paper.selection.methods_of("r1-qwen-7b")


def test_grpo_trains_the_smallest_student_only(paper):
    assert paper.selection.students_with(["grpo"]) == ["qwen3-0.6b"]


def test_students_with_one_of_several_methods(paper):
    methods = ["thinksafe-from-qwen3-8b", "thinksafe-from-r1-qwen-7b"]
    found = paper.selection.students_with(["thinksafe"], any_of=methods)
    assert found == ["qwen3-0.6b", "qwen3-8b", "r1-qwen-1.5b", "r1-qwen-7b"]
    assert paper.selection.students_with(["thinksafe"], any_of=methods, family="r1") == ["r1-qwen-1.5b", "r1-qwen-7b"]


def test_methods_keep_the_order_of_the_selection(paper):
    assert paper.selection.chosen({"thinksafe", "star1", "initial"}) == ["initial", "star1", "thinksafe"]


def test_the_initial_student_is_an_arm_that_nothing_trains(paper):
    arms = paper.selection.arms(["qwen3-0.6b"], ["initial", "thinksafe"])
    assert arms == [Arm("qwen3-0.6b", "initial", 0), Arm("qwen3-0.6b", "thinksafe", 0)]
    assert paper.selection.arms(["qwen3-0.6b"], ["initial", "thinksafe"], trained=True) == arms[1:]


def test_each_replicate_has_arms_of_its_own(make):
    study = make(replicates=[0, 1], select={"students": ["qwen3-4b"], "methods": ["initial", "thinksafe"]})
    assert study.trained == [Arm("qwen3-4b", "thinksafe", 0), Arm("qwen3-4b", "thinksafe", 1)]


def test_every_arm_is_scored_on_every_benchmark(paper):
    cells = paper.cells(["r1-llama-8b"], ["thinksafe"])
    assert cells[0] == Cell("r1-llama-8b", "thinksafe", 0, "harmbench") and len(cells) == 8
    assert len(paper.cells()) == 8 * len(paper.selection.arms())
    assert len(paper.cells(benchmarks=["gpqa"])) == len(paper.selection.arms())


def test_a_benchmarks_answers_are_in_shards_of_its_kind(paper):
    assert len(paper.selection.shards_of("harmbench")) == paper.config.shards.safety == 1
    assert len(paper.selection.shards_of("gsm8k")) == paper.config.shards.reasoning == 2


def test_columns_and_labels_are_those_that_the_paper_prints(paper):
    assert [column["label"] for column in paper.selection.columns()][:4] == [
        "HarmBench",
        "StrongReject",
        "WildJailbreak",
        "XSTest",
    ]
    labels = paper.selection.labels("models", ["r1-llama-8b", "qwen3-4b"])
    assert labels == [["r1-llama-8b", "R1-Distill-Llama-8B"], ["qwen3-4b", "Qwen3-4B"]]
