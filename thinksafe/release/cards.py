"""Cards of published adapters and training sets: what their users must know, from the run's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from thinksafe.files import Row
from thinksafe.provenance.digests import ROOT
from thinksafe.reporting.tables import format_value

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


def data_text(method: Row, prompts: Sequence[str], steerings: Mapping[str, str]) -> str:
    """Return how a method's training set is made, in words."""
    data = method.get("data", {})
    if "corpus" in data:
        return f"Trained on the published data that the workflow calls `{data['corpus']}`."
    if "released" in data:
        where = ", ".join(data["released"]) or "a file"
        return f"Trained on a set that others have released, not on responses sampled by this run: {where}."
    if "base_method" in data:
        whose = f"of a teacher, {data['from']}" if "from" in data else "of the student"
        return f"Derived from the set of `{data['base_method']}` {whose}."
    if "grpo" in method:
        return (
            "Trained online (GRPO) on the student's own responses, rewarded by a guard's P(safe) and a well-formed "
            "think block."
        )
    lines = [f"Prompts: {', '.join(prompts) or 'written by the workflow'}."]
    for role in ("harmful", "benign"):
        template = steerings[data[role]["steering"]]
        quoted = template.strip().replace("\n", "\n> ")
        how = " to the prompt as it is." if template == "{prompt}" else f", to the prompt put as:\n\n> {quoted}\n\n"
        lines.append(f"For each {role} prompt the student itself wrote {data[role]['samples']} response(s){how}")
    return " ".join([*lines, f"A response was kept if the guard `{data['guard']}` calls it safe."])


def settings_of(spec: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return an adapter's settings of training, from its identity's spec."""
    training = spec["training"]
    lora = training["lora"]
    settings = [
        ("epochs", spec["epochs"]),
        ("loss", "GRPO" if "grpo" in spec else ", ".join(spec.get("loss") or {"nll": {}})),
        ("learning rate", training["learning_rate"]),
        ("schedule", f"{training['schedule']}, warm-up {training['warmup']}"),
        ("LoRA rank, alpha, dropout", f"{lora['rank']}, {lora['alpha']}, {lora['dropout']}"),
        ("LoRA targets", ", ".join(lora["targets"])),
        ("numbers", training["dtype"]),
        ("seed", "/".join(map(str, spec["seed"]))),
    ]
    if "grpo" in spec:
        grpo = spec["grpo"]
        settings += [(name, grpo[name]) for name in ("rollouts", "prompts_per_step", "beta", "epsilon", "temperature")]
    else:
        settings.append(("rows per step", training["batch_size"]))
    return settings


def interval(score: Mapping[str, Any] | None) -> str:
    """Return a value with its interval as text, or a dash if there is none."""
    if not score or score.get("value") is None:
        return "–"
    return f"{format_value(score['value'])} ({format_value(score['low'])} to {format_value(score['high'])})"


def adapter_card(
    repository: str,
    title: str,
    base: Row,
    method: Row,
    prompts: Sequence[str],
    steerings: Mapping[str, str],
    spec: Row,
    scores: Mapping[str, tuple[Row, Row | None]],
    benchmarks: Mapping[str, Row],
    confidence: float,
    dataset: str | None,
) -> str:
    """Return the card of an adapter.

    Parameters
    ----------
    base : ``name``, ``label``, ``revision`` and ``hub`` (whether it is on the hub)
    method : its config, with ``label``
    prompts : ids of the sources of its prompts
    spec : the adapter's spec, from its identity
    scores : by benchmark, the adapter's score and that of the student without an adapter
    benchmarks : their config
    dataset : the repository of its training set, if that is published too
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    licence, words = licence_of([base["name"]] if base["hub"] else [])
    results = []
    evaluated = []
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
        model_name=title,
        eval_results=evaluated or None,
    )
    return str(
        ModelCard.from_template(
            facts,
            template_path=str(ROOT / "report/cards/adapter.md"),
            title=title,
            base=base["name"],
            base_label=base["label"],
            revision=base["revision"],
            built=not base["hub"],
            method=method["label"],
            data=data_text(method, prompts, steerings)
            + (f" The set: [{dataset}](https://huggingface.co/datasets/{dataset})." if dataset else ""),
            settings=settings_of(spec),
            results=results,
            confidence=f"{confidence * 100:g}",
            repository=repository,
            licence=words,
        )
    )


def dataset_card(
    repository: str,
    title: str,
    base: Row,
    method: Row,
    prompts: Sequence[str],
    steerings: Mapping[str, str],
    statistics: Mapping[str, Row],
    rows: int,
    overlap: Mapping[str, int],
) -> str:
    """Return the card of a training set.

    Parameters
    ----------
    statistics : by half, the counts of kept and dropped prompts that the filter wrote
    rows : count of the whole set
    overlap : by benchmark, how many of the prompts it shares
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    licence, words = licence_of([*prompts, *([base["name"]] if base["hub"] else [])])
    facts = DatasetCardData(
        language="en",
        license=licence,
        license_name="see-below" if licence == "other" else None,
        task_categories=["text-generation"],
        size_categories=[next(name for limit, name in SIZES if rows < limit)],
        tags=["safety", "reasoning", "thinksafe", "not-for-all-audiences"],
        source_datasets=[name for name in prompts if "://" not in name] or None,
        pretty_name=title,
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]}],
    )
    halves = []
    for role, half in statistics.items():
        dropped = [f"{count} {reason.replace('_', ' ')}" for reason, count in half["dropped"].items() if count]
        halves.append({**half, "role": role, "dropped": ", ".join(dropped) or "none"})
    found = ", ".join(f"{count} in {name}" for name, count in overlap.items() if count)
    return str(
        DatasetCard.from_template(
            facts,
            template_path=str(ROOT / "report/cards/dataset.md"),
            title=title,
            base=base["name"],
            revision=base["revision"],
            method=method["label"],
            data=data_text(method, prompts, steerings),
            halves=halves,
            repository=repository,
            licence=words,
            overlap=f"Some of its prompts also occur in the run's benchmarks: {found}."
            if found
            else "None of its prompts occurs in the run's benchmarks.",
        )
    )
