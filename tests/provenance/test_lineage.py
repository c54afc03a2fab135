"""The graph of a run's identities: for the page, and what a spec takes from outside."""

from tests.provenance.trial import ADAPTER, ON
from thinksafe.provenance.lineage import Lineage, graph, sources


def test_the_graph_of_the_page_is_the_chain(run):
    """What the page shows and what `thinksafe trace` prints are one thing, each file once."""
    lineage = Lineage("results/trial")
    roots = [f"scores/safety/{ON}.json", "tables/table1.csv", "scores/unknown.json"]
    told = graph(lineage, roots)
    names = [step[0] for step in told["steps"]]
    assert len(names) == len(set(names)) and set(names) >= {step.name for step in lineage.chain("tables/table1.csv")}
    assert told["roots"] == [0, names.index("tables/table1.csv"), None]
    for name, _, maker, inputs in told["steps"]:
        identity = lineage.identity_of(name)
        assert {names[number] for number in inputs} == set(lineage.identities[identity]["inputs"] if identity else ())
        assert (maker is None) == (identity is None)
    assert ["score_safety", "numpy 2.4.6"] in told["makers"] and ["train_student", "numpy 2.4.6"] in told["makers"]


def test_files_are_found_from_a_folders_inside_and_from_both_ends(run):
    """A file inside an adapter has the adapter's identity; what a file is made of depends on it in turn."""
    lineage = Lineage("results/trial")
    assert lineage.identity_of(f"{ADAPTER}/weights.json") == f"{ADAPTER}.identity.json"
    assert lineage.identity_of("config/guard.txt") is None
    score = f"scores/safety/{ON}.identity.json"
    behind = {step.identity for step in lineage.chain(f"scores/safety/{ON}.json")} - {None}
    assert all(score in lineage.dependents(identity) for identity in behind - {score})
    assert lineage.name_of("results/trial/tables/table1.csv") == "tables/table1.csv"
    assert lineage.path_of("config/guard.txt").samefile(run / "config/guard.txt")


def test_sources_are_found_with_what_fixes_them():
    spec = {
        "model": {"hub": "org/m", "revision": "ab"},
        "parts": [{"source": {"file": "a.csv", "content": "cd"}}],
        "hub": None,
    }
    assert sources(spec) == {"org/m": ("hub", "ab"), "a.csv": ("file", "cd")}
