"""The facts of a run's appendix and checklist, from its identities, records and tables (docs/appendix.md)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, RECORD, Row, read_json
from thinksafe.provenance.lineage import Lineage, device_of, sources
from thinksafe.reporting.tables import read_csv

STAGES = {  # by the first folders of a job's outputs, in the order of a run
    "models": "models of the miniature",
    "responses": "sampling of training responses",
    "verdicts/on-responses": "verdicts on training responses",
    "datasets": "filtering",
    "adapters": "training",
    "answers": "sampling of answers",
    "verdicts/on-answers": "verdicts on answers",
    "scores": "scoring",
}
SETTINGS = ("loss", "epochs", "learning rate", "rows per step", "LoRA rank", "alpha", "dropout")


def facts_of(
    run: Path, identities: Sequence[str], tables: Sequence[str], claims: Sequence[str], licences: Row
) -> dict[str, Any]:
    """Return the facts that the appendix and the checklist report.

    ``identities`` are those of what the run has trained, sampled, judged and scored; ``claims`` is the summary of the
    claims as JSON, or nothing.
    """
    lineage = Lineage(run, [Path(path).relative_to(run).as_posix() for path in identities])
    stages = records_of(lineage)
    records = [record for group in stages.values() for record in group]
    known = [record for record in records if record]
    return {
        "stages": {stage: usage_of(group) for stage, group in stages.items()},
        "total": usage_of(records),  # of all stages
        "devices": _listed(device_of(record) for record in known),
        "pythons": _listed(record["python"] for record in known),
        "sources": sources_of(lineage, licences),
        "training": training_of(lineage),
        "versions": versions_of(lineage),
        "modules": sorted({name for identity in lineage.identities.values() for name in identity["code"]}),
        "intervals": [intervals_of(path) for path in tables],
        "answers": answers_of(lineage),
        "claims": read_json(claims[0]) if claims else None,
    }


def stage_of(name: str) -> str | None:
    """Return the stage whose job made a file, by the file's name from the run's folder."""
    folder, _, rest = name.partition("/")
    kind = next((part for part in ("on-responses", "on-answers") if f"/{part}/" in f"/{rest}"), None)
    return STAGES.get(f"{folder}/{kind}" if folder == "verdicts" else folder)


def records_of(lineage: Lineage) -> dict[str, list[Row | None]]:
    """Return the records of each stage's jobs, None for a job without one: published artifacts have none."""
    found: dict[str, list[Row | None]] = {stage: [] for stage in STAGES.values()}
    for identity in lineage.identities:
        if stage := stage_of(identity):
            path = lineage.run / (identity.removesuffix(IDENTITY) + RECORD)
            found[stage].append(read_json(path) if path.exists() else None)
    return {stage: records for stage, records in found.items() if records}


def usage_of(records: Sequence[Row | None]) -> dict[str, Any]:
    """Return what jobs used, all attempts included: ``device`` and ``wall`` in seconds, peak ``memory`` in MiB."""
    known = [record for record in records if record]
    return {
        "jobs": len(records),
        "missing": len(records) - len(known),
        "attempts": sum(len(record["attempts"]) for record in known),
        "device": sum(record["device_seconds"] for record in known),
        "wall": sum(record["wall_seconds"] for record in known),
        "memory": max((record["peak_memory_mb"] for record in known), default=0),
        "tokens": sum(record.get("tokens", 0) for record in known),
    }


def sources_of(lineage: Lineage, licences: Row) -> list[Row]:
    """Return the external sources of a run, each with its commit or digest and what is known of its licence."""
    found: dict[str, tuple[str, str]] = {}
    for identity in lineage.identities.values():
        found |= sources(identity["spec"])
    rows = []
    for name, (kind, fixed) in sorted(found.items()):
        local = kind in ("file", "folder")  # the appendix does not say where on a machine it is
        row = {"name": Path(name).name if local else name, "local": local, "fixed": fixed}
        rows.append(row | licences.get(name, {}))
    return rows


def training_of(lineage: Lineage) -> list[Row]:
    """Return the settings of training that adapters share, each with the number of its adapters."""
    groups: Counter[tuple[Any, ...]] = Counter()
    for name, identity in lineage.identities.items():
        spec = identity["spec"]
        if name.startswith("adapters/") and (settings := spec.get("training")):
            lora, loss = settings.get("lora", {}), spec.get("loss")
            losses = ", ".join(loss) if isinstance(loss, dict) else str(loss or "reward")
            key = (losses, spec.get("epochs"), settings.get("learning_rate"), settings.get("batch_size"))
            groups[*key, lora.get("rank"), lora.get("alpha"), lora.get("dropout")] += 1
    ordered = sorted(groups.items(), key=str)
    return [dict(zip(SETTINGS, key, strict=True)) | {"adapters": count} for key, count in ordered]


def versions_of(lineage: Lineage) -> dict[str, str]:
    """Return the versions of the pinned packages that jobs depended on, joined by `and` if there are several."""
    found: dict[str, set[str]] = defaultdict(set)
    for identity in lineage.identities.values():
        for name, version in identity["environment"].items():
            found[name].add(version)
    return {name: " and ".join(sorted(found[name])) for name in sorted(found, key=str.lower)}


def intervals_of(table: str) -> Row:
    """Return how many values of a tidy table have an interval, and the smallest and largest n of a value."""
    rows = [row for row in read_csv(table) if row.get("value") is not None]
    counts = [row["n"] for row in rows if row.get("n") is not None]
    with_interval = sum(row.get("low") is not None and row.get("high") is not None for row in rows)
    ends = {"least": min(counts, default=None), "most": max(counts, default=None)}
    return {"table": Path(table).stem, "values": len(rows), "intervals": with_interval} | ends


def answers_of(lineage: Lineage) -> Row:
    """Return how many answers were scored (``n``), and how many of them are unknown or unfinished."""
    names = [name for name in lineage.made if name.startswith(("scores/safety/", "scores/reasoning/"))]
    scores = [read_json(lineage.run / name) for name in names if name.endswith(".json")]
    counts = {key: sum(score.get(key) or 0 for score in scores) for key in ("n", "unknown", "unfinished")}
    return {"cells": len(scores)} | counts


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(sorted({str(value) for value in values if value not in (None, "")})) or "none"
