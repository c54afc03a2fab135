"""What a reviewer asks of a run, from its own records: an artifact appendix, and a filled reproducibility checklist.

thinksafe/reporting/appendix.py counts and sums every number. Records are not inputs of any job and differ from run to
run, as for the table of costs (docs/jobs.md): both files are written again if an identity changes, not if only its time
does. Topics are numbered as in the NeurIPS 2025 checklist; those that no record answers are marked for the authors.
"""

from collections.abc import Sequence
from pathlib import Path

from thinksafe.files import Row, write_text
from thinksafe.jobs.start import start
from thinksafe.reporting.appendix import facts_of
from thinksafe.reporting.templates import fill


def write_appendix(
    identities: Sequence[str], tables: Sequence[str], claims: Sequence[str], spec: Row, appendix: str, checklist: str
) -> None:
    """Write both files of a run from their templates, report/appendix.md and report/checklist.md.

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
    values = facts | {"overlay": overlay, "hours": hours, "number": number}
    write_text(appendix, fill("appendix.md", **values))
    write_text(checklist, fill("checklist.md", **values))


def hours(seconds: float) -> str:
    """Return hours with one decimal from 10 hours on, and with three below."""
    value = seconds / 3600
    return f"{value:,.1f}" if value >= 10 else f"{value:.3f}"


def number(count: float | None) -> str | None:
    """Return a count with its thousands separated, or None."""
    return None if count is None else f"{count:,.0f}"


if __name__ == "__main__":
    start(snakemake, __file__)
