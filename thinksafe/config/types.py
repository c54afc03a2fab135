"""Every key that a config may hold, one type per section. Unknown keys are refused.

Attributes have the names of the merged config's keys. An optional key that is absent is None. Numbers and booleans may
be given as text, since the command line passes text and YAML 1.1 reads 1e-5 as text. The comment on a key is its
description in config/config.schema.yaml, which is generated from this file:
``python -m thinksafe.config.types > config/config.schema.yaml``.
"""

import ast
import math
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticCustomError


# ---------------------------------------------------------------- values
def _number(value: Any) -> float:
    with suppress(TypeError, ValueError):
        if not isinstance(value, bool) and math.isfinite(number := float(value)):
            return number
    raise ValueError(f"must be a number, not {value!r}")


def _integer(value: Any) -> int:
    with suppress(ValueError):
        number = int(value) if isinstance(value, str) and value.strip().isdecimal() else _number(value)
        if number == int(number):
            return int(number)
    raise ValueError(f"must be a whole number, not {value!r}")


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"must be text, and is read as {value!r}; put it in quotes")
    return str(value)


def _day(value: Any) -> str:
    with suppress(TypeError, ValueError):
        return (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
    raise ValueError(f"must be a day such as 2026-01-31, not {value!r}")


def _distinct(values: list) -> list:
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if twice:
        raise ValueError(f"{', '.join(map(str, dict.fromkeys(twice)))} is listed more than once")
    return values


# Listed after the bounds, so that the bounds apply to the converted value.
WHOLE, NUMBER, TEXT = BeforeValidator(_integer), BeforeValidator(_number), BeforeValidator(_text)
DAY = BeforeValidator(_day)

Natural = Annotated[int, Field(ge=0), WHOLE]
Count = Annotated[int, Field(ge=1), WHOLE]
NonNegative = Annotated[float, Field(ge=0), NUMBER]
Positive = Annotated[float, Field(gt=0), NUMBER]
Fraction = Annotated[float, Field(ge=0, le=1), NUMBER]
BelowOne = Annotated[float, Field(ge=0, lt=1), NUMBER]
Text = Annotated[str, TEXT]
Filled = Annotated[str, Field(min_length=1), TEXT]
Id = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9.-]*$"), TEXT]
Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$"), TEXT]
LABEL = 'Name in tables and figures: one line that does not begin with "_" (figures leave such names out).'
ONE_LINE = r"^[^_\s\x00-\x1f\x7f][^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
Label = Annotated[str, Field(pattern=ONE_LINE, description=LABEL), TEXT]
DType = Literal["bfloat16", "float16", "float32"]
# fmt: off
Published = Literal[
    "safechain.parquet", "directrefusal.parquet", "star-1.json", "star-benign.json", "harmbench.json",
    "strongreject.csv", "wildjailbreak.tsv", "xstest.csv", "aime24.parquet", "gsm8k.jsonl", "math500.jsonl", "gpqa.csv",
]
# fmt: on
Task = Literal["aime24", "gsm8k", "math500", "gpqa"]

UNIQUE = Field(json_schema_extra={"uniqueItems": True})
# A choice keeps its order, that of tables. Texts are sorted, so that reordering them makes nothing stale.
Choice = Annotated[list[Text], Field(min_length=1), AfterValidator(_distinct), UNIQUE]
Names = Annotated[list[Filled], Field(min_length=1), AfterValidator(_distinct), UNIQUE]
Texts = Annotated[list[Text], AfterValidator(_distinct), AfterValidator(sorted), UNIQUE]
SomeTexts = Annotated[list[Text], Field(min_length=1), AfterValidator(_distinct), AfterValidator(sorted), UNIQUE]


