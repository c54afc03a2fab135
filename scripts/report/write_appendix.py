"""What a reviewer asks of a run, from its own records: an artifact appendix, and a filled reproducibility checklist.

Every number is counted or summed from identities, records, tables and the claims board. Records are nobody's input and
differ from run to run, as for the table of costs (docs/jobs.md): both files are written again when what they tell of is
made again with another identity, not when only its time has changed. Topics are numbered as in the checklist of NeurIPS
2025; what the run cannot know is left to its authors, and said so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from thinksafe.files import IDENTITY, RECORD, Row, read_json, write_text
from thinksafe.provenance.lineage import Lineage, device_of, sources
from thinksafe.reporting.tables import markdown, read_csv

STAGES = {  # by the first folders of what a job made, in the order of a run
    "models": "models of the miniature",
    "responses": "sampling of training responses",
    "verdicts/on-responses": "verdicts on training responses",
    "datasets": "filtering",
    "adapters": "training",
    "answers": "sampling of answers",
    "verdicts/on-answers": "verdicts on answers",
    "scores": "scoring",
}
AUTHORS = "For the authors"  # an answer that no record holds


def write_appendix(
    identities: Sequence[str],
    tables: Sequence[str],
    claims: Sequence[str],
    spec: Row,
    appendix: str,
    checklist: str,
) -> None:
    """Write both files of a run.

    Parameters
    ----------
    identities : paths of the identities of what the run has trained, sampled, judged and scored
    tables : paths of its tidy tables
    claims : path of the claims board as JSON, or nothing
    spec : dict
        ``run``, ``config`` (the file that names the run, or None), ``seeds``, ``replicates``, ``confidence``,
        ``students``, ``methods`` and ``benchmarks`` (labels), ``licences`` (what is known of each source) and
        ``use_paper_scores``: the run's cells are the paper's own.
    """
    run = Path(appendix).parent
    lineage = Lineage(run, [Path(path).relative_to(run).as_posix() for path in identities])
    facts = {
        "jobs": jobs_of(lineage),
        "sources": sources_of(lineage, spec["licences"]),
        "training": training_of(lineage),
        "versions": versions_of(lineage),
        "modules": sorted({name for told in lineage.identities.values() for name in told["code"]}),
        "intervals": [intervals_of(path) for path in tables],
        "answers": answers_of(lineage),
        "claims": read_json(claims[0]) if claims else None,
        "spec": spec,
    }
    write_text(appendix, "\n\n".join(block.strip() for block in appendix_blocks(facts)) + "\n")
    write_text(checklist, "\n\n".join(block.strip() for block in checklist_blocks(facts)) + "\n")


# ---------------------------------------------------------------- what the records say
def stage_of(name: str) -> str | None:
    """Return the stage whose job made a file, by its name from the run's folder."""
    folder, _, rest = name.partition("/")
    kind = next((part for part in ("on-responses", "on-answers") if f"/{part}/" in f"/{rest}"), None)
    return STAGES.get(f"{folder}/{kind}" if folder == "verdicts" else folder)


def jobs_of(lineage: Lineage) -> dict[str, list[Row | None]]:
    """Return the records of each stage's jobs, None for one without: published artifacts have none."""
    found: dict[str, list[Row | None]] = {stage: [] for stage in STAGES.values()}
    for identity in lineage.identities:
        if stage := stage_of(identity):
            path = lineage.run / (identity.removesuffix(IDENTITY) + RECORD)
            found[stage].append(read_json(path) if path.exists() else None)
    return {stage: records for stage, records in found.items() if records}


def sources_of(lineage: Lineage, licences: Row) -> list[Row]:
    """Return what the run took from outside, with what fixes it and what is known of its licence."""
    found: dict[str, tuple[str, str]] = {}
    for told in lineage.identities.values():
        found |= sources(told["spec"])
    rows = []
    for name, (kind, fixed) in sorted(found.items()):
        local = kind in ("file", "folder")  # where it lies on somebody's machine is nobody's concern
        row = {"name": Path(name).name if local else name, "local": local, "fixed": fixed}
        rows.append(row | licences.get(name, {}))
    return rows


def training_of(lineage: Lineage) -> list[Row]:
    """Return the settings of training that adapters share, each with how many adapters."""
    groups: dict[tuple[Any, ...], int] = defaultdict(int)
    for identity, told in lineage.identities.items():
        settings = told["spec"].get("training")
        if identity.startswith("adapters/") and settings:
            lora = settings.get("lora", {})
            loss = told["spec"].get("loss")
            names = ", ".join(loss) if isinstance(loss, dict) else str(loss or "reward")
            key = (names, told["spec"].get("epochs"), settings.get("learning_rate"), settings.get("batch_size"))
            groups[*key, lora.get("rank"), lora.get("alpha"), lora.get("dropout")] += 1
    names = ("loss", "epochs", "learning rate", "rows per step", "LoRA rank", "alpha", "dropout")
    return [dict(zip(names, key, strict=True)) | {"adapters": count} for key, count in sorted(groups.items(), key=str)]


