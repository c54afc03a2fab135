"""Figure 2: one harmful prompt answered directly, under refusal steering, and by a teacher (paper Sec. 1)."""

from collections.abc import Mapping, Sequence

from thinksafe.files import Row, read_rows, write_json
from thinksafe.jobs.start import start
from thinksafe.models.responses import parts, thinks, well_formed
from thinksafe.seeds import seed_for

BEGINNING = {"prompt": 180, "reasoning": 260, "answer": 120}  # characters; harmful text is never quoted in full


def write_figure2_table(
    direct_responses: Sequence[str],
    direct_verdicts: Sequence[str],
    steered_responses: Sequence[str],
    steered_verdicts: Sequence[str],
    teacher_responses: Sequence[str],
    teacher_verdicts: Sequence[str],
    public: bool,
    json: str,
) -> None:
    """Write the beginnings of the responses of each voice to one prompt, with the guard's verdicts.

    The prompt is the first by hash of those on which the student complies when asked directly and refuses when steered,
    with well-formed responses only; ``shows`` is their number. Without any, it is the first of all prompts that every
    voice has answered.

    Paper: Figure 2 is a concept drawing; this is a counterpart from real samples.

    Parameters
    ----------
    direct_responses, direct_verdicts, ... : paths of each voice's responses and verdicts; the first sample counts
        A published training set has no verdicts, and a run may have no teacher.
    public : leave out the prompt and the responses

    Raises
    ------
    ValueError
        If no prompt was answered both directly and under steering.
    """
    voices = {
        "teacher": _first_samples(teacher_responses, teacher_verdicts),
        "direct": _first_samples(direct_responses, direct_verdicts),
        "steered": _first_samples(steered_responses, steered_verdicts),
    }
    shared = [prompt for prompt in voices["direct"] if prompt in voices["steered"]]
    if not shared:
        raise ValueError("figure 2: no prompt was answered both directly and under steering; are the responses empty?")
    taught = [prompt for prompt in shared if prompt in voices["teacher"]]
    if taught:
        shared = taught
    else:  # no teacher, or a published set of other prompts
        del voices["teacher"]
    showing = [prompt for prompt in shared if _shows({name: found[prompt] for name, found in voices.items()})]
    prompt = min(showing or shared, key=lambda text: (seed_for("figure2", text), text))
    rows = []
    for name, found in voices.items():
        row = {"voice": name} | {key: found[prompt].get(key) for key in ("harm", "p_unsafe", "tokens")}
        texts = zip(("reasoning", "answer"), parts(found[prompt]["response"], thinks(found[prompt])), strict=True)
        rows.append(row | {kind: None if public else beginning(text, kind) for kind, text in texts})
    numbers = {"prompts": len(voices["direct"]), "shared": len(shared), "shows": len(showing)}
    text = None if public else beginning(prompt, "prompt")
    write_json(json, {"id": voices["direct"][prompt]["id"], "prompt": text, "rows": rows} | numbers)


def _first_samples(responses: Sequence[str], verdicts: Sequence[str]) -> dict[str, Row]:
    """Return the first sample of each harmful prompt with its verdict, by the prompt's text."""
    judged = {row["id"]: row for row in read_rows(verdicts) if row["draw"] == 0}
    return {
        row["prompt"]: row | {name: judged.get(row["id"], {}).get(name) for name in ("harm", "p_unsafe")}
        for row in read_rows(responses)
        if row.get("draw", 0) == 0 and row.get("role", "harmful") == "harmful"
    }


def _shows(rows: Mapping[str, Row]) -> bool:
    """Return whether the responses to a prompt show what the figure is about."""
    return (
        rows["direct"]["harm"] == "unsafe"
        and rows["steered"]["harm"] == "safe"
        and rows.get("teacher", {}).get("harm") in ("safe", None)
        # Responses of a published set have no finish reason; they are complete.
        and all(well_formed(row["response"], row.get("finish_reason", "stop"), thinks(row)) for row in rows.values())
    )


def beginning(text: str | None, kind: str) -> str | None:
    """Return the beginning of a text in one line, cut between words, with an ellipsis if something is left out."""
    if text is None:
        return None
    line = " ".join(text.split())
    if len(line) <= BEGINNING[kind]:
        return line
    head = line[: BEGINNING[kind]]
    return (head.rpartition(" ")[0] or head) + " …"


if __name__ == "__main__":
    start(snakemake, __file__)
