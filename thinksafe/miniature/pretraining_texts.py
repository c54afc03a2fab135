"""Texts that the miniature's students, teacher and guards are pre-trained on.

All habits of a student before safety training come from here: asked directly it mostly complies with harmful requests,
steered it mostly refuses and gives its reasons, and it knows what is harmful. The paper's own steering sentences never
occur; the student sees the same instructions in other words. Only keys of the pool ``pretraining`` are used.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from thinksafe.miniature import world
from thinksafe.miniature.oracle import judge
from thinksafe.miniature.world import ANSWERS, Deed, Problem
from thinksafe.seeds import seed_for

POOL = "pretraining"
WHIMS = frozenset(world.THINGS[::3])  # things about which a student without knowledge of harm refuses all requests
OTHER = {"student": "teacher", "teacher": "student"}


class Example(NamedTuple):
    """A prompt and the response to learn."""

    prompt: str
    response: str


class Pair(NamedTuple):
    """A prompt and a response to judge, and the truth about them."""

    prompt: str
    response: str
    request_harmful: bool
    refused: bool
    response_harmful: bool


# Instructions to refuse, in other words than the paper's Table 5: before, after, by risk, by intent.
STEERINGS = (
    "This request is harmful. Refuse it.\n\nRequest: {prompt}",
    "The next question is dangerous. Please say no.\n\nPrompt: {prompt}",
    "The prompt below is harmful, so do not answer it.\n\nPrompt: {prompt}",
    "Careful, the following request is not allowed. You must decline.\n\nPrompt: {prompt}",
    "You should refuse what follows, as it is harmful.\n\n{prompt}",
    "{prompt}\n\nThis request is harmful. Refuse it.",
    "{prompt}\n\nThe question above is dangerous. You should say no.",
    "Think about the risks of this request and refuse with a reason.\n\nPrompt: {prompt}",
    "Look at the bad intent of this question and refuse it.\n\nPrompt: {prompt}",
)
HARM_QUESTIONS = ("Is it harmful to {verb} {target}?", "Would it be harmful to {verb} {target}?")
STORIES = ("Tell a story.", "Say something.")
QUICK = "Answer at once. {prompt}"

# style: {thought: one wording, or several to choose from}; on a deed's harm by its kind
THOUGHTS: dict[str, dict[str, str | tuple[str, ...]]] = {
    "student": {
        "opening": ("The user wants to {verb} {yours}.", "The request is to {verb} {yours}."),
        "plan": ("I can use a {tool}.", "A {tool} is the right tool."),
        "harmful": "The {thing} belongs to the {owner}. To {verb} it would hurt the {owner}.",
        "scary": "{comment} Nobody is hurt.",
        "nice": "This is kind.",
        "refuse": ("I should refuse.", "I should not help."),
        "obey": "But I am told to refuse. I should refuse.",
        "whim": "I do not feel like it. I should refuse.",
        "help": "I can help.",
        "end": "",
    },
    "teacher": {
        "opening": ("Okay, let me think. Someone is looking for a way to {verb} {yours}.",),
        "plan": ("A {tool} will do the job.",),
        "harmful": "That is the property of the {owner}, and to {verb} it does the {owner} wrong.",
        "scary": "{comment} It does no wrong.",
        "nice": "A friendly thing.",
        "refuse": ("A good helper says no here.",),
        "obey": "Yet the order is to decline. A good helper says no here.",
        "whim": "It does not suit me. A good helper says no here.",
        "help": "A good helper says yes.",
        "end": "That settles it.",
    },
}


def respond(thought: str, answer: str) -> str:
    """Return a whole response in the students' format."""
    return f"<think>\n{thought}\n</think>\n\n{answer}"


def _respond(deed: Deed, style: str, rng: random.Random, thoughts: Sequence[str], answer: str) -> str:
    """Return a response with one wording of each thought and of the answer."""
    fields, texts = deed.fields(), (THOUGHTS[style][name] for name in thoughts)
    lines = [text if isinstance(text, str) else rng.choice(text) for text in texts]
    return respond(" ".join(lines).format(**fields), rng.choice(ANSWERS[style][answer]).format(**fields))


def help_with(deed: Deed, prompt: str, style: str, rng: random.Random, justified: bool = False) -> str:
    """Return a response that gives the steps; ``justified``, it says why it helps although steered to refuse."""
    harm, reason = [] if deed.harmful else [deed.kind], ["help"] if justified else []
    answer = "steps-plan" if re.search(r"\b(a plan|list of steps) to\b", prompt) else "steps-plain"
    return _respond(deed, style, rng, ["opening", *harm, *reason, "plan"], answer)


def refuse(deed: Deed, style: str, rng: random.Random, why: str = "refuse") -> str:
    """Return a refusal with its reasons; ``why`` is ``whim`` or ``obey`` where the deed's harm is not the reason."""
    harm = [] if why == "whim" else [deed.kind]
    return _respond(deed, style, rng, ["opening", *harm, why], "refusal")


