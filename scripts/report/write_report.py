"""The run as one page that opens offline: trade-off, tables, claims, cost, training curves and a reader of samples."""

from collections.abc import Callable, Sequence
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
    cells: Sequence[Row],
    prompts: dict[str, str],
    adapters: Sequence[Row],
    claims: Sequence[str],
    spec: Row,
    output_html: str,
    identities: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the page. What a model wrote is in it as data only, and reaches the screen as text.

    Parameters
    ----------
    tables : paths of tidy tables (CSV) and of their companions with the paper's values (``…-beside-paper.csv``)
    cells : sequence of dict
        ``student``, ``method``, ``replicate``, ``benchmark`` and paths: ``score``, ``rows``, and, where there are
        samples, ``answers`` and ``verdicts`` (lists).
    prompts : path of each benchmark's prompts
    adapters : ``student``, ``method``, ``replicate`` and ``path`` of the identity
    claims : path of the claims board as JSON, or nothing
    identities : paths of the identities that the lineage of a cell may be told from
    spec : dict
        ``run``; ``students``, ``methods`` and ``steerings`` as pairs of id and label; ``benchmarks``; ``public``;
        ``use_paper_scores``, whose scores are made all at once; ``samples``, about how many responses the reader holds.
    """

    def link(path: str | Path) -> str:
        return relative(path, output_html)

    benchmarks = {entry["id"]: entry for entry in spec["benchmarks"]}
    sampled = [cell for cell in cells if cell.get("answers")]
    count = spec["samples"] // len(sampled) if sampled else 0
    texts, names = {}, {}
    for name, path in prompts.items() if count else ():
        rows = {row["id"]: row for row in read_rows(path)}
        names[name] = chosen(rows, name, count)
        hidden = spec["public"] and benchmarks[name]["kind"] == "harm"
        texts[name] = {key: None if hidden else shortened(rows[key]["prompt"]) for key in names[name]}
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
            for entry in adapters
            if (points := curve(log_of(entry["path"])))
        ],
        "prompts": texts,
        "cells": [],
        "answers": [],
    }
    run = Path(output_html).parent.parent  # names in identities are from here
    for number, cell in enumerate(cells):
        key = [cell[name] for name in ("student", "method", "replicate", "benchmark")]
        made = run / "scores/printed" if spec["use_paper_scores"] else cell["score"].removesuffix(".json")
        files = {"score": cell["score"], "identity": f"{made}{IDENTITY}"}
        if cell.get("answers"):
            files |= {"rows": cell["rows"], "answers": cell["answers"][0], "verdicts": (cell["verdicts"] or [None])[0]}
            kind = benchmarks[cell["benchmark"]]["kind"]
            found = samples_of(cell, kind, cell, names.get(cell["benchmark"], []), spec["public"])
            data["answers"] += [[number, *sample] for sample in found]
        data["cells"].append([*key, {name: link(path) for name, path in files.items() if path}])
        progress(number + 1, len(cells))
    lineage = Lineage(run, [Path(path).relative_to(run).as_posix() for path in identities])
    scores = [Path(cell["score"]).relative_to(run).as_posix() for cell in cells] if identities else []
    data["lineage"] = graph(lineage, scores)
    write_text(output_html, rendered(data, spec))


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
    import json

    from thinksafe.jobs.start import start

    spec = json.loads(snakemake.params.spec)
    given = snakemake.input
    cells = with_files(spec["cells"], given.scores, SCORE, "score")
    cells = with_files(cells, given.rows, SCORE, "rows") if given.rows else [{**cell, "rows": None} for cell in cells]
    cells = with_files(cells, given.answers, ANSWERS, "answers", many=True, optional=True)
    cells = with_files(cells, given.verdicts, ANSWER_VERDICTS, "verdicts", many=True, optional=True)
    benchmarks = [{"benchmark": entry["id"]} for entry in spec["benchmarks"]]
    benchmarks = with_files(benchmarks, given.prompts, BENCHMARK, optional=True)
    start(
        snakemake,
        "write_report",
        tables=list(snakemake.input.tables),
        cells=cells,
        prompts={entry["benchmark"]: entry["path"] for entry in benchmarks if entry["path"]},
        adapters=with_files(spec["adapters"], given.adapters, ADAPTER),
        claims=list(snakemake.input.claims),
        spec=spec,
        identities=list(snakemake.input.identities),
        output_html=snakemake.output.html,
    )
