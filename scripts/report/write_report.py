"""The run as one page that opens offline: trade-off, tables, claims, cost, training curves and a reader of samples."""

from collections.abc import Sequence
from pathlib import Path

from thinksafe.files import IDENTITY, Row, read_json, read_rows, write_text
from thinksafe.jobs.start import start
from thinksafe.layout import ADAPTER, ANSWER_VERDICTS, ANSWERS, BENCHMARK, SCORE, with_files
from thinksafe.provenance.lineage import Lineage, graph
from thinksafe.reporting.figures import colour
from thinksafe.reporting.page import choose, curve, link, log_of, render, samples_of, shorten
from thinksafe.reporting.tables import SOUND, read_csv

BESIDE = "-beside-paper"  # ends the name of a table with the paper's values


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
    """Write the page. Text that a model wrote is in it only as data, and is shown as text.

    Parameters
    ----------
    tables : paths of tidy tables (CSV) and of their companions with the paper's values (``…-beside-paper.csv``)
    claims : path of the summary of the claims as JSON, or nothing
    scores, rows, answers, verdicts : paths of each cell's score, rows per item, and shards of answers and verdicts
        A run of the paper's scores has only scores.
    prompts : path of each benchmark's prompts
    adapters : paths of the adapters' identities
    identities : paths of the identities for the lineage of the cells
    spec : dict
        ``run``; ``cells`` and ``adapters`` (``student``, ``method``, ``replicate``, ``benchmark``); ``students``,
        ``methods`` and ``steerings`` as pairs of id and label; ``benchmarks``; ``public``; ``use_paper_scores``, whose
        scores one job makes; ``samples``, about how many responses the reader holds.
    """
    kinds = {entry["id"]: entry["kind"] for entry in spec["benchmarks"]}
    cells = with_files(spec["cells"], scores, SCORE, "score")
    cells = with_files(cells, rows, SCORE, "rows", optional=True)
    cells = with_files(cells, answers, ANSWERS, "answers", many=True, optional=True)
    cells = with_files(cells, verdicts, ANSWER_VERDICTS, "verdicts", many=True, optional=True)
    sampled = sum(bool(cell["answers"]) for cell in cells)
    count = spec["samples"] // sampled if sampled else 0
    texts, names = {}, {}
    for path in prompts if count else ():
        name, items = BENCHMARK.parse(path)["benchmark"], {row["id"]: row["prompt"] for row in read_rows(path)}
        names[name] = choose(items, name, count)
        hidden = spec["public"] and kinds[name] == "harm"
        texts[name] = {key: None if hidden else shorten(items[key]) for key in names[name]}
    curves = []
    for entry in with_files(spec["adapters"], adapters, ADAPTER):
        log = log_of(entry["path"])
        if points := curve(log):
            curves.append([entry["student"], entry["method"], entry["replicate"], link(log, html), points])
    read = {Path(path).stem: read_csv(path) for path in tables}
    files = {Path(path).stem: link(path, html) for path in tables}
    data = {
        **{key: spec[key] for key in ("run", "public", "students", "benchmarks")},
        "sound": SOUND,
        "methods": [[name, label, colour(name)] for name, label in spec["methods"]],
        "released": spec.get("released", []),
        "tables": [
            {"name": name, "file": files[name], "rows": table}
            for name, table in read.items()
            if not name.endswith(BESIDE)
        ],
        "beside": {name.removesuffix(BESIDE): table for name, table in read.items() if name.endswith(BESIDE)},
        "claims": read_json(claims[0]) | {"file": link(claims[0], html)} if claims else None,
        "curves": curves,
        "prompts": texts,
        "cells": [],
        "answers": [],
    }
    run = Path(html).parent.parent  # names in identities are relative to it
    for number, cell in enumerate(cells):
        made = run / "scores/printed" if spec["use_paper_scores"] else cell["score"].removesuffix(".json")
        found = {"score": cell["score"], "identity": f"{made}{IDENTITY}"}
        if cell["answers"]:
            found |= {"rows": cell["rows"], "answers": cell["answers"][0], "verdicts": (cell["verdicts"] or [None])[0]}
            chosen = names.get(cell["benchmark"], [])
            samples = samples_of(cell, kinds[cell["benchmark"]], chosen, spec["public"])
            data["answers"] += [[number, *sample] for sample in samples]
        links = {name: link(path, html) for name, path in found.items() if path}
        data["cells"].append([cell[name] for name in ("student", "method", "replicate", "benchmark")] + [links])
    lineage = Lineage(run, [Path(path).relative_to(run).as_posix() for path in identities])
    roots = [Path(cell["score"]).relative_to(run).as_posix() for cell in cells] if identities else []
    write_text(html, render(data | {"lineage": graph(lineage, roots)}))


if __name__ == "__main__":
    start(snakemake, __file__)