# ---------------------------------------------------------------- kinds of sections
class Section(BaseModel):
    """A mapping with fixed keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Variant(Section):
    """A section that holds exactly one of the keys ``ONE_OF``; each key of ``NEEDS`` needs another one."""

    ONE_OF: ClassVar[tuple[str, ...]]
    NEEDS: ClassVar[dict[str, str]] = {}

    @model_validator(mode="after")
    def _fit_together(self) -> "Variant":
        keys = plain(self).keys()
        kinds = [key for key in self.ONE_OF if key in keys]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            problems = {"": f"needs exactly one of {', '.join(self.ONE_OF)}, not {found}"}
        else:
            lacking = {key: missing for key in keys if (missing := self._missing(key, keys))}
            problems = {
                key: f"needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} missing"
                for key, missing in lacking.items()
            }
        if problems:
            raise PydanticCustomError("misfit", "keys do not fit together", {"problems": problems})
        return self

    def _missing(self, key: str, keys: Collection[str]) -> list[str]:
        """Return the keys that ``key`` needs, directly or through others, as far as the section lacks them."""
        found: list[str] = []
        while (key := self.NEEDS.get(key, "")) and key not in (*keys, *found):
            found.append(key)
        return found


def partial(name: str, section: type[Section], *required: str) -> type[Any]:
    """Return a section with the keys of another, all optional except ``required``."""
    fields: dict[str, Any] = {}
    for key, field in section.model_fields.items():
        if key not in required and field.is_required():
            kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
            fields[key] = (kind | None, Field(None, description=field.description))
    return create_model(name, __base__=section, **fields)


# ---------------------------------------------------------------- where models and rows come from
class ModelSource(Variant):
    """Where the weights come from, of exactly one kind."""

    ONE_OF = ("hub", "folder", "built")
    NEEDS = {"revision": "hub", "shape": "built"}

    hub: Repository | None = None  # Repository on the Hugging Face hub.
    revision: Filled | None = None  # Commit, tag or branch on the hub; the lock's commit when absent.
    folder: Filled | None = None  # Folder in the Hugging Face layout.
    # Model that this workflow trains in its synthetic world.
    built: Literal["student", "teacher", "guard"] | None = None
    # Which of the paper's students a built model is shaped like (thinksafe/miniature/shapes.py); by default as its
    # family is in the miniature.
    shape: Literal["qwen3", "qwen3-8b", "r1-qwen", "r1-llama"] | None = None


class DataSource(Variant):
    """Where the rows come from, of exactly one kind."""

    ONE_OF = ("hub", "url", "file", "world", "published")
    NEEDS = {"config": "hub", "split": "hub", "revision": "hub", "hub": "split", "url": "sha256", "sha256": "url"}

    hub: Repository | None = None  # Dataset on the Hugging Face hub.
    config: Filled | None = None  # The dataset's configuration on the hub.
    split: Filled | None = None  # The dataset's split on the hub.
    revision: Filled | None = None  # Commit, tag or branch on the hub; the lock's commit when absent.
    url: Annotated[str, Field(pattern="^https?://"), TEXT] | None = None  # Address of one file.
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$"), TEXT] | None = None  # Digest of that file.
    # File on this machine: .json, .jsonl, .csv, .tsv or .parquet, perhaps with .gz, .bz2 or .xz behind it.
    file: Annotated[str, Field(pattern=r"\.(json|jsonl|csv|tsv|parquet)(\.(gz|bz2|xz))?$"), TEXT] | None = None
    world: Filled | None = None  # Set that the synthetic world yields.
    # File in a published set's own format that the synthetic world yields (the rehearsal).
    published: Published | None = None
    # Encoding of a text file, such as cp1252; when absent, that of its byte-order mark or UTF-8.
    encoding: Filled | None = None


class Columns(Section):
    """Names of the source's columns, by what they hold."""

    prompt: Filled | None = None  # The whole prompt.
    response: Filled | None = None  # The response to learn (corpora).
    query_end: Filled | None = None  # Offset in the response at which the query is understood (safekey).
    key_end: Filled | None = None  # Offset in the response at which the key sentence ends (safekey).
    category: Filled | None = None  # Category of the prompt.
    problem: Filled | None = None  # The question that `template` asks.
    answer: Filled | None = None  # The right answer.
    correct: Filled | None = None  # The right choice of a multiple-choice question.
    incorrect: Names | None = None  # The wrong choices.


