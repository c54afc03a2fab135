"""One harmful prompt, answered as it is, under refusal steering, and by a teacher (paper Sec. 1, Figure 2)."""

from collections.abc import Mapping, Sequence

from thinksafe.files import Row, read_rows, write_json
from thinksafe.models.responses import parts, well_formed
from thinksafe.seeds import seed_for

BEGINNING = {"prompt": 180, "reasoning": 260, "answer": 120}  # characters; harmful text is never quoted whole


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
    """Write the beginnings of what each voice said to one prompt, with the guard's verdict.

    The prompt is the first by hashing among those on which the student complies when asked directly and refuses when
    steered, all responses being well-formed; ``shows`` says how many of the ``prompts`` these are. Where there are
    none, it is the first of all that every voice has answered.

    Paper: Figure 2 is a concept drawing; this is a counterpart from real samples.

    Parameters
    ----------
    direct_responses, direct_verdicts, ... : paths of what each voice said, of which the first draw counts
        A published training set has no verdicts, and a run may have no teacher.
    public : leave out the prompt and all that was said to it

    Raises
    ------
    ValueError
        If no prompt was answered both directly and under steering.
    """
    said = {
        "teacher": _said(teacher_responses, teacher_verdicts),
        "direct": _said(direct_responses, direct_verdicts),
        "steered": _said(steered_responses, steered_verdicts),
    }
    if not teacher_responses:
        del said["teacher"]
    shared = [prompt for prompt in said["direct"] if all(prompt in found for found in said.values())]
    if not shared and "teacher" in said:  # a published set of other prompts
        del said["teacher"]
        shared = [prompt for prompt in said["direct"] if prompt in said["steered"]]
    if not shared:
        raise ValueError("figure 2: no prompt was answered both directly and under steering; are the responses empty?")
    showing = [prompt for prompt in shared if _shows({name: found[prompt] for name, found in said.items()})]
    prompt = min(showing or shared, key=lambda text: (seed_for("figure2", text), text))
    rows = []
    for name, found in said.items():
        row = found[prompt]
        reasoning, answer = parts(row["response"])
        texts = {"reasoning": beginning(reasoning, "reasoning"), "answer": beginning(answer, "answer")}
        rows.append(
            {"voice": name, "harm": row.get("harm"), "p_unsafe": row.get("p_unsafe"), "tokens": row.get("tokens")}
            | (dict.fromkeys(texts) if public else texts)
        )
    write_json(
        json,
        {
            "id": said["direct"][prompt]["id"],
            "prompt": None if public else beginning(prompt, "prompt"),
            "prompts": len(said["direct"]),
            "shared": len(shared),
            "shows": len(showing),
            "rows": rows,
        },
    )


def _said(responses: Sequence[str], verdicts: Sequence[str]) -> dict[str, Row]:
    """Return the first draw of each harmful prompt with its verdict, by the prompt's text."""
    judged = {row["id"]: row for row in read_rows(verdicts) if row["draw"] == 0} if verdicts else {}
    return {
        row["prompt"]: row | {name: judged.get(row["id"], {}).get(name) for name in ("harm", "p_unsafe")}
        for row in read_rows(responses)
        if row.get("draw", 0) == 0 and row.get("role", "harmful") == "harmful"
    }


def _shows(rows: Mapping[str, Row]) -> bool:
    """Return whether the responses to a prompt are what the figure is about."""
    return (
        rows["direct"]["harm"] == "unsafe"
        and rows["steered"]["harm"] == "safe"
        and rows.get("teacher", {}).get("harm") in ("safe", None)
        # What a published set kept ended by itself.
        and all(well_formed(row["response"], row.get("finish_reason", "stop")) for row in rows.values())
    )


def beginning(text: str | None, kind: str) -> str | None:
    """Return the beginning of a text in one line, cut between words, with an ellipsis where something is left out."""
    if text is None:
        return None
    line = " ".join(text.split())
    if len(line) <= BEGINNING[kind]:
        return line
    head = line[: BEGINNING[kind]]
    return (head.rpartition(" ")[0] or head) + " …"


if __name__ == "__main__":
    from thinksafe.jobs.start import start

    start(snakemake, __file__)
