"""Figures 3, 4, 7, 11 and 13: averages by method, in Figure 3 with their cost (paper Sec. 5.3, 5.4, D)."""

from thinksafe.files import Row
from thinksafe.jobs.start import start
from thinksafe.reporting.figures import draw_panels
from thinksafe.reporting.tables import read_csv

SAFETY = ("safety_avg", "Safety average, %", "lower is better ↓")
HARM = ("harm_avg3", "Average harmfulness, %", "lower is better ↓")
REASONING = ("reasoning_avg", "Reasoning average,\n% pass@1", "higher is better ↑")


def plot_averages(table: str, spec: Row, png: str, pdf: str, cost: str | None = None) -> None:
    """Draw a panel per average, bars by student and method, with intervals.

    ``spec`` has ``students`` and ``methods`` as pairs of id and label. With a ``cost`` table, the last panel is the
    time, data generation included.
    """
    rows = read_csv(table)
    if cost is None:
        draw_panels(rows, [SAFETY, HARM, REASONING], spec, "This run has not all benchmarks\nof any average.", png, pdf)
        return
    students, methods = dict(spec["students"]), dict(spec["methods"])
    times = [row for row in read_csv(cost) if row["metric"] == "train_hours" and row["value"] is not None]
    times = [row for row in times if row["student"] in students and row["method"] in methods]
    unit, factor = ("hours", 1) if max((row["value"] for row in times), default=1.0) >= 1 else ("minutes", 60)
    times = [row | {name: row[name] * factor for name in ("value", "low", "high")} for row in times]
    panels = [SAFETY, REASONING, ("train_hours", f"Generation and\ntraining, {unit}", "lower is better ↓")]
    draw_panels([*rows, *times], panels, spec, "This run has neither of the averages.", png, pdf)


if __name__ == "__main__":
    start(snakemake, __file__)