class RowSet(Section):
    """Rows of a source: which of its columns and which of its rows."""

    source: DataSource
    columns: Columns
    where: dict[Text, SomeTexts] = {}  # Rows whose column, as text, is one of the values; all columns must agree.
    contains: dict[Text, Filled] = {}  # Rows whose column, as text, contains the text.
    # The values of a column in `where` whose rows are left out; a row with a value in neither is an error. An overlay
    # that gives `where`, `contains` or `rows` does not inherit it.
    leave_out: dict[Text, SomeTexts] | None = None
    # Rows that the source must have before filtering; another number is an error. An overlay that gives
    # `where`, `contains` or `rows` does not inherit it.
    source_rows: Count | None = None
    # Rows that must remain after filtering; another number is an error. `make plan` uses it.
    rows: Count | None = None


class PromptSet(RowSet):
    """Prompts that training responses are sampled for."""

    take: Count | None = None  # Number of prompts used, drawn once for all students; all when absent.
    approx_rows: Count | None = None  # Prompts expected; only `make plan` uses it.


class CorpusPart(RowSet):
    """The harmful or the benign rows of a training set."""

    take: Count | None = None  # Rows used; all when absent.
    # Which rows are used: the first ones, or some drawn by the data seed.
    order: Literal["first", "random"] | None = None


# ---------------------------------------------------------------- what is run
class Select(Section):
    """The students, methods and benchmarks of this run."""

    students: Choice  # Ids under `models` to align and evaluate.
    methods: Choice  # Ids under `methods`; `initial` is always one of them.
    benchmarks: Choice  # Ids under `benchmarks`.


class Hub(Section):
    """Models and data sets from the Hugging Face hub (docs/running-the-paper.md)."""

    lock: Filled  # File with the commit of each model and data set, written by `snakemake lock_hub`.
    # Ids on the hub whose locked commits `snakemake lock_hub` may update.
    accept: Annotated[list[Filled], AfterValidator(_distinct), AfterValidator(sorted), UNIQUE] = []


class Seeds(Section):
    """Seeds, hashed with the replicate and the request."""

    data: Natural  # Seed of the training samples, and of the choice of the one that is kept.
    training: Natural  # Seed of weights that start at random, of the order of rows, and of dropout.
    evaluation: Natural  # Seed of the answers to the benchmarks.


class JudgeStudy(Section):
    """Verdicts of several guards and views on the stored answers to the harm benchmarks (docs/judges.md)."""

    guards: Texts  # Ids under `guards` that judge in both views, the full response and the answer alone.
    in_all: bool  # Whether `all` includes the study.


class Shards(Section):
    """Number of shards that a list of requests is split into, one job each."""

    data: Count  # Shards of a set of training responses.
    safety: Count  # Shards of a harm or refusal benchmark.
    reasoning: Count  # Shards of a reasoning benchmark.


class Scoring(Section):
    """How answers are scored."""

    # Environment that reasoning answers are compared in; scoring-py310 needs --sdm conda.
    environment: Literal["scoring", "scoring-py310"]
    timeout_seconds: Positive  # Time limit of one comparison in seconds.
    confidence: Annotated[float, Field(gt=0, lt=1), NUMBER]  # Level of the intervals.
    min_effect: Positive  # Points that a method must gain to count as helping.


class Report(Section):
    """The page of a run (docs/report.md)."""

    public: bool  # Whether texts that may be harmful are left out of the file.
    samples: Natural  # Approximate number of responses that the page holds for reading.


# ---------------------------------------------------------------- models and guards
class Chat(Section):
    """What the chat templates of a family's models do not define (`snakemake chat` prints it)."""

    # What the model writes before and after its reasoning, such as [<think>, </think>], with any line breaks that are
    # part of it; checked against the template where that shows it. none - the model does not think.
    think: Literal["none"] | Annotated[list[Filled], Field(min_length=1)] | None = None
    # Whether the generation prompt opens the think block; checked against the template.
    opens_think: bool | None = None
    stop: Names | None = None  # Tokens that end a response; the first ends the turns learnt.
    system: Text | None = None  # System prompt, for models that think only when it asks them to.
    options: dict[str, Any] | None = None  # Further arguments of the chat template, such as {enable_thinking: true}.
    # The day that a template takes for today, such as 2026-01-01, which is also the default.
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), DAY] | None = None


