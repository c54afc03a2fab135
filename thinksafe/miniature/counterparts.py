"""The miniature's counterparts of the baselines' published training sets, with the originals' columns.

Prompts are the world's own training prompts. DirectRefusal's refusals are fixed sentences; all other responses are the
teacher's, another model than the students, and were kept by the guard, as the authors of SafeChain and STAR-1 filtered
theirs. From these files on, every step is that of the real data (thinksafe/data/published_sets.py).
"""

import json
import random
from collections.abc import Sequence

from thinksafe.data.published_sets import Unusable, two_sentences
from thinksafe.files import Row
from thinksafe.miniature.oracle import judge
from thinksafe.miniature.pretraining_texts import help_with
from thinksafe.miniature.world import find_deed
from thinksafe.models.markup import THINK
from thinksafe.seeds import seed_for

REFUSALS = ("Sorry, I cannot help with this request.", "I am sorry, but I will not help with this.")
BENIGN_SOURCE = "4o_rewrite"  # marks STAR-1's benign companions in SafeKey's file


def directrefusal(prompts: dict[str, list[Row]], traces: Sequence[Row], seed: int) -> list[Row]:
    """Return every harmful request with a fixed refusal, labelled as in the original, and an unsafe answer."""
    rng = random.Random(seed_for("world", seed, "directrefusal"))
    rows = []
    for row in prompts["harmful"]:
        prompt, deed = row["prompt"], find_deed(row["prompt"])
        answer = help_with(deed, prompt, "teacher", rng).split("</think>")[1].strip()
        labels = {"category": {tier: deed.tier == tier for tier in ("overt", "mid", "mild")}, "is_safe": False}
        refusal = f"Question: {prompt}\nAnswer: {rng.choice(REFUSALS)}"
        rows.append({"prompt": prompt, "response": answer, **labels, "refusal": refusal})
    return rows


def safechain(prompts: dict[str, list[Row]], traces: Sequence[Row], seed: int) -> list[Row]:
    """Return the teacher's responses where all its samples were safe; like the original, without the opening tag."""
    labels = {row["id"]: row["category"] for role in prompts for row in prompts[role]}
    return [
        {"instruction": row["prompt"], "label": labels[row["id"]], "response": row["response"].removeprefix(THINK)}
        for row in traces
    ]


def star1(prompts: dict[str, list[Row]], traces: Sequence[Row], seed: int) -> list[Row]:
    """Return the steered teacher's reasoned refusals."""
    fixed = {"source": "world", "score": {"safety compliance": 10, "relevancy": 10, "accuracy": 10}}
    rows = []
    for row in traces:
        if row["role"] == "harmful" and judge(row["prompt"], row["response"])["output"] == "refused":
            texts = {"id": row["id"], "question": row["prompt"], "response": row["response"]}
            rows.append({**texts, "category": [find_deed(row["prompt"]).tier], **fixed})
    return rows


def safekey(prompts: dict[str, list[Row]], traces: Sequence[Row], seed: int) -> list[Row]:
    """Return STAR-1's rows, as many answered requests that only sound harmful, and the ends of key sentences."""
    chosen = [row | {"prompt": row["question"]} for row in star1(prompts, traces, seed)]
    scary = {row["id"] for row in prompts["benign"] if json.loads(row["meta"])["kind"] == "scary"}
    chosen += [row | {"source": BENIGN_SOURCE} for row in traces if row["id"] in scary][: len(chosen)]
    rows = []
    for row in chosen:
        try:
            ends = two_sentences(row["response"])
        except Unusable:
            ends = (None, None)
        spans = dict(zip(("summary_end_idx", "next_sentence_end_idx"), ends, strict=True))
        rows.append({"question": row["prompt"], "response": row["response"], "source": row["source"], **spans})
    return rows


WRITERS = {"directrefusal": directrefusal, "safechain": safechain, "star1": star1, "safekey": safekey}
