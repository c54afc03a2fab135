"""Claims: what they may say, and the cells that they read."""

import pytest
import yaml

from thinksafe.analysis.claims import ClaimError, cells_read, check_metrics, read_claims

QWEN3 = ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b", "qwen3-8b"]
R1 = ["r1-qwen-1.5b", "r1-qwen-7b", "r1-llama-8b"]
FAMILIES = ("qwen3", "r1")
RUN = {"students": QWEN3 + R1, "qwen3": QWEN3, "r1": R1}


def ours() -> tuple:
    with open("config/claims.yaml", encoding="utf-8") as handle:
        return read_claims(yaml.safe_load(handle), FAMILIES)


def small(holds: str) -> tuple:
    entry = {"section": "1", "text": "Something.", "holds": holds}
    claims, sets = read_claims({"sets": {"pair": ["ma", "mb"]}, "claims": {"A01": entry}}, FAMILIES)
    return claims["A01"], sets | {"students": ["s1", "t1"], "qwen3": ["s1"], "r1": ["t1"]}


@pytest.mark.parametrize(
    "holds, message",
    [
        ("__import__('os')", r"A01.holds: `__import__\('os'\)` is not a condition"),
        ("__import__('os').system('true') < 1", "is not a term"),
        ("[1 for s in students][0] < 1", "is not a term|must be metric"),
        ("(lambda: 1) < 2", "is not a term"),
        ("1 == 2", "`1 == 2` is not a condition"),
        ("1 < 2 == 2", "is not a condition"),
        ("not 1 < 2", "is not a condition"),
        ("m1[s1, x] < 1", r"A01.holds: nothing says what `x` stands for in `m1\[s1, x\]`"),
        ("m1[s1] < 1", r"must be metric\[student, method\]"),
        ("1 < 2 for s in nobody", "no set 'nobody'; there are pair, qwen3, r1, students"),
        ("1 < 2 for s in students if 1 < 2", "without an `if`"),
        ("all(1 < 2 for s in pair) for s in pair", "one letter that is not in use"),
        ("1 < 2 for student in pair", "one letter"),
        ("2 ** 3 < 1", r"`2 \*\* 3` is not a term"),
        ("abs(2, 3) < 1", "is not a term"),
        ("change(2) < 1", "is not a term"),
        ("True < 1", "`True` is not a number"),
        ("count(1 < 2 for s in pair) >= True", "`True` is not a number"),
        ("count(1 < 2 for s in pair) <= 1", "is not a term"),
        ("rank_correlation((p1[s, ma], r1[s, ma]) for s in pair) < __import__('os')", "is not a term"),
        ("1 <", "A01.holds: invalid syntax"),
    ],
)
def test_what_no_claim_can_say(holds: str, message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        small(holds)


@pytest.mark.parametrize(
    "entry, message",
    [
        ({"text": "Something.", "holds": "1 < 2"}, "A01: must have `section`, `text` and `holds`"),
        ({"section": 5.2, "text": "Something.", "holds": "1 < 2"}, "A01.section: must be text"),
        ({"section": "1", "text": "Something.", "holds": "1 < 2", "reading": "mine"}, "A01.reading: must be paper or"),
        ({"section": "1", "text": "Something.", "holds": "1 < 2", "every": {}}, "A01: must have"),
    ],
)
def test_what_an_entry_must_have(entry: dict, message: str) -> None:
    with pytest.raises(ClaimError, match=message):
        read_claims({"sets": {}, "claims": {"A01": entry}}, FAMILIES)


def test_a_misspelt_metric_is_told() -> None:
    """It would be a claim that is never run."""
    claims, sets = read_claims(
        {
            "sets": {"pair": ["harmbench", "xstest"]},
            "claims": {
                "A01": {"section": "1", "text": "A.", "holds": "b[s, m1] < saftey_avg[s, m1] for s in r1 for b in pair"}
            },
        },
        ["r1"],
    )
    with pytest.raises(ClaimError, match="A01: no metric is 'saftey_avg'; did you mean 'safety_avg'"):
        check_metrics(claims, sets, ["r1"], ["harmbench", "xstest", "safety_avg"])
    with pytest.raises(ClaimError, match="A01: no metric is 'xstest'; there are harmbench, saftey_avg"):
        check_metrics(claims, sets, ["r1"], ["harmbench", "saftey_avg"])


def test_what_a_claim_asks_for() -> None:
    claim, sets = small("change(harm[s, x]) < 0 and 1 < 2 for s in students for x in pair")
    found = set(cells_read(claim.predicate, sets))
    assert found == {(s, m, "harm") for s in ("s1", "t1") for m in ("ma", "mb", "initial")}
    correlation, _ = small("rank_correlation((p1[s, ma], r1[s, ma]) for s in qwen3) < 0")
    assert not set(cells_read(correlation.predicate, sets))
    assert set(cells_read(correlation.predicate, sets, correlated=True)) == {("s1", "ma", "p1"), ("s1", "ma", "r1")}
    named, _ = small("generation:train_hours[qwen3-0.6b, thinksafe-from-r1-qwen-1.5b] < 1")
    wanted = [("qwen3-0.6b", "thinksafe-from-r1-qwen-1.5b", "generation:train_hours")]
    assert list(cells_read(named.predicate, sets)) == wanted


def test_every_claim_asks_for_cells() -> None:
    claims, sets = ours()
    for claim in claims.values():
        assert set(cells_read(claim.predicate, sets | RUN, correlated=True)), claim.id