class Family(Section):
    """A chat format with its decoding; each family has a table of its own."""

    # Number of the table that shows this family; by default the table has the family's name.
    table: Count | None = None
    chat: Chat | None = None  # What its models' chat templates do not define (`snakemake chat` prints it).


class Model(Section):
    """A student or a teacher."""

    label: Label
    size: Filled  # Size as a table's column shows it, such as 0.6B, 350M or 30B-A3B (total parameters first).
    family: Text  # Id under `families`.
    source: ModelSource

    @property
    def billions(self) -> float | None:
        """Return the number of parameters in billions, in total (30 for 30B-A3B); None where ``size`` gives none."""
        found = re.match(r"(\d+(?:\.\d+)?)\s*([BM])\b", self.size.strip(), re.IGNORECASE)
        return float(found[1]) / (1000 if found[2] in "Mm" else 1) if found else None


class Guard(Section):
    """A guard model, which filters training data and judges answers."""

    # llama-guard - first token after the tokenizer's own template; wildguard - three labelled lines after the text in
    # `format`; oracle - the synthetic world's own truth (no model).
    kind: Literal["llama-guard", "wildguard", "oracle"]
    source: ModelSource | None = None
    format: Filled | None = None  # File with the guard's prompt, holding {prompt} and {response} (wildguard only).
    # What the guard judges: full is reasoning and answer, answer is the part after </think>.
    judged_text: Literal["full", "answer"]
    # Longest guard prompt in tokens; a longer response is cut in the middle, and marked.
    max_prompt_tokens: Annotated[int, Field(ge=16), WHOLE] | None = None
    batch_size: Count | None = None  # Prompts judged at once.


class Engine(Section):
    """The inference engine."""

    name: Literal["vllm", "transformers"]  # vllm on GPUs; transformers on any machine.
    dtype: DType  # Number type of weights and activations.
    batch_size: Count  # Requests per batch; each finished batch is journalled.
    tensor_parallel: Count  # GPUs that one copy of a model is split over (vllm only).


class Decoding(Section):
    """How responses are decoded."""

    temperature: Annotated[float, Field(ge=0, le=10), NUMBER]  # 0 is greedy.
    top_p: Annotated[float, Field(gt=0, le=1), NUMBER]  # Nucleus; 1 is off.
    top_k: dict[Id, Natural]  # Tokens kept, by id under `families`; 0 is off.
    max_tokens: Count  # Longest response in tokens.


class Sampling(Section):
    """Decoding, by what the responses are for (App. A.1, B)."""

    data: Decoding  # Training responses.
    safety: Decoding  # Answers to benchmarks of kind harm and refusal.
    reasoning: Decoding  # Answers to benchmarks of kind reasoning.


# ---------------------------------------------------------------- training sets and methods
class Prompts(Section):
    """Prompts that training responses are sampled for (Sec. 3)."""

    harmful: PromptSet  # Harmful prompts D_h.
    benign: PromptSet  # Benign prompts D_b.


class Corpus(Section):
    """A published training set of another method."""

    # The form of its rows (thinksafe/data/published_sets.py).
    format: Literal["direct-refusal", "safechain", "star1", "safepath", "safekey"]
    thought: Filled | None = None  # The fixed reasoning before a refusal (direct-refusal only).
    primer: Filled | None = None  # The sentence that opens the reasoning (safepath only).
    harmful: CorpusPart | None = None  # The rows with harmful prompts.
    benign: CorpusPart | None = None  # The rows with benign prompts.


class ReleasedSet(Section):
    """A released training set that replaces a student's own samples."""

    harmful: CorpusPart  # The rows with harmful prompts.
    benign: CorpusPart  # The rows with benign prompts.