def versions_of(lineage: Lineage) -> dict[str, str]:
    """Return the pinned packages that jobs depended on; more than one version of a package is told as such."""
    found: dict[str, set[str]] = defaultdict(set)
    for told in lineage.identities.values():
        for name, version in told["environment"].items():
            found[name].add(version)
    return {
        name: " and ".join(sorted(versions)) for name, versions in sorted(found.items(), key=lambda i: i[0].lower())
    }


def intervals_of(table: str) -> Row:
    """Return how many values of a tidy table have an interval, and the least and the most that one counts."""
    rows = [row for row in read_csv(table) if row.get("value") is not None]
    counted = [row["n"] for row in rows if row.get("n") is not None]
    told = sum(row.get("low") is not None and row.get("high") is not None for row in rows)
    ends = {"least": min(counted), "most": max(counted)} if counted else {"least": None, "most": None}
    return {"table": Path(table).stem, "values": len(rows), "intervals": told} | ends


def answers_of(lineage: Lineage) -> Row:
    """Return how many answers were scored, and how many of them have no verdict or no end of their own."""
    total = {"cells": 0, "scored": 0, "unknown": 0, "unfinished": 0}
    for name in lineage.made:
        if name.startswith(("scores/safety/", "scores/reasoning/")) and name.endswith(".json"):
            score = read_json(lineage.run / name)
            total["cells"] += 1
            total["scored"] += score.get("n") or 0
            for key in ("unknown", "unfinished"):
                total[key] += score.get(key) or 0
    return total


def hours(seconds: float) -> str:
    """Return hours with as many figures as they deserve."""
    value = seconds / 3600
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def known(records: Iterable[Row | None]) -> list[Row]:
    """Return the records that are there."""
    return [record for record in records if record]


def listed(values: Iterable[Any]) -> str:
    """Return different values in one line, sorted."""
    return ", ".join(sorted({str(value) for value in values if value not in (None, "")})) or "none"


def total_of(facts: Row) -> Row:
    """Return the sums over all stages."""
    records = [record for group in facts["jobs"].values() for record in group]
    there = known(records)
    return {
        "jobs": len(records),
        "missing": len(records) - len(there),
        "device": sum(record["device_seconds"] for record in there),
        "wall": sum(record["wall_seconds"] for record in there),
        "devices": listed(device_of(record) for record in there),
        "memory": max((record["peak_memory_mb"] for record in there), default=0),
    }


# ---------------------------------------------------------------- the appendix
def appendix_blocks(facts: Row) -> list[str]:
    """Return the artifact appendix as blocks of Markdown."""
    spec, total = facts["spec"], total_of(facts)
    blocks = [
        f"# Artifact appendix: run {spec['run']}",
        "Written by `snakemake appendix` from the run's identities, records and tables; no number is typed by hand.",
        "## What was run",
        f"Students: {', '.join(spec['students'])}. Methods: {', '.join(spec['methods'])}. Benchmarks: "
        f"{', '.join(spec['benchmarks'])}. Replicates: {len(spec['replicates'])}.",
    ]
    blocks += ["## Compute", *_compute(facts, total)]
    blocks += [
        "## Seeds",
        "Seeds of the config: "
        + ", ".join(f"{name} {seed}" for name, seed in sorted(spec["seeds"].items()))
        + f"; replicates {', '.join(map(str, spec['replicates']))}. The seed of each response is a hash of these with "
        "the student, the prompt and the draw, and stands beside the response.",
    ]
    if facts["training"]:
        head = list(facts["training"][0])
        rows = [["–" if row[name] is None else str(row[name]) for name in head] for row in facts["training"]]
        blocks += ["## Training", markdown(head, rows, left=1)]
    blocks += ["## Intervals", *_intervals(facts)]
    blocks += ["## Models, data and licences", *_licences(facts)]
    blocks += [
        "## Software",
        "Versions that can change a number, checked by each job at its start: "
        + (", ".join(f"{name} {version}" for name, version in facts["versions"].items()) or "none")
        + f". Code: {len(facts['modules'])} modules, each with a digest in the identity of what it made.",
        f"Python {listed(r['python'] for g in facts['jobs'].values() for r in known(g))}.",
        "## Run it again",
        *rerun(spec),
    ]
    return blocks