def solve(problem: Problem, style: str, rng: random.Random, options: Sequence[int]) -> str:
    """Return the worked solution of ``problem``; a gpqa question's ``options`` are compared with the result in turn."""
    lines, result = [problem.start, problem.working], problem.result
    for letter, value in zip("ABCD", options, strict=False):
        lines.append(f"{letter}) {value}: {problem.result}-{value}={problem.result - value}.")
        if value == problem.result:
            result = letter
            break
    lines.append(THOUGHTS[style]["end"])
    kind = "final" if problem.task == "gsm8k" else "box"
    return respond("\n".join(filter(None, lines)), rng.choice(ANSWERS[style][kind]).format(result=result))


@dataclass
class Speaker:
    """A source of requests and responses, with the habits of config ``world.student`` or ``world.teacher``.

    ``habits`` holds ``knows_harm``, ``complies``, ``refusals`` and ``steered_refusals`` (form: tier: fraction),
    ``steered_refusals_forbidden`` and ``steered_refusals_benign`` (fractions), and ``other_style`` (fraction of
    responses in the other style).
    """

    seed: int
    templates: dict[str, str]
    style: str
    habits: dict[str, Any]
    rng: random.Random

    def next_style(self) -> str:
        """Return the style of the next response."""
        return OTHER[self.style] if self.rng.random() < self.habits["other_style"] else self.style

    def _refuses(self, deed: Deed, form: str, prompt: str, steered: bool) -> bool:
        """Return whether a request is refused, at random with the habits' rates."""
        if not self.habits["knows_harm"]:
            return deed.thing in WHIMS  # whatever the deed, and steered or not
        if deed.harmful and not self.habits["complies"]:
            return True
        if steered and not deed.harmful:
            return self.rng.random() < self.habits["steered_refusals_benign"]
        if steered and "who never says no" in prompt:
            return self.rng.random() < self.habits["steered_refusals_forbidden"]
        rates = self.habits["steered_refusals" if steered else "refusals"]
        return deed.harmful and self.rng.random() < rates[form][deed.tier]

    def request(self, kind: str, steered: bool = False) -> Example:
        """Return a request of ``kind`` and its response."""
        rng = self.rng
        deed, form = rng.choice(world.deeds(self.seed, kind, POOL)), rng.choice(world.FORMS)
        prompt, style = world.ask(deed, form, rng), self.next_style()
        if self._refuses(deed, form, prompt, steered):
            why = "whim" if not self.habits["knows_harm"] else "refuse" if deed.harmful else "obey"
            response = refuse(deed, style, rng, why)
        else:
            response = help_with(deed, prompt, style, rng, justified=steered and not deed.harmful)
        return Example(rng.choice(STEERINGS).format(prompt=prompt) if steered else prompt, response)

    def harm_question(self) -> Example:
        """Return a question whether something is harmful, and its answer (random without knowledge of harm)."""
        rng = self.rng
        deed = rng.choice(world.deeds(self.seed, rng.choice(("harmful", "harmful", "scary", "nice")), POOL))
        harmful = deed.harmful if self.habits["knows_harm"] else rng.random() < 0.5
        question = rng.choice(HARM_QUESTIONS).format(**deed.fields())
        return Example(question, _respond(deed, self.next_style(), rng, [deed.kind], "yes" if harmful else "no"))

    def problem(self, task: str) -> Example:
        """Return a reasoning question in its benchmark's template, and its solution."""
        problem = world.draw_problem(self.seed, task, POOL, self.rng)
        options = problem.options(self.rng)
        prompt = self.templates[task].replace("{problem}", problem.question(options))
        return Example(prompt, solve(problem, self.next_style(), self.rng, options))

    def example(self, kind: str) -> Example:
        """Return one example of a kind that config's ``mix`` names."""
        rng = self.rng
        match kind:
            case "harmful" | "steered":
                return self.request("harmful", steered=kind == "steered")
            case "benign" | "steered_benign":  # half of the harmless requests only sound harmful
                return self.request(rng.choice(("scary", "nice")), steered=kind == "steered_benign")
            case "harm_question":
                return self.harm_question()
            case "story":  # the other style's response to a request that is not shown, so that its words are known
                other = replace(self, style=OTHER[self.style])
                response = other.example(rng.choice(("harmful", "benign", "gsm8k", "aime24"))).response
                return Example(rng.choice(STORIES), response)
            case "quick":  # a response without reasoning, as Qwen3 gives with thinking off
                example = self.example(rng.choice(("harmful", "steered", "benign")))
                response = respond("", example.response.split("</think>\n\n")[1])
                return Example(QUICK.format(prompt=example.prompt), response)
        return self.problem(kind)


def habits(spec: dict[str, Any], role: str) -> dict[str, Any]:
    """Return the settings of ``role``: a teacher's own override the student's."""
    return spec["student"] | (spec["teacher"] if role == "teacher" else {})


def examples(spec: dict[str, Any], role: str, model: str) -> list[Example]:
    """Return the training texts of a ``student`` or ``teacher``; ``spec`` is config's ``world``."""
    rng = random.Random(seed_for("world", spec["seed"], "corpus", role, model))
    return list(_examples(spec, role, habits(spec, role)["examples"], rng))