class Steered(Section):
    """How training responses to one half of the prompts are sampled."""

    steering: Text  # Id under `steerings`.
    samples: Count  # Responses sampled for each prompt; all of them must be safe.


class MethodData(Variant):
    """A training set: sampled from the student itself, a corpus, or derived from another method's set."""

    ONE_OF = ("guard", "corpus", "base_method")
    # fmt: off
    NEEDS = {
        "guard": "harmful", "harmful": "benign", "benign": "guard",
        "from": "base_method", "benign_half": "from", "strip_reasoning": "base_method",
    }
    # fmt: on

    corpus: Text | None = None  # Id under `corpora`.
    guard: Text | None = None  # Id under `guards` of the filter.
    harmful: Steered | None = None  # How responses to harmful prompts are sampled.
    benign: Steered | None = None  # How responses to benign prompts are sampled.
    base_method: Text | None = None  # Id under `methods` of the sampled training set that it is derived from.
    # Id under `models` of the teacher whose set it is; the student's own when absent.
    teacher: Text | None = Field(None, alias="from")
    # Whose benign rows are learnt: the teacher's (when absent) or the student's own.
    benign_half: Literal["teacher", "own"] | None = None
    strip_reasoning: bool | None = None  # Whether the reasoning of the harmful rows is cut to an empty think block.


class KlLoss(Section):
    """Likelihood of harmful rows, divergence from the initial student on benign rows (Sec. 5.3)."""

    weight: NonNegative  # Weight of the divergence.


class NllLoss(Section):
    """Negative log-likelihood of the response (Eq. 2)."""


class PrimerLoss(Section):
    """Negative log-likelihood of SafePath's primer alone."""

    think: bool  # Whether <think> and its newline are learnt where the generation prompt lacks them.


class SafekeyLoss(Section):
    """SafeKey's three terms."""

    mask_weight: NonNegative  # Weight of query-mask modelling.
    head_weight: NonNegative  # Weight of the safety head's loss.
    theta: Fraction  # Fraction of the head's path that does not see the prompt, from 0 to 1.
    last_epochs: Natural  # Last epochs in which the two count.


class Loss(Variant):
    """The loss and its settings: one module of thinksafe/training/losses/."""

    ONE_OF = ("nll", "primer", "safekey", "kl")

    nll: NllLoss | None = None
    primer: PrimerLoss | None = None
    safekey: SafekeyLoss | None = None
    kl: KlLoss | None = None


class RewardWeights(Section):
    """Weights of the rewards."""

    safety: NonNegative  # Weight of the guard's P(safe).
    format: NonNegative  # Weight of one well-formed think block.


class Grpo(Section):
    """Online reinforcement learning instead of a training set and a loss (Sec. 5.3, App. E)."""

    # all - every training prompt; filtered - those that the training set under `data` keeps.
    prompts: Literal["all", "filtered"]
    guard: Text  # Id under `guards` of the model whose P(safe) is the reward.
    rollouts: Annotated[int, Field(ge=2), WHOLE]  # Responses sampled for each prompt (G).
    prompts_per_step: Count  # Prompts per step; one update learns from all their rollouts.
    steps: Count | None = None  # Steps to train for instead of `epochs`; whole epochs when absent.
    beta: NonNegative  # Weight of the divergence from the initial student.
    epsilon: Positive  # How far a ratio may move before it is clipped.
    # Importance ratio of each token, or of the sequence (geometric mean over its tokens).
    ratio: Literal["token", "sequence"]
    temperature: Positive  # Temperature of the rollouts.
    max_tokens: Count  # Longest rollout in tokens.
    weights: RewardWeights
    # What samples the rollouts. colocate - vLLM in the trainer's process; server - vLLM on its own GPU; trainer - the
    # trainer itself.
    sampler: Literal["colocate", "server", "trainer"]


class Lora(Section):
    """The adapter."""

    rank: Count  # Rank of each update.
    alpha: Count  # Scale; updates are multiplied by alpha / rank.
    dropout: BelowOne  # Dropout on the adapter's input.
    targets: Annotated[Names, AfterValidator(sorted)]  # Names of the linear layers that get an adapter.