def _compute(facts: Row, total: Row) -> list[str]:
    if not total["jobs"]:
        return ["This run has trained, sampled and judged nothing: its cells are the paper's printed ones."]
    head = ["stage", "jobs", "attempts", "device hours", "wall hours", "peak memory, GiB", "tokens", "no record"]
    rows = []
    for stage, records in facts["jobs"].items():
        there = known(records)
        tokens = sum(record.get("tokens", 0) for record in there)
        rows.append(
            [stage, f"{len(records):,}", f"{sum(len(record['attempts']) for record in there):,}"]
            + [hours(sum(record[key] for record in there)) for key in ("device_seconds", "wall_seconds")]
            + [f"{max((record['peak_memory_mb'] for record in there), default=0) / 1024:.1f}"]
            + [f"{tokens:,}" if tokens else "–", str(len(records) - len(there))]
        )
    return [
        markdown(head, rows, left=1),
        f"All together {hours(total['device'])} device hours and {hours(total['wall'])} wall hours with one job after "
        f"another, all attempts included, on: {total['devices']}. A device hour is an hour of a GPU, or of a processor "
        "thread where a job held no GPU. Preparing data (the miniature's teacher, who stands for published sets, with "
        "it), perplexities, tables and figures are not counted.",
    ]


def _intervals(facts: Row) -> list[str]:
    spec, answers = facts["spec"], facts["answers"]
    rows = [
        [row["table"], str(row["values"]), str(row["intervals"])]
        + ["–" if row[end] is None else f"{row[end]:,.0f}" for end in ("least", "most")]
        for row in facts["intervals"]
    ]
    said = (
        f"Intervals are at {100 * spec['confidence']:g} %: Wilson's for shares, over problems for repeated answers, in "
        "pairs for differences on the same prompts (thinksafe/intervals.py)."
    )
    cells = (
        f"{answers['cells']:,} cells count {answers['scored']:,} answers: {answers['unknown']:,} have an unknown "
        f"verdict and {answers['unfinished']:,} did not end by themselves; both stand beside each number."
    )
    return [said, markdown(["table", "values", "with interval", "least n", "most n"], rows, left=1), cells]


def _licences(facts: Row) -> list[str]:
    if not facts["sources"]:
        return [
            "Nothing of this run comes from elsewhere but the code's own packages. The workflow is under Apache-2.0."
        ]
    rows = [
        [
            row["name"],
            row["fixed"] or "not fixed",
            row.get("licence", "not known here: see its page"),
            row.get("terms", "–"),
        ]
        for row in facts["sources"]
    ]
    return [
        markdown(["source", "commit or digest", "licence", "to be accepted"], rows, left=4),
        "Licences are as their pages said when the workflow was written; the pages decide. The workflow is under "
        "Apache-2.0.",
    ]


def rerun(spec: Row) -> list[str]:
    """Return how to make the run again, as blocks of Markdown."""
    overlay = f" --configfile {spec['config']}" if spec["config"] else ""
    lines = ["make setup", f".venv/bin/snakemake -n all{overlay}", f".venv/bin/snakemake all{overlay}"]
    return [
        "```\n" + "\n".join(lines) + "\n```",
        *(
            []
            if spec["config"]
            else ["The overlay of this run is not among the workflow's own: name it with `--configfile`."]
        ),
        "On a cluster add `--profile slurm`. With the same config, code, versions and inputs nothing is made again; "
        "`thinksafe trace CELL` says what a number was made of.",
    ]


# ---------------------------------------------------------------- the checklist
def checklist_blocks(facts: Row) -> list[str]:
    """Return the checklist as blocks of Markdown: number, topic, answer, why."""
    rows = [[str(number), topic, *answer(facts)] for number, (topic, answer) in enumerate(TOPICS, start=1)]
    open_ones = sum(row[2] == AUTHORS for row in rows)
    return [
        f"# Reproducibility checklist: run {facts['spec']['run']}",
        f"Topics and numbers as in NeurIPS 2025, in our own words. {len(rows) - open_ones} are answered from the "
        f"run's records, {open_ones} are for the authors. Details: appendix.md.",
        markdown(["", "topic", "answer", "why"], rows, left=4),
    ]


def _claims(facts: Row) -> tuple[str, str]:
    board = facts["claims"]
    if not board:
        return AUTHORS, "no claims board was made"
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(board["counts"].items()))
    changed = "changed after the run began" if board["changed_since_start"] else "fixed before the run began"
    counts = board["counts"]
    if counts.get("fails") or board["changed_since_start"]:
        said = "No"
    else:
        said = AUTHORS if counts.get("not run") or counts.get("undecided") else "Yes"
    return said, f"the board of claims, {changed}: {told} (claims.md)"


