"""Figure 3: ThinkSafe, with and without the divergence, against online reinforcement learning (paper Sec. 5.3)."""

from thinksafe.files import Row
from thinksafe.reporting.figures import draw_panels
from thinksafe.reporting.tables import read_csv

PANELS = [
    ("safety_avg", "Safety average, %", "lower is better ↓"),
    ("reasoning_avg", "Reasoning average,\n% pass@1", "higher is better ↑"),
]


def plot_reinforcement(table: str, cost: str, spec: Row, png: str, pdf: str) -> None:
    """Draw the two averages and the time, data generation included, by student and method.

    Parameters
    ----------
    table, cost : paths of what `write_averages` and `write_cost` wrote
    spec : ``students`` and ``methods`` as pairs of id and label
    """
    students, methods = dict(spec["students"]), dict(spec["methods"])
    times = [row for row in read_csv(cost) if row["metric"] == "train_hours" and row["value"] is not None]
    times = [row for row in times if row["student"] in students and row["method"] in methods]
    unit, factor = ("hours", 1) if max((row["value"] for row in times), default=1.0) >= 1 else ("minutes", 60)
    times = [row | {name: row[name] * factor for name in ("value", "low", "high")} for row in times]
    panels = [*PANELS, ("train_hours", f"Generation and\ntraining, {unit}", "lower is better ↓")]
    draw_panels([*read_csv(table), *times], panels, spec, "This run has neither of the averages.", png, pdf)


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