class Training(Section):
    """LoRA fine-tuning (Sec. 5.1)."""

    lora: Lora
    learning_rate: Positive  # Peak learning rate.
    schedule: Literal["cosine", "linear", "constant"]  # How the learning rate falls after the warm-up.
    warmup: BelowOne  # Fraction of the steps over which the learning rate rises.
    batch_size: Count  # Rows per step in total, over devices and accumulation.
    max_tokens: Annotated[int, Field(ge=8), WHOLE]  # Longest row in tokens; longer ones are left out and counted.
    max_grad_norm: Positive  # Norm that gradients are clipped to.
    weight_decay: NonNegative  # Weight decay of AdamW.
    betas: Annotated[list[BelowOne], Field(min_length=2)]  # Decay of AdamW's two moments.
    dtype: DType  # Number type of weights and activations.
    checkpoint_steps: Count  # Steps between checkpoints.


TrainingChanges = partial("TrainingChanges", Training)


class Original(Section):
    """What a method adds with `baseline_settings: original`."""

    epochs: Count | None = None  # Passes over the training set.
    training: TrainingChanges | None = None  # Its authors' own values.


class Method(Section):
    """A training set and a way to train on it (Sec. 4, 5)."""

    label: Label
    families: SomeTexts | None = None  # Ids under `families` whose students it trains; all when absent.
    students: SomeTexts | None = None  # Ids under `models` of the students it trains; all when absent.
    # The training set; absent for `initial`, and for `grpo` with all prompts. Sampled from the student itself (guard,
    # harmful, benign), or a corpus, or derived from another method's set (base_method).
    data: MethodData | None = None
    epochs: Count | None = None  # Passes over the training set (Table 4).
    # The loss and its settings, one module of thinksafe/training/losses/; nll when absent.
    loss: Loss | None = None
    grpo: Grpo | None = None
    training: TrainingChanges | None = None  # Differences from the section `training`.
    original: Original | None = None  # What it adds with `baseline_settings: original`.


# ---------------------------------------------------------------- evaluation
class Benchmark(RowSet):
    """What students are evaluated on (Sec. 5.1, App. B)."""

    label: Label
    # harm - fraction of responses judged unsafe; refusal - fraction refused; reasoning - fraction answered right.
    kind: Literal["harm", "refusal", "reasoning"]
    guard: Text | None = None  # Id under `guards` of the judge (harm and refusal).
    task: Task | None = None  # The task whose rules read the answers (reasoning).
    samples: Count = 1  # Answers sampled for each item.
    take: Count | None = None  # Number of items asked, drawn once, so that more contain fewer; all when absent.
    template: Text | None = None  # The question as it is asked, holding {problem} once (reasoning).
    # How the options of a multiple-choice question are ordered (default: row). row - each question by a stream of its
    # own; skythought - all questions by one stream, in their order, as in SkyThought with seed 41.
    option_order: Literal["row", "skythought"] | None = None

    @property
    def asked(self) -> int | None:
        """Return the number of items that are asked; None where config does not say how many there are."""
        return self.take or self.rows

    @property
    def decoding(self) -> Literal["safety", "reasoning"]:
        """Return which entry of ``sampling`` and ``shards`` its answers have."""
        return "reasoning" if self.kind == "reasoning" else "safety"


# ---------------------------------------------------------------- the synthetic world
def _alike(name: str, doc: str, kind: Any, *keys: str) -> type[Any]:
    """Return a section whose keys all have one type."""
    return create_model(name, __base__=Section, __doc__=doc, **dict.fromkeys(keys, (kind, ...)))


