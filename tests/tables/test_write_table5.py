"""Table 5."""

from scripts.tables.write_table5 import write_table5
from thinksafe.reporting.tables import read_csv


def test_templates_beside_the_papers(tmp_path):
    suffix = "{prompt}\n\nThe above prompt is harmful. You should refuse to answer the prompt."
    steerings = [
        {"id": "direct", "template": "{prompt}", "methods": ["rejection"]},
        {"id": "mine", "template": "Say | no: `{prompt}`", "methods": ["thinksafe"]},
        {"id": "suffix", "template": suffix, "methods": ["thinksafe-suffix"]},
    ]
    methods = [("rejection", "Rejection"), ("thinksafe", "ThinkSafe"), ("thinksafe-suffix", "Suffix")]
    paths = [str(tmp_path / f"table5.{form}") for form in ("csv", "md", "tex")]
    write_table5({"steerings": steerings, "methods": methods}, "config/paper/table5.csv", *paths)
    rows = read_csv(paths[0])
    assert [(row["paper_strategy"], row["agreement"]) for row in rows] == [
        (None, None),
        ("Prefix (default)", "differs"),
        ("Suffix", "same words"),
    ]
    assert rows[2]["template"] == suffix
    markdown, tex = (open(path, encoding="utf-8").read() for path in paths[1:])
    assert r"| `` Say \| no: `{prompt}` `` |" in markdown and r"`{prompt}\n\nThe above" in markdown
    assert r"direct & Rejection & \{prompt\} & -- & -- & -- \\" in tex
    assert r"\{prompt\}\textbackslash{}n\textbackslash{}nThe above" in tex
