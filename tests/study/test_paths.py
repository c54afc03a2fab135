"""The files that rules take as input."""

import pytest

from thinksafe import layout
from thinksafe.study.selection import Arm, Cell
from thinksafe.study.study import Study

CELL = Cell("qwen3-0.6b", "thinksafe", 0, "gsm8k")


def test_raw_responses_are_steered_for_harmful_prompts_and_direct_for_benign_ones(paper):
    harmful = paper.paths.raw(layout.RESPONSES, "qwen3-0.6b", "thinksafe", 0)
    benign = paper.paths.raw(layout.RESPONSES, "qwen3-0.6b", "thinksafe", 0, role="benign")
    assert harmful[0] == "<results>/responses/qwen3-0.6b/steered-by/prefix/draws-1/replicate-0/harmful/part-0.parquet"
    assert benign[0] == "<results>/responses/qwen3-0.6b/steered-by/direct/draws-1/replicate-0/benign/part-0.parquet"
    assert len(harmful) == len(benign) == paper.config.shards.data


def test_two_guards_judge_the_same_raw_responses(paper):
    first, second = ("thinksafe", "thinksafe-wildguard")
    same = [paper.paths.raw(layout.RESPONSES, "qwen3-0.6b", method, 0) for method in (first, second)]
    assert same[0] == same[1]
    verdicts = [paper.paths.raw(layout.RESPONSE_VERDICTS, "qwen3-0.6b", m, 0)[0] for m in (first, second)]
    assert [layout.RESPONSE_VERDICTS.parse(path)["guard"] for path in verdicts] == ["llama-guard-3", "wildguard"]


@pytest.mark.parametrize(
    ("student", "method", "path"),
    [
        ("qwen3-4b", "thinksafe", "datasets/qwen3-4b/for/thinksafe/replicate-0"),
        ("qwen3-4b", "thinksafe-noreason", "datasets/qwen3-4b/for/thinksafe-noreason/replicate-0"),
        ("r1-qwen-7b", "thinksafe-from-qwen3-8b", "datasets/qwen3-8b/for/thinksafe/replicate-0"),
        ("qwen3-4b", "star1", "corpora/star1"),
    ],
)
def test_a_training_set_is_the_students_a_teachers_or_everybodys(paper, student, method, path):
    assert paper.paths.set_of(student, method, 0) == f"<results>/{path}.parquet"
    assert paper.paths.trained_on(student, method, 0) == [f"<results>/{path}.parquet"]


def test_grpo_learns_from_both_kinds_of_prompts(paper):
    found = paper.paths.trained_on("qwen3-0.6b", "grpo", 0)
    assert found == ["<results>/prompts/harmful.parquet", "<results>/prompts/benign.parquet"]


def test_a_set_without_reasoning_is_made_of_thinksafes(paper):
    found = [paper.paths.half("qwen3-4b", "thinksafe-noreason", 0, role) for role in ("harmful", "benign")]
    assert set(found) == {"<results>/datasets/qwen3-4b/for/thinksafe/replicate-0.parquet"}


def test_the_initial_student_has_no_adapter(paper):
    arms = [Arm("qwen3-4b", "initial", 0), Arm("qwen3-4b", "thinksafe", 0)]
    path = "<results>/adapters/qwen3-4b/trained-with/thinksafe/replicate-0.identity.json"
    assert paper.paths.adapters(arms) == [path]


def test_answers_are_in_shards(paper):
    assert paper.paths.answers_of(CELL) == [
        f"<results>/answers/qwen3-0.6b/trained-with/thinksafe/replicate-0/on/gsm8k/part-{n}.parquet" for n in (0, 1)
    ]


def test_verdicts_are_by_the_benchmarks_guard_unless_another_is_asked(paper):
    cell = CELL._replace(benchmark="xstest")
    (own,), (other,) = paper.paths.verdicts_of(cell), paper.paths.verdicts_of(cell, "llama-guard-3", "answer")
    assert layout.ANSWER_VERDICTS.parse(own)["guard"] == "wildguard"  # over-refusal is WildGuard's to judge (Sec. 5.1)
    assert layout.VIEW_VERDICTS.parse(other) == {
        **layout.ANSWER_VERDICTS.parse(own),
        "guard": "llama-guard-3",
        "view": "answer",
    }
    assert paper.paths.verdicts_of(cell, "wildguard", "full") == [own]  # its own view


def test_scores_of_refusal_are_with_those_of_harm(paper):
    kinds = [layout.SCORE.parse(path)["kind"] for path in paper.paths.scores(paper.cells(["qwen3-0.6b"], ["initial"]))]
    assert kinds == ["safety"] * 4 + ["reasoning"] * 4


def test_tables_read_rows_only_of_several_replicates(paper, make):
    assert paper.paths.rows([CELL]) == []
    (path,) = make(replicates=[0, 1]).paths.rows([CELL])
    assert path.endswith("/on/gsm8k.parquet")


def test_models_of_the_hub_have_no_files_and_built_ones_have_an_identity(paper, miniature):
    assert paper.paths.of_model("qwen3-0.6b") == paper.paths.of_model("llama-guard-3") == []
    assert miniature.paths.of_model("qwen3-mini") == ["<results>/models/qwen3-mini.identity.json"]


def test_a_models_folder_is_all_of_its_files(make, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    study = make(models={"qwen3-0.6b": {"source": {"folder": str(tmp_path)}}})
    assert study.paths.of_model("qwen3-0.6b") == [f"{tmp_path}/config.json", f"{tmp_path}/model.safetensors"]


def test_files_that_no_rule_makes_are_marked_as_this_machines(paper):
    study = Study(paper.config, paper.claims.all, local=lambda path: f"local {path}")
    assert study.paths.guard_format("wildguard") == ["local config/guards/wildguard.txt"]
    assert study.paths.guard_format("llama-guard-3") == []


def test_rows_come_from_the_world_a_file_or_the_hub(paper, miniature):
    assert paper.paths.of_source(paper.config.prompts.harmful) == []  # on the hub
    assert miniature.paths.of_source(miniature.config.prompts.harmful) == ["<results>/world/harmful.parquet"]
    assert paper.paths.of_source(None) == []