SETS = ("harmful", "benign", "harmbench", "strongreject", "wildjailbreak", "xstest", *get_args(Task))
ROWS = Annotated[Count, Field(description="Rows of this set.")]
WorldRows = _alike("WorldRows", "Prompts or questions in each set.", ROWS, *SETS)
POSED = Annotated[str, Field(description="How the counterparts of this benchmark's problems are posed."), TEXT]
TEMPLATES = "How problems are posed in pretraining and in the benign prompts, each with {problem} once."
Templates = _alike("Templates", TEMPLATES, POSED, *get_args(Task))
SOME = Annotated[Fraction, Field(description="Fraction of requests that are this overt.")]
Tiers = _alike("Tiers", "A fraction of requests by how overtly harmful they are.", SOME, "overt", "mid", "mild")
ASKED = Annotated[Tiers, Field(description="Asked plainly, for a plan, or in adversarial wording.")]
Forms = _alike("Forms", "A fraction of requests by their form.", ASKED, "plain", "plan", "wrapped")
# fmt: off
Example = Literal[
    "gsm8k", "math500", "aime24", "gpqa", "benign", "harmful", "steered", "steered_benign", "harm_question", "story",
    "quick",
]
# fmt: on


class Pretrained(Section):
    """Size and pretraining of a model of the world."""

    hidden_size: Annotated[int, Field(ge=32), WHOLE]  # Hidden size of the model.
    layers: Count  # Layers of the model.
    examples: Count  # Examples to train on, each seen once.
    batch_size: Count  # Examples per step.
    learning_rate: Positive  # Peak learning rate.


class WorldStudent(Pretrained):
    """How students are pretrained."""

    knows_harm: bool  # False makes refusals independent of harm (control).
    complies: bool  # False makes it refuse every forbidden request (control).
    refusals: Forms  # Fraction of forbidden requests refused when asked directly, by form.
    steered_refusals: Forms  # Fraction of forbidden requests refused when told to refuse, by form.
    # Fraction of forbidden requests refused when told to refuse, in the adversarial wording that forbids to say no.
    steered_refusals_forbidden: Fraction
    steered_refusals_benign: Fraction  # Fraction of harmless requests refused when told to refuse.
    other_style: Fraction  # Fraction of responses in the other style.
    mix: Annotated[dict[Example, NonNegative], Field(min_length=1)]  # Weights of the kinds of examples.


SizeChanges = partial("SizeChanges", Pretrained)
WorldTeacher = partial("WorldTeacher", WorldStudent, "mix", "examples", "batch_size", "learning_rate")


class WorldGuard(Pretrained):
    """How guards are trained."""

    shuffled_labels: bool  # Labels belong to other pairs (control).
    # One row in this many also teaches the words around WildGuard's verdicts; 10 when absent.
    form_rows: Count | None = None


class World(Section):
    """The synthetic world of the miniature (docs/miniature.md); absent for real data."""

    seed: Natural  # Seed of the world, its texts and its models.
    rows: WorldRows
    templates: Templates
    phrases: list[Filled]  # Sentences whose words become tokens although no example contains them.
    vocabulary: Annotated[int, Field(ge=300), WHOLE]  # Largest number of tokens of a tokenizer.
    student: WorldStudent
    sizes: dict[Id, SizeChanges] | None = None  # Differences of single students from `student`, by id under `models`.
    teacher: WorldTeacher  # Differences of teachers from the student whose training they continue.
    guard: WorldGuard


