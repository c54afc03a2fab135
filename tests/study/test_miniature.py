"""What the miniature's and the rehearsal's own rules take from the world (docs/miniature.md)."""

import pytest

from thinksafe.study.miniature import COUNTERPARTS, REHEARSAL


def test_the_miniature_builds_its_students_teacher_and_guards(miniature, paper):
    assert miniature.miniature.built("student") == ["qwen3-mini", "r1-mini"]
    assert miniature.miniature.built("teacher") == ["teacher-mini"]
    assert "llama-guard-3" in miniature.miniature.built("guard")
    assert paper.miniature.built("student") == []


def test_the_teacher_goes_on_from_the_first_student_of_its_family(miniature):
    assert miniature.miniature.parent_of("teacher-mini") == ["<results>/models/qwen3-mini.identity.json"]
    assert miniature.miniature.parent_of("qwen3-mini") == []


def test_a_model_has_the_tokenizer_of_its_family(miniature):
    assert miniature.miniature.tokenizer_of("r1-mini") == "<results>/world/tokenizers/r1.identity.json"


def test_counterparts_of_published_sets_are_what_the_teacher_said(miniature):
    traces = {name: miniature.miniature.traces_of(name) for name in COUNTERPARTS}
    assert traces["directrefusal"] == []
    assert traces["safechain"] == ["<results>/datasets/teacher-mini/for/rejection/replicate-0.parquet"]
    assert traces["star1"] == traces["safekey"] == ["<results>/datasets/teacher-mini/for/thinksafe/replicate-0.parquet"]


def test_a_set_of_the_world_depends_on_its_own_number_of_rows(miniature):
    assert miniature.spec.make_world("gsm8k")["world"]["rows"] == {"gsm8k": miniature.spec.world["rows"]["gsm8k"]}


def test_a_harm_benchmark_begins_where_those_before_it_end(miniature):
    assert set(miniature.spec.make_world("harmbench")["world"]["rows"]) == {"harmbench"}
    assert set(miniature.spec.make_world("wildjailbreak")["world"]["rows"]) == {
        *("harmbench", "strongreject", "wildjailbreak"),
    }


def test_a_tokenizer_depends_on_texts_and_not_on_how_models_are_fitted(miniature):
    spec = miniature.spec.build_tokenizer("qwen3")
    for role in ("student", "teacher"):
        assert not {"hidden_size", "layers", "examples", "batch_size", "learning_rate"} & set(spec["world"][role])


@pytest.mark.parametrize("file", REHEARSAL)
def test_a_file_of_the_rehearsal_depends_on_the_rows_that_it_holds(make, file):
    spec = make("rehearsal.yaml").spec.write_rehearsal_data(file)
    assert spec["name"] == file and set(REHEARSAL[file]) <= set(spec["world"]["rows"])
