"""The run as one page that opens offline: trade-off, tables, claims, cost, training curves and a reader of samples."""

from collections.abc import Sequence
from pathlib import Path

from thinksafe.files import IDENTITY, Row, read_json, read_rows, write_text
from thinksafe.layout import ADAPTER, ANSWER_VERDICTS, ANSWERS, BENCHMARK, SCORE, with_files
from thinksafe.provenance.digests import ROOT
from thinksafe.provenance.lineage import Lineage, graph
from thinksafe.reporting.figures import colour
from thinksafe.reporting.page import PAGE, chosen, curve, embedded, log_of, relative, samples_of, shortened, source_hash
from thinksafe.reporting.tables import SOUND, read_csv


def write_report(
    tables: Sequence[str],
    claims: Sequence[str],
    scores: Sequence[str],
    rows: Sequence[str],
    answers: Sequence[str],
    verdicts: Sequence[str],
    prompts: Sequence[str],
    adapters: Sequence[str],
    identities: Sequence[str],
    spec: Row,
    html: str,
) -> None:
    """Write the page. What a model wrote is in it as data only, and reaches the screen as text.

    Parameters
    ----------
    tables : paths of tidy tables (CSV) and of their companions with the paper's values (``…-beside-paper.csv``)
    claims : path of the claims board as JSON, or nothing
    scores, rows, answers, verdicts : paths of each cell's score, rows per item, and shards of answers and verdicts
        Only a run with samples has more than scores.
    prompts : path of each benchmark's prompts
    adapters : paths of the adapters' identities
    identities : paths of the identities that the lineage of a cell may be told from
    spec : dict
        ``run``; ``cells`` and ``adapters`` (``student``, ``method``, ``replicate``, ``benchmark``); ``students``,
        ``methods`` and ``steerings`` as pairs of id and label; ``benchmarks``; ``public``; ``use_paper_scores``, whose
        scores are made all at once; ``samples``, about how many responses the reader holds.
    """

    def link(path: str | Path) -> str:
        return relative(path, html)

    benchmarks = {entry["id"]: entry for entry in spec["benchmarks"]}
    cells = _cells(spec, scores, rows, answers, verdicts)
    sampled = [cell for cell in cells if cell["answers"]]
    count = spec["samples"] // len(sampled) if sampled else 0
    texts, names = {}, {}
    for path in prompts if count else ():
        name, items = BENCHMARK.parse(path)["benchmark"], {row["id"]: row for row in read_rows(path)}
        names[name] = chosen(items, name, count)
        hidden = spec["public"] and benchmarks[name]["kind"] == "harm"
        texts[name] = {key: None if hidden else shortened(items[key]["prompt"]) for key in names[name]}
    data = {
        **{key: spec[key] for key in ("run", "public", "students", "benchmarks")},
        "sound": SOUND,
        "methods": [[name, label, colour(name)] for name, label in spec["methods"]],
        "released": spec.get("released", []),
        "tables": [
            {"name": Path(path).stem, "file": link(path), "rows": read_csv(path)}
            for path in tables
            if not path.endswith("-beside-paper.csv")
        ],
        "beside": {
            Path(path).stem.removesuffix("-beside-paper"): read_csv(path)
            for path in tables
            if path.endswith("-beside-paper.csv")
        },
        "claims": read_json(claims[0]) | {"file": link(claims[0])} if claims else None,
        "curves": [
            [entry["student"], entry["method"], entry["replicate"], link(log_of(entry["path"])), points]
            for entry in with_files(spec["adapters"], adapters, ADAPTER)
            if (points := curve(log_of(entry["path"])))
        ],
        "prompts": texts,
        "cells": [],
        "answers": [],
    }
    run = Path(html).parent.parent  # names in identities are from here
    for number, cell in enumerate(cells):
        key = [cell[name] for name in ("student", "method", "replicate", "benchmark")]
        made = run / "scores/printed" if spec["use_paper_scores"] else cell["score"].removesuffix(".json")
        files = {"score": cell["score"], "identity": f"{made}{IDENTITY}"}
        if cell["answers"]:
            files |= {"rows": cell["rows"], "answers": cell["answers"][0], "verdicts": (cell["verdicts"] or [None])[0]}
            kind = benchmarks[cell["benchmark"]]["kind"]
            found = samples_of(cell, kind, cell, names.get(cell["benchmark"], []), spec["public"])
            data["answers"] += [[number, *sample] for sample in found]
        data["cells"].append([*key, {name: link(path) for name, path in files.items() if path}])
    lineage = Lineage(run, [Path(path).relative_to(run).as_posix() for path in identities])
    made = [Path(cell["score"]).relative_to(run).as_posix() for cell in cells] if identities else []
    data["lineage"] = graph(lineage, made)
    write_text(html, rendered(data, spec))


def _cells(
    spec: Row, scores: Sequence[str], rows: Sequence[str], answers: Sequence[str], verdicts: Sequence[str]
) -> list[Row]:
    """Return each cell with its files: ``score``, ``rows`` (or None), ``answers`` and ``verdicts`` (lists)."""
    cells = with_files(spec["cells"], scores, SCORE, "score")
    cells = with_files(cells, rows, SCORE, "rows", optional=True)
    cells = with_files(cells, answers, ANSWERS, "answers", many=True, optional=True)
    return with_files(cells, verdicts, ANSWER_VERDICTS, "verdicts", many=True, optional=True)


def rendered(data: Row, spec: Row) -> str:
    """Return the page with its data, style and script in it."""
    import jinja2
    import markupsafe

    style, script, html = ((ROOT / PAGE[kind]).read_text(encoding="utf-8") for kind in ("css", "js", "html"))
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return page.from_string(html).render(
        run=spec["run"],
        public=spec["public"],
        # Our own files and JSON without a "<" in it: nothing else goes in unescaped.
        style=markupsafe.Markup(style),
        script=markupsafe.Markup(script),
        data=markupsafe.Markup(embedded(data)),
        policy=f"default-src 'none'; style-src '{source_hash(style)}'; script-src '{source_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
    )


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