# ---------------------------------------------------------------- the whole
class Config(Section):
    """Config of ThinkSafe-Flow, after all layers are merged."""

    # Name of the run; results go to results/<run>/. By default the name of the last overlay.
    run: Annotated[str, Field(pattern="^[a-z0-9-]+$"), TEXT]
    select: Select
    # Numbers of the replicates; each one resamples, retrains and evaluates anew.
    replicates: Annotated[list[Natural], Field(min_length=1), AfterValidator(_distinct), AfterValidator(sorted), UNIQUE]
    paper: Filled  # Folder with the paper's printed numbers (docs/claims.md).
    # Whether the paper's printed scores replace this run's; nothing is sampled then.
    use_paper_scores: bool = False
    hub: Hub
    seeds: Seeds
    # Families of students; a family is a chat format with its decoding, and has a table of its own.
    families: dict[Id, Family] = Field(min_length=1)
    models: dict[Id, Model] = Field(min_length=1)  # Students and teachers.
    guards: dict[Id, Guard] = Field(min_length=1)  # Guard models, which filter training data and judge answers.
    audit: Texts = []  # Ids under `guards` that judge the harm benchmarks beside the configured guard.
    judge_study: JudgeStudy
    prompts: Prompts
    corpora: dict[Id, Corpus]  # Published training sets of other methods, converted to one form (Table 4).
    # Released training sets that replace a student's own samples, by student and method (config/released.yaml).
    sources: dict[Id, dict[Id, ReleasedSet]] = {}
    # Texts put around a prompt when training responses are sampled; each holds {prompt} once (Sec. 4).
    steerings: dict[Id, Text] = Field(min_length=1)
    engine: Engine
    sampling: Sampling
    shards: Shards  # Number of shards that a list of requests is split into, one job each.
    methods: dict[Id, Method] = Field(min_length=1)  # A method is a training set and a way to train on it (Sec. 4, 5).
    # How other methods are trained. thinksafe - by the section `training`; original - by their own papers.
    baseline_settings: Literal["thinksafe", "original"]
    training: Training
    benchmarks: dict[Id, Benchmark] = Field(min_length=1)  # What students are evaluated on (Sec. 5.1, App. B).
    scoring: Scoring
    report: Report
    world: World | None = None


def plain(part: Any) -> Any:
    """Return a part of a config as mappings, lists and scalars, without absent keys, as a job's spec holds it."""
    if isinstance(part, BaseModel):
        return part.model_dump(exclude_none=True)
    if isinstance(part, Mapping):
        return {key: plain(value) for key, value in part.items()}
    return [plain(value) for value in part] if isinstance(part, list) else part


# ---------------------------------------------------------------- for editors
@cache
def _comments() -> dict[tuple[str, str], str]:
    """Return the comment on each key, by section and key: at the end of its line, or on the lines above."""
    text = Path(__file__).read_text(encoding="utf-8")
    lines, found = text.splitlines(), {}
    for section in (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)):
        for key in (node for node in section.body if isinstance(node, ast.AnnAssign)):
            behind, first = lines[key.end_lineno - 1][key.end_col_offset :], key.lineno - 1
            while not behind and lines[first - 1].lstrip().startswith("#"):
                first -= 1
            comment = behind or "\n".join(lines[first : key.lineno - 1])
            found[section.name, key.target.id] = " ".join(comment.replace("#", " ").split())
    return found


def described(section: type[BaseModel], key: str) -> str:
    """Return the description of a key; empty where the type of its value describes itself."""
    names = [(above.__name__, key) for above in section.__mro__]
    comment = next((_comments()[name] for name in names if name in _comments()), "")
    return comment or section.model_fields[key].description or ""


class _Schema(GenerateJsonSchema):
    """JSON Schema without titles, and without null, which drops a key before validation."""

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> dict[str, Any]:
        absent = schema.get("default") is None
        return self.generate_inner(schema["schema"]) if absent else super().default_schema(schema)

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        made = super().dict_schema(schema)
        for pattern, value in made.pop("patternProperties", {}).items():  # a pattern alone would allow other keys
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
        return made

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: Any) -> dict[str, Any]:
        made, section = super().model_schema(schema), schema["cls"]
        del made["title"]
        for key, field in section.model_fields.items():
            if text := described(section, key):
                made["properties"][field.alias or key]["description"] = text
        if issubclass(section, Variant):
            made["oneOf"] = [{"required": [key]} for key in section.ONE_OF]
            made["dependentRequired"] = {key: [other] for key, other in section.NEEDS.items()}
        return made


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a whole config."""
    return {"$schema": _Schema.schema_dialect} | Config.model_json_schema(schema_generator=_Schema)


if __name__ == "__main__":
    import sys

    import yaml

    print("# For editors. Generated by `python -m thinksafe.config.types`; change thinksafe/config/types.py.")
    yaml.safe_dump(schema(), sys.stdout, sort_keys=False, width=120, allow_unicode=True)