def _reproducibility(facts: Row) -> tuple[str, str]:
    total = total_of(facts)
    if facts["spec"]["use_paper_scores"]:
        return "NA", "the cells are the paper's printed ones"
    loose = [row["name"] for row in facts["sources"] if not row["fixed"]]
    why = f"{total['jobs']:,} jobs, each with its settings, code, versions and inputs by digest"
    return ("No", f"{why}, but at no fixed commit: {', '.join(loose)}") if loose else ("Yes", why)


def _access(facts: Row) -> tuple[str, str]:
    local = [row["name"] for row in facts["sources"] if row["local"]]
    closed = [row["name"] for row in facts["sources"] if row.get("terms")]
    why = f"code under Apache-2.0; {len(facts['sources'])} outside sources"
    if local:
        return "No", f"{why}, of which only this machine has: {', '.join(local)}"
    return "Yes", f"{why}, of which {len(closed)} ask for a login or terms: {', '.join(closed)}" if closed else why


def _significance(facts: Row) -> tuple[str, str]:
    values, told = (sum(row[key] for row in facts["intervals"]) for key in ("values", "intervals"))
    without = [row["table"] for row in facts["intervals"] if row["intervals"] < row["values"]]
    why = f"{told:,} of {values:,} values have an interval; replicates: {len(facts['spec']['replicates'])}"
    return "Yes" if told else "No", why + (f"; some have none in: {', '.join(without)}" if without else "")


def _resources(facts: Row) -> tuple[str, str]:
    total = total_of(facts)
    if not total["jobs"]:
        return "NA", "nothing was trained or sampled"
    why = f"{hours(total['device'])} device hours on {total['devices']}, {total['jobs']:,} jobs, all attempts included"
    return ("No", f"{why}; {total['missing']:,} jobs have no record") if total["missing"] else ("Yes", why)


def _licensed(facts: Row) -> tuple[str, str]:
    unknown = [row["name"] for row in facts["sources"] if "licence" not in row]
    if not facts["sources"]:
        return "NA", "nothing comes from elsewhere"
    named = (
        f"{len(facts['sources']) - len(unknown)} of {len(facts['sources'])} sources have a licence that is known here"
    )
    return ("No", f"{named}; look up: {', '.join(unknown)}") if unknown else ("Yes", named)


def _settings(facts: Row) -> tuple[str, str]:
    adapters = sum(row["adapters"] for row in facts["training"])
    if not adapters:
        return "NA", "nothing was trained"
    return (
        "Yes",
        f"adapters: {adapters}, settings that they share: {len(facts['training'])}; all others in the identities",
    )


def _assets(facts: Row) -> tuple[str, str]:
    counts = {name: len(facts["jobs"].get(STAGES[name], ())) for name in ("adapters", "datasets")}
    if not any(counts.values()):
        return "NA", "nothing new was made"
    return "Yes", f"adapters: {counts['adapters']}, training sets: {counts['datasets']}; each with what it was made of"


def _models(facts: Row) -> tuple[str, str]:
    return "Yes", f"language models are what is studied: {', '.join(facts['spec']['students'])}, and their guards"


def _always(answer: str, why: str) -> Callable[[Row], tuple[str, str]]:
    return lambda facts: (answer, why)


TOPICS: tuple[tuple[str, Callable[[Row], tuple[str, str]]], ...] = (
    ("Claims match what was found", _claims),
    ("Limits are discussed", _always(AUTHORS, "departures and choices stand in docs/deviations.md")),
    ("Assumptions and proofs of theory", _always("NA", "there is no theorem")),
    ("Enough is told to repeat the experiments", _reproducibility),
    ("Code and data are open", _access),
    ("Settings of training and test are told", _settings),
    ("Uncertainty is reported", _significance),
    ("Compute is reported", _resources),
    ("The code of ethics was followed", _always(AUTHORS, "no record can say")),
    ("Effects on society", _always(AUTHORS, "no record can say")),
    (
        "Safeguards where something can be misused",
        _always(AUTHORS, "public builds leave harmful texts out (docs/report.md)"),
    ),
    ("Licences of what was used", _licensed),
    ("New assets are documented", _assets),
    ("Work with people or crowds", _always("NA", "no person was asked; verdicts are models'")),
    ("Review board for work with people", _always("NA", "no person was asked")),
    ("Use of language models", _models),
)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