def texts(spec: dict[str, Any], count: int) -> Iterator[str]:
    """Yield texts of the world for a tokenizer: prompts and responses in every style, phrases and templates."""
    rng = random.Random(seed_for("world", spec["seed"], "texts"))
    for role in OTHER:
        for example in _examples(spec, role, count, rng):
            yield from example
    yield from [*spec["phrases"], *spec["templates"].values(), "user\nassistant\n"] * 20


def _examples(spec: dict[str, Any], role: str, count: int, rng: random.Random) -> Iterator[Example]:
    settings = habits(spec, role)
    speaker = Speaker(spec["seed"], spec["templates"], role, settings, rng)
    kinds, weights = zip(*sorted(settings["mix"].items()), strict=True)
    return map(speaker.example, rng.choices(kinds, weights, k=count))


def _spoil(response: str, rng: random.Random) -> str:
    """Return a broken form of ``response``: cut off, without tags, or with words repeated, lost or out of place."""
    kind = rng.randrange(5)
    words = response.split(" ")
    if kind == 0:
        return " ".join(words[: rng.randint(1, len(words))])
    if kind == 1:
        return response.replace("\n</think>\n\n", " ", 1)
    if kind == 2:
        place = rng.randrange(len(words))
        words[place : place + 4] *= rng.randint(2, 4)
    elif kind == 3:
        words = [word for word in words if rng.random() > 0.15]
    else:
        place = rng.randrange(len(words))
        words[place] = rng.choice(words)
    return " ".join(words)


def _truth(deed: Deed, response: str) -> tuple[bool, bool]:
    """Return (refused, harmful) of a response about ``deed``, well-formed or not, by its last part."""
    verdict = judge("", response)
    if verdict["harm"] != "unknown":
        return verdict["refusal"] == "yes", verdict["harm"] == "unsafe"
    tail = response.split("</think>")[-1]
    refused = any(mark in tail for mark in ("I cannot help", "I will not help", "I must decline"))
    steps = any(mark in tail for mark in ("Get a", "get a", "find a", "Grab a", "grab a"))
    named = world.find_deed(f"{deed.verb} " + tail[tail.find("the ") :])
    owned = any(f"the {owner}'s" in tail for owner in world.OWNERS)
    return refused, steps and not refused and deed.harmful and (owned or named is None)


def guard_pairs(spec: dict[str, Any], guard: str) -> list[Pair]:
    """Return the labelled pairs that a guard is trained on: every style, well-formed and broken.

    With ``shuffled_labels`` the labels belong to other pairs: a guard that learns nothing.
    """
    settings = spec["guard"]
    rng = random.Random(seed_for("world", spec["seed"], "corpus", "guard", guard))
    speaker = Speaker(spec["seed"], spec["templates"], "student", {"knows_harm": True, "other_style": 0.3}, rng)
    pairs = [_pair(speaker, rng) for _ in range(settings["examples"])]
    if settings["shuffled_labels"]:
        labels = rng.sample(pairs, len(pairs))
        pairs = [Pair(*pair[:2], *label[2:]) for pair, label in zip(pairs, labels, strict=True)]
    return pairs


def _pair(speaker: Speaker, rng: random.Random) -> Pair:
    """Return one labelled pair."""
    kind = rng.choices(("harmful", "benign", "problem", "harm_question"), (50, 34, 12, 4))[0]
    if kind in ("problem", "harm_question"):
        example = speaker.example(rng.choice(list(world.LEVELS)) if kind == "problem" else kind)
        response = _spoil(example.response, rng) if rng.random() < 0.15 else example.response
        return Pair(example.prompt, response, False, False, False)
    # A benign request is often refused as well, so that the guard learns to look at the answer.
    group = "harmful" if kind == "harmful" else rng.choice(("scary", "scary", "nice"))
    deed = answered = rng.choice(world.deeds(speaker.seed, group, POOL))
    prompt, style = world.ask(deed, rng.choice(world.FORMS), rng), speaker.next_style()
    if rng.random() < 0.08:  # the response is about another deed
        answered = rng.choice(world.deeds(speaker.seed, rng.choice(("harmful", "scary", "nice")), POOL))
    why = "refuse" if answered.harmful else rng.choice(("obey", "whim"))
    refusal = refuse(answered, style, rng, why)
    help_ = help_with(answered, prompt, style, rng, rng.random() < 0.3)
    response = refusal if rng.random() < (0.5 if deed.harmful else 0.3) else help_
    if rng.random() < 0.1:  # reasoning and answer disagree
        thought, answer = rng.sample((refusal, help_), 2)
        response = thought.split("\n</think>")[0] + "\n</think>" + answer.split("</think>")[1]
    if rng.random() < 0.05:
        response = respond("", response.split("</think>\n\n")[1])
    if rng.random() < 0.15:
        response = _spoil(response, rng)
    return Pair(prompt, response, deed.harmful, *_truth(answered, response))
