"""What a reviewer asks of a run, from its own records: an artifact appendix, and a filled reproducibility checklist.

thinksafe/reporting/appendix.py counts and sums every number. Records are not inputs of any job and differ from run to
run, as for the table of costs (docs/jobs.md): both files are written again if an identity changes, not if only its time
does. Topics are numbered as in the NeurIPS 2025 checklist; those that no record answers are marked for the authors.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from thinksafe.files import Row, write_text
from thinksafe.jobs.start import start
from thinksafe.reporting.appendix import STAGES, facts_of
from thinksafe.reporting.tables import markdown
from thinksafe.reporting.templates import fill

AUTHORS = "For the authors"  # an answer that is in no record


def write_appendix(
    identities: Sequence[str], tables: Sequence[str], claims: Sequence[str], spec: Row, appendix: str, checklist: str
) -> None:
    """Write both files of a run; report/appendix.md is the template of the first.

    Parameters
    ----------
    identities, tables, claims : as in `facts_of`
    spec : dict
        ``run``, ``config`` (the file that names the run, or None), ``seeds``, ``replicates``, ``confidence``,
        ``students``, ``methods`` and ``benchmarks`` (labels), ``licences`` (what is known of each source) and
        ``use_paper_scores``: the run's cells are the paper's own.
    """
    facts = facts_of(Path(appendix).parent, identities, tables, claims, spec["licences"]) | {"spec": spec}
    overlay = f" --configfile {spec['config']}" if spec["config"] else ""
    write_text(appendix, fill("appendix.md", **facts, overlay=overlay, hours=hours, number=number))
    write_text(checklist, "\n\n".join(checklist_blocks(facts)))


def hours(seconds: float) -> str:
    """Return hours with one decimal from 10 hours on, and with three below."""
    value = seconds / 3600
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def number(count: float | None) -> str | None:
    """Return a count with its thousands separated, or None."""
    return None if count is None else f"{count:,.0f}"


# ---------------------------------------------------------------- the checklist
def checklist_blocks(facts: Row) -> list[str]:
    """Return the checklist as blocks of Markdown: number, topic, answer, why."""
    answers = [(topic, *(answer(facts) if callable(answer) else answer)) for topic, answer in TOPICS]
    rows = [[str(number), *answer] for number, answer in enumerate(answers, start=1)]
    open_ones = sum(row[2] == AUTHORS for row in rows)
    return [
        f"# Reproducibility checklist: run {facts['spec']['run']}",
        f"Topics and numbers as in NeurIPS 2025, in our own words. {len(rows) - open_ones} are answered from the "
        f"run's records, {open_ones} are for the authors. Details: appendix.md.",
        markdown(["", "topic", "answer", "why"], rows, left=4),
    ]


def _claims(facts: Row) -> tuple[str, str]:
    summary = facts["claims"]
    if not summary:
        return AUTHORS, "no summary of the claims was made"
    counts, changed = summary["counts"], summary["changed_since_start"]
    answer = AUTHORS if counts.get("not run") or counts.get("undecided") else "Yes"
    when = "changed after the run began" if changed else "fixed before the run began"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return "No" if counts.get("fails") or changed else answer, f"the claims, {when}: {verdicts} (claims.md)"


def _reproducibility(facts: Row) -> tuple[str, str]:
    if facts["spec"]["use_paper_scores"]:
        return "NA", "the cells are the paper's printed ones"
    loose = [row["name"] for row in facts["sources"] if not row["fixed"]]
    why = f"{facts['total']['jobs']:,} jobs, each with its settings, code, versions and inputs by digest"
    return ("No", f"{why}, but at no fixed commit: {', '.join(loose)}") if loose else ("Yes", why)


def _access(facts: Row) -> tuple[str, str]:
    local = [row["name"] for row in facts["sources"] if row["local"]]
    closed = [row["name"] for row in facts["sources"] if row.get("terms")]
    why = f"code under Apache-2.0; {len(facts['sources'])} external sources"
    if local:
        return "No", f"{why}, of which only this machine has: {', '.join(local)}"
    return "Yes", f"{why}, of which {len(closed)} ask for a login or terms: {', '.join(closed)}" if closed else why


def _significance(facts: Row) -> tuple[str, str]:
    values, intervals = (sum(row[key] for row in facts["intervals"]) for key in ("values", "intervals"))
    without = [row["table"] for row in facts["intervals"] if row["intervals"] < row["values"]]
    why = f"{intervals:,} of {values:,} values have an interval; replicates: {len(facts['spec']['replicates'])}"
    return "Yes" if intervals else "No", why + (f"; some have none in: {', '.join(without)}" if without else "")


def _resources(facts: Row) -> tuple[str, str]:
    total = facts["total"]
    if not total["jobs"]:
        return "NA", "nothing was trained or sampled"
    why = f"{hours(total['device'])} device hours on {facts['devices']}, {total['jobs']:,} jobs, all attempts included"
    return ("No", f"{why}; {total['missing']:,} jobs have no record") if total["missing"] else ("Yes", why)


def _licensed(facts: Row) -> tuple[str, str]:
    names = [row["name"] for row in facts["sources"]]
    unknown = [row["name"] for row in facts["sources"] if "licence" not in row]
    if not names:
        return "NA", "there are no external sources"
    why = f"{len(names) - len(unknown)} of {len(names)} sources have a licence that is known here"
    return ("No", f"{why}; look up: {', '.join(unknown)}") if unknown else ("Yes", why)


def _settings(facts: Row) -> tuple[str, str]:
    adapters = sum(row["adapters"] for row in facts["training"])
    if not adapters:
        return "NA", "nothing was trained"
    shared = len(facts["training"])
    return "Yes", f"adapters: {adapters}, settings that they share: {shared}; all others in the identities"


def _assets(facts: Row) -> tuple[str, str]:
    jobs = {stage: used["jobs"] for stage, used in facts["stages"].items()}
    adapters, sets = (jobs.get(STAGES[name], 0) for name in ("adapters", "datasets"))
    if not adapters and not sets:
        return "NA", "nothing new was made"
    return "Yes", f"adapters: {adapters}, training sets: {sets}; each with what it was made of"


# Each topic with its answer and reason, or the function that returns them.
TOPICS: tuple[tuple[str, tuple[str, str] | Callable[[Row], tuple[str, str]]], ...] = (
    ("Claims match the findings", _claims),
    ("Limitations are discussed", (AUTHORS, "departures and choices are listed in docs/deviations.md")),
    ("Assumptions and proofs of theory", ("NA", "there is no theorem")),
    ("The experiments can be repeated", _reproducibility),
    ("Code and data are open", _access),
    ("Settings of training and test are given", _settings),
    ("Uncertainty is reported", _significance),
    ("Compute is reported", _resources),
    ("The code of ethics was followed", (AUTHORS, "no record can say")),
    ("Effects on society", (AUTHORS, "no record can say")),
    ("Safeguards against misuse", (AUTHORS, "public builds leave harmful texts out (docs/report.md)")),
    ("Licences of what was used", _licensed),
    ("New assets are documented", _assets),
    ("Work with people or crowds", ("NA", "no person was asked; verdicts are models'")),
    ("Review board for work with people", ("NA", "no person was asked")),
    ("Use of language models", lambda facts: ("Yes", f"{', '.join(facts['spec']['students'])}, and their guards")),
)


if __name__ == "__main__":
    start(snakemake, __file__)
