"""Cards of published adapters and training sets: what their users must know, from the run's files."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from thinksafe.files import Row
from thinksafe.provenance.digests import ROOT
from thinksafe.reporting.tables import format_value
from thinksafe.reporting.templates import fill

LICENCES = yaml.safe_load((ROOT / "config/licences/assets.yaml").read_text(encoding="utf-8"))
HUB_LICENCES = ("apache-2.0", "mit", "odc-by", "cc-by-4.0")  # as the hub spells them
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (1 << 62, "n>1M"))
MEASURES = {  # by the kind of benchmark: the hub's type of metric, its name, and which way is better
    "harm": ("harmful_responses", "Harmful responses, %", "↓"),
    "refusal": ("over_refusal", "Safe prompts refused, %", "↓"),
    "reasoning": ("accuracy", "Accuracy, %", "↑"),
}


def licence_of(sources: Sequence[str]) -> tuple[str, str]:
    """Return the hub's name of the licence of what is made from ``sources``, and a sentence for a person."""
    if not sources:
        return "apache-2.0", "Made by the workflow alone, and under its licence, Apache-2.0."
    stated = {name: LICENCES.get(name, {}).get("licence") for name in sources}
    lines = " ".join(f"{name}: {licence or 'see its page'}." for name, licence in stated.items())
    licences = {str(licence) for licence in stated.values()}
    if len(licences) == 1 and (name := min(licences).lower()) in HUB_LICENCES:
        return name, f"As its source's. {lines}"
    name = "llama3.1" if any("Llama 3.1" in licence for licence in licences) else "other"
    return name, f"Under the terms of each source. {lines}"


def interval(score: Mapping[str, Any] | None) -> str:
    """Return a value with its interval as text, or a dash if there is none."""
    if not score or score.get("value") is None:
        return "–"
    return f"{format_value(score['value'])} ({format_value(score['low'])} to {format_value(score['high'])})"


def adapter_card(
    about: Row,
    spec: Row,
    scores: Mapping[str, tuple[Row, Row | None]],
    benchmarks: Mapping[str, Row],
    confidence: float,
    dataset: str | None,
) -> str:
    """Return the card of an adapter (report/cards/adapter.md).

    Parameters
    ----------
    about : ``repository``, ``title``, ``base`` (``name``, ``label``, ``revision``, and ``hub``: whether it is there),
        ``method`` (its config), ``prompts`` (ids of their sources) and ``steerings`` (templates by name)
    spec : the adapter's spec, from its identity
    scores : by benchmark, the adapter's score and that of the student without an adapter
    dataset : the repository of its training set, if that is published too
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    base = about["base"]
    licence, words = licence_of([base["name"]] if base["hub"] else [])
    results, evaluated = [], []
    for name, (score, initial) in scores.items():
        entry = benchmarks[name]
        metric, label, arrow = MEASURES[entry["kind"]]
        row = dict(label=entry["label"], arrow=arrow, n=score["problems"])
        results.append(row | {"value": interval(score), "initial": interval(initial)})
        if score["value"] is not None:
            evaluated.append(
                EvalResult(
                    task_type="text-generation",
                    dataset_type=entry["source"].get("hub", name),
                    dataset_name=entry["label"],
                    metric_type=metric,
                    metric_name=f"{label}, with its {confidence * 100:g} % interval: {interval(score)}",
                    metric_value=float(format_value(score["value"])),
                )
            )
    facts = ModelCardData(
        base_model=base["name"] if base["hub"] else None,
        datasets=[dataset] if dataset else None,
        language="en",
        library_name="peft",
        license=licence,
        license_name="see-below" if licence == "other" else None,
        tags=["lora", "safety", "reasoning", "thinksafe"],
        pipeline_tag="text-generation",
        model_name=about["title"],
        eval_results=evaluated or None,
    )
    shown = dict(spec=spec, results=results, confidence=f"{confidence * 100:g}", dataset=dataset, licence=words)
    return _card(ModelCard, facts, "adapter", about | shown)


def dataset_card(about: Row, statistics: Mapping[str, Row], rows: int, overlap: Mapping[str, int]) -> str:
    """Return the card of a training set (report/cards/dataset.md); ``about`` as in `adapter_card`.

    ``statistics`` are the filter's, by half; ``overlap`` is how many prompts the set shares with each benchmark.
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    base, prompts = about["base"], about["prompts"]
    licence, words = licence_of([*prompts, *([base["name"]] if base["hub"] else [])])
    facts = DatasetCardData(
        language="en",
        license=licence,
        license_name="see-below" if licence == "other" else None,
        task_categories=["text-generation"],
        size_categories=[next(name for limit, name in SIZES if rows < limit)],
        tags=["safety", "reasoning", "thinksafe", "not-for-all-audiences"],
        source_datasets=[name for name in prompts if "://" not in name] or None,
        pretty_name=about["title"],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]}],
    )
    return _card(DatasetCard, facts, "dataset", about | dict(statistics=statistics, overlap=overlap, licence=words))


def _card(kind: Any, facts: Any, name: str, shown: Row) -> str:
    data = fill("cards/data.md", **{key: shown[key] for key in ("method", "prompts", "steerings")})
    template = str(ROOT / f"report/cards/{name}.md")
    return str(kind.from_template(facts, template_path=template, data=data, **shown))
