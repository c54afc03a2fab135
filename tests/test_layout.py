"""The layout of results/: paths are parsed as they are written, and files find their cells."""

import pytest

from thinksafe import layout
from thinksafe.layout import Pattern, files_named, with_files

VALUES = {
    **{"student": "qwen3-0.6b", "method": "thinksafe-from-r1-qwen-7b", "replicate": "0", "benchmark": "gsm8k"},
    **{
        "steering": "prefix",
        "samples": "5",
        "prompts": "harmful",
        "shard": "7",
        "guard": "wildguard",
        "view": "answer",
    },
    **{"kind": "safety", "corpus": "star1", "model": "r1-llama-8b", "name": "table1"},
}
PATTERNS = {name: value for name, value in vars(layout).items() if isinstance(value, Pattern)}
ADAPTER = "results/paper/adapters/{}/trained-with/thinksafe/replicate-{}.identity.json"


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("ending", ["", ".parquet", ".identity.json"])
def test_every_kind_of_path_is_parsed_as_it_is_written(name, ending):
    pattern = PATTERNS[name]
    path = f"/anywhere/results/paper/{pattern(VALUES)}{ending}"
    assert pattern.parse(path) == {field: VALUES[field] for field in pattern.fields}


@pytest.mark.parametrize("name", PATTERNS)
def test_a_path_belongs_to_one_kind_only(name):
    path = PATTERNS[name].in_run(VALUES)
    assert [other for other, pattern in PATTERNS.items() if pattern.parse(path)] == [name]


def test_an_adapter_reads_as_a_sentence():
    arm = {"student": "qwen3-0.6b", "method": "thinksafe", "replicate": 0}
    assert layout.ADAPTER(arm) == "adapters/qwen3-0.6b/trained-with/thinksafe/replicate-0"
    assert layout.ADAPTER.in_run(arm) == "<results>/adapters/qwen3-0.6b/trained-with/thinksafe/replicate-0"


def test_a_table_is_no_adapter():
    assert layout.ADAPTER.parse("results/paper/tables/table1.csv") is None


def test_files_find_their_cells_by_the_fields_in_their_paths():
    cells = [{"student": "a", "method": "thinksafe", "replicate": number} for number in (0, 1)]
    paths = [ADAPTER.format("a", 1), ADAPTER.format("a", 0)]
    found = with_files(cells, paths, layout.ADAPTER, "adapter")
    assert [cell["adapter"] for cell in found] == paths[::-1]


def test_a_cell_may_have_several_files_or_none():
    cells = [{"student": "a"}, {"student": "b"}]
    paths = [ADAPTER.format("a", 1), ADAPTER.format("a", 0)]
    found = with_files(cells, paths, layout.ADAPTER, "adapters", many=True, optional=True)
    assert [cell["adapters"] for cell in found] == [paths, []]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a", 0), ("b", 0)], "belongs to none of the 1 cells"),
        ([], "0 files for a"),
        ([("a", 0), ("a", 1)], "2 files for a: results/paper/adapters/a/"),
    ],
)
def test_a_file_too_many_or_too_few_is_an_error(files, message):
    with pytest.raises(ValueError, match=message):
        with_files([{"student": "a"}], [ADAPTER.format(*file) for file in files], layout.ADAPTER)


def test_files_are_found_by_their_names_in_the_run():
    paths = ["/x/results/paper/corpora/star1.parquet", "/x/results/paper/prompts/harmful.parquet"]
    assert files_named(paths, ["prompts/harmful.parquet", "corpora/star1.parquet"]) == paths[::-1]
