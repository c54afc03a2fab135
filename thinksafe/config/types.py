"""Every key that a config may hold, one type per section; what is not named here is refused.

Attributes are named as the keys of the merged config. An optional key that is absent is None. Values are taken
leniently: a command line gives texts, and YAML 1.1 reads 1e-5 as one. ``python -m thinksafe.config.types`` prints the
JSON Schema of all this, which is config/config.schema.yaml.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


# ---------------------------------------------------------------- values
def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be a number, not {value!r}")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"must be a number, not {value!r}")
    return number


def _integer(value: Any) -> int:
    try:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass  # "1e3", or no number at all
    try:
        number = _number(value)
    except ValueError:
        number = math.nan
    if number != number or number != int(number):
        raise ValueError(f"must be a whole number, not {value!r}")
    return int(number)


def _boolean(value: Any) -> bool:
    word = WORDS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(word, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return word


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"must be text, and is read as {value!r}; put it in quotes")
    return str(value)


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"the key is read as {value!r}; put it in quotes")
    return str(value)


def _distinct(values: list) -> list:
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if twice:
        raise ValueError(f"{', '.join(map(str, dict.fromkeys(twice)))} stands there more than once")
    return values


Integer = Annotated[int, BeforeValidator(_integer)]
Number = Annotated[float, BeforeValidator(_number)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Text = Annotated[str, BeforeValidator(_text)]

Natural = Annotated[Integer, Field(ge=0)]
Count = Annotated[Integer, Field(ge=1)]
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
BelowOne = Annotated[Number, Field(ge=0, lt=1)]
Filled = Annotated[Text, Field(min_length=1)]
Id = Annotated[str, BeforeValidator(_id), Field(pattern="^[a-z0-9][a-z0-9.-]*$")]
Key = Annotated[str, BeforeValidator(_id)]
Repository = Annotated[Text, Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[\w.-]+)?$")]
Label = Annotated[
    Text,
    Field(
        pattern=r"^[^_\s\x00-\x1f\x7f][^\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$",
        description='Name in tables and figures: one line that does not begin with "_" (figures leave such names out).',
    ),
]
DType = Literal["bfloat16", "float16", "float32"]
Task = Literal["aime24", "gsm8k", "math500", "gpqa"]

UNIQUE = Field(json_schema_extra={"uniqueItems": True})
# A choice keeps its order, which is that of tables; a set is sorted, so that its order makes nothing stale.
Choice = Annotated[list[Text], Field(min_length=1), AfterValidator(_distinct), UNIQUE]
Names = Annotated[list[Filled], Field(min_length=1), AfterValidator(_distinct), UNIQUE]
Texts = Annotated[list[Text], AfterValidator(_distinct), AfterValidator(sorted), UNIQUE]
SomeTexts = Annotated[list[Text], Field(min_length=1), AfterValidator(_distinct), AfterValidator(sorted), UNIQUE]


# ---------------------------------------------------------------- kinds of sections
class Section(BaseModel):
    """A mapping with fixed keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)


class Variant(Section):
    """A section that holds exactly one of the keys ``ONE_OF``; a key of ``NEEDS`` only goes with others."""

    ONE_OF: ClassVar[tuple[str, ...]]
    NEEDS: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def kind(self) -> str:
        """Return the one key of ``ONE_OF`` that is given."""
        return next(key for key in self.ONE_OF if getattr(self, key) is not None)

    @model_validator(mode="after")
    def _fit_together(self) -> Variant:
        fields = type(self).model_fields
        keys = {fields[name].alias or name for name in self.model_fields_set if getattr(self, name) is not None}
        kinds = [key for key in self.ONE_OF if key in keys]
        problems = {}
        if len(kinds) != 1:
            problems[""] = f"needs exactly one of {', '.join(self.ONE_OF)}, not {' and '.join(kinds) or 'none of them'}"
        else:
            for key in (key for key in self.NEEDS if key in keys):
                if lacking := [other for other in self.NEEDS[key] if other not in keys]:
                    problems[key] = f"only goes with {', '.join(lacking)}, which is missing"
        if problems:
            raise PydanticCustomError("misfit", "keys do not fit together", {"problems": problems})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        schema = handler(core_schema)
        schema["oneOf"] = [{"required": [key]} for key in cls.ONE_OF]
        schema["dependentRequired"] = {key: list(others) for key, others in cls.NEEDS.items()}
        return schema


def _changes(name: str, section: type[Section], *required: str, only: tuple[str, ...] = ()) -> type[Section]:
    """Return a section with the fields of another (those of ``only``, if given), optional but for ``required``."""
    fields: dict[str, Any] = {}
    for key, field in section.model_fields.items():
        if not only or key in only:
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            described = Field(description=field.description)
            optional = Field(None, description=field.description)
            fields[key] = (kind, described) if key in required else (kind | None, optional)
    return create_model(name, __base__=Section, **fields)


# ---------------------------------------------------------------- where models and rows come from
class ModelSource(Variant):
    """Where the weights come from, of exactly one kind."""

    ONE_OF = ("hub", "folder", "built")
    NEEDS = {"revision": ("hub",), "shape": ("built",)}

    hub: Repository | None = Field(None, description="Repository on the Hugging Face hub.")
    revision: Filled | None = Field(
        None, description="Commit, tag or branch on the hub; the lock's commit when absent."
    )
    folder: Filled | None = Field(None, description="Folder in the Hugging Face layout.")
    built: Literal["student", "teacher", "guard"] | None = Field(
        None, description="Model that this workflow trains in its synthetic world."
    )
    shape: Literal["qwen3", "qwen3-8b", "r1-qwen", "r1-llama"] | None = Field(
        None,
        description="Which of the paper's students a built model is shaped like (thinksafe/miniature/shapes.py); by "
        "default as its family is in the miniature.",
    )


class DataSource(Variant):
    """Where the rows come from, of exactly one kind."""

    ONE_OF = ("hub", "url", "file", "world", "published")
    NEEDS = {
        "config": ("hub",),
        "split": ("hub",),
        "revision": ("hub",),
        "url": ("sha256",),
        "sha256": ("url",),
        "hub": ("split",),
    }

    hub: Repository | None = Field(None, description="Dataset on the Hugging Face hub.")
    config: Filled | None = Field(None, description="The dataset's configuration on the hub.")
    split: Filled | None = Field(None, description="The dataset's split on the hub.")
    revision: Filled | None = Field(
        None, description="Commit, tag or branch on the hub; the lock's commit when absent."
    )
    url: Annotated[Text, Field(pattern="^https?://")] | None = Field(None, description="Address of one file.")
    sha256: Annotated[Text, Field(pattern="^[0-9a-f]{64}$")] | None = Field(None, description="Digest of that file.")
    file: Annotated[Text, Field(pattern=r"\.(json|jsonl|csv|tsv|parquet)$")] | None = Field(
        None, description="File on this machine: .json, .jsonl, .csv, .tsv or .parquet."
    )
    world: Filled | None = Field(None, description="Set that the synthetic world yields.")
    published: (
        Literal[
            "safechain.parquet",
            "directrefusal.parquet",
            "star-1.json",
            "star-benign.json",
            "harmbench.json",
            "strongreject.csv",
            "wildjailbreak.tsv",
            "xstest.csv",
            "aime24.parquet",
            "gsm8k.jsonl",
            "math500.jsonl",
            "gpqa.csv",
        ]
        | None
    ) = Field(None, description="File in a published set's own format that the synthetic world yields (the rehearsal).")
    encoding: Filled | None = Field(None, description="Encoding of a text file, such as cp1252; detected when absent.")


class Columns(Section):
    """Names of the source's columns, by what they hold."""

    prompt: Filled | None = Field(None, description="The whole prompt.")
    response: Filled | None = Field(None, description="The response to learn (corpora).")
    query_end: Filled | None = Field(
        None, description="Offset in the response at which the query is understood (safekey)."
    )
    key_end: Filled | None = Field(None, description="Offset in the response at which the key sentence ends (safekey).")
    category: Filled | None = Field(None, description="Category of the prompt.")
    problem: Filled | None = Field(None, description="The question that `template` asks.")
    answer: Filled | None = Field(None, description="The right answer.")
    correct: Filled | None = Field(None, description="The right choice of a multiple-choice question.")
    incorrect: Names | None = Field(None, description="The wrong choices.")


class RowSet(Section):
    """Rows of a source: which of its columns and which of its rows."""

    source: DataSource = Field(description="Where the rows come from, of exactly one kind.")
    columns: Columns = Field(description="Names of the source's columns, by what they hold.")
    where: dict[Key, SomeTexts] = Field(
        {}, description="Rows whose column, as text, is one of the values; all columns must agree."
    )
    contains: dict[Key, Filled] = Field({}, description="Rows whose column, as text, contains the text.")
    leave_out: dict[Key, SomeTexts] | None = Field(
        None,
        description="The values of a column in `where` whose rows are left out; a row with a value in neither is an "
        "error. An overlay that gives `where`, `contains` or `rows` does not inherit it.",
    )
    source_rows: Count | None = Field(
        None,
        description="Rows that the source must have before any are left out; another number is an error. An overlay "
        "that gives `where`, `contains` or `rows` does not inherit it.",
    )
    rows: Count | None = Field(
        None, description="Rows that must be there after filtering; another number is an error. `make plan` uses it."
    )


class PromptSet(RowSet):
    """Prompts that training responses are sampled for."""

    take: Count | None = Field(
        None, description="Number of prompts used, drawn once for all students; all when absent."
    )
    approx_rows: Count | None = Field(None, description="Prompts expected; only `make plan` uses it.")


class CorpusPart(RowSet):
    """The harmful or the benign rows of a training set."""

    take: Count | None = Field(None, description="Rows used; all when absent.")
    order: Literal["first", "random"] | None = Field(
        None, description="Which rows are used: the first ones, or some drawn by the data seed."
    )


# ---------------------------------------------------------------- what is run
class Select(Section):
    """What this run does, out of what is defined below."""

    students: Choice = Field(description="Ids under `models` to align and evaluate.")
    methods: Choice = Field(description="Ids under `methods`; `initial` is always one of them.")
    benchmarks: Choice = Field(description="Ids under `benchmarks`.")


class Hub(Section):
    """What comes from the Hugging Face hub (docs/running-the-paper.md)."""

    lock: Filled = Field(
        description="File with the commit of each model and data set, written by `snakemake lock_hub`."
    )
    accept: Annotated[list[Filled], AfterValidator(_distinct), AfterValidator(sorted), UNIQUE] = Field(
        [], description="Ids on the hub whose locked commits `snakemake lock_hub` may move."
    )


class Seeds(Section):
    """Seeds, hashed with the replicate and the request."""

    data: Natural = Field(description="Seed of the training samples, and of the choice of the one that is kept.")
    training: Natural = Field(description="Seed of weights that start at random, of the order of rows, and of dropout.")
    evaluation: Natural = Field(description="Seed of the answers to the benchmarks.")


class JudgeStudy(Section):
    """Verdicts of several guards and views on the stored answers to the harm benchmarks (docs/judges.md)."""

    guards: Texts = Field(
        description="Ids under `guards` that judge in both views, the full response and the answer alone."
    )
    in_all: Boolean = Field(description="Whether `all` makes the study.")


class Shards(Section):
    """Number of shards that a list of requests is cut into, each with a job of its own."""

    data: Count = Field(description="Shards of a set of training responses.")
    safety: Count = Field(description="Shards of a harm or refusal benchmark.")
    reasoning: Count = Field(description="Shards of a reasoning benchmark.")


class Scoring(Section):
    """How answers become numbers."""

    environment: Literal["scoring", "scoring-py310"] = Field(
        description="Environment that reasoning answers are compared in; scoring-py310 needs --sdm conda."
    )
    timeout_seconds: Positive = Field(description="Time limit of one comparison in seconds.")
    confidence: Annotated[Number, Field(gt=0, lt=1)] = Field(description="Level of the intervals.")
    min_effect: Positive = Field(description="Points that a method must gain to be said to help.")


class Report(Section):
    """The page of a run (docs/report.md)."""

    public: Boolean = Field(description="Whether texts that may be harmful are left out of the file.")
    samples: Natural = Field(description="Approximate number of responses that the page holds for reading.")


# ---------------------------------------------------------------- models and guards
class Chat(Section):
    """What the chat templates of a family's models do not say themselves (`snakemake chat` prints it)."""

    think: Annotated[list[Filled], Field(min_length=1)] | None = Field(
        None, description="The two think tags as the model writes them, such as [<think>, </think>]."
    )
    opens_think: Boolean | None = Field(
        None, description="Whether the generation prompt opens the think block; checked against the template."
    )
    stop: Names | None = Field(None, description="Tokens that end a response; the first ends the turns learnt.")
    system: Text | None = Field(None, description="System prompt, for models that think only when it asks them to.")
    options: dict[str, Any] | None = Field(
        None, description="Further arguments of the chat template, such as {enable_thinking: true}."
    )


class Family(Section):
    """A chat format with its decoding; each family has a table of its own."""

    table: Count | None = Field(
        None, description="Number of the table that shows this family; by default the table has the family's name."
    )
    chat: Chat | None = Field(
        None,
        description="What its models' chat templates do not say themselves (`snakemake chat` prints it).",
    )


class Model(Section):
    """A student or a teacher."""

    label: Label
    size: Filled = Field(
        description="Size as a table's column shows it, such as 0.6B, 350M or 30B-A3B (total parameters first)."
    )
    family: Text = Field(description="Id under `families`.")
    source: ModelSource = Field(description="Where the weights come from, of exactly one kind.")

    @property
    def billions(self) -> float | None:
        """Return the number of parameters in billions, in total (30 for 30B-A3B); None where ``size`` gives none."""
        found = re.match(r"(\d+(?:\.\d+)?)\s*([BM])\b", self.size.strip(), re.IGNORECASE)
        return float(found[1]) / (1000 if found[2] in "Mm" else 1) if found else None


class Guard(Section):
    """A guard model, which filters training data and judges answers."""

    kind: Literal["llama-guard", "wildguard", "oracle"] = Field(
        description="llama-guard - first token after the tokenizer's own template; wildguard - three labelled lines "
        "after the text in `format`; oracle - the synthetic world's own truth (no model)."
    )
    source: ModelSource | None = Field(None, description="Where the weights come from, of exactly one kind.")
    format: Filled | None = Field(
        None, description="File with the guard's prompt, holding {prompt} and {response} (wildguard only)."
    )
    judged_text: Literal["full", "answer"] = Field(
        description="What the guard judges: full is reasoning and answer, answer is the part after </think>."
    )
    max_prompt_tokens: Annotated[Integer, Field(ge=16)] | None = Field(
        None, description="Longest guard prompt in tokens; a longer response is cut inside and marked."
    )
    batch_size: Count | None = Field(None, description="Prompts judged at once.")


class Engine(Section):
    """What runs the models."""

    name: Literal["vllm", "transformers"] = Field(description="vllm on GPUs; transformers on any machine.")
    dtype: DType = Field(description="Number type of weights and activations.")
    batch_size: Count = Field(description="Requests handed over and journalled at once.")
    tensor_parallel: Count = Field(description="GPUs that one copy of a model is split over (vllm only).")


class Decoding(Section):
    """How responses are decoded."""

    temperature: Annotated[Number, Field(ge=0, le=10)] = Field(description="0 is greedy.")
    top_p: Annotated[Number, Field(gt=0, le=1)] = Field(description="Nucleus; 1 is off.")
    top_k: dict[Id, Natural] = Field(description="Tokens kept, by id under `families`; 0 is off.")
    max_tokens: Count = Field(description="Longest response in tokens.")


class Sampling(Section):
    """Decoding, by what the responses are for (App. A.1, B)."""

    data: Decoding = Field(description="Training responses.")
    safety: Decoding = Field(description="Answers to benchmarks of kind harm and refusal.")
    reasoning: Decoding = Field(description="Answers to benchmarks of kind reasoning.")


# ---------------------------------------------------------------- training sets and methods
class Prompts(Section):
    """Prompts that training responses are sampled for (Sec. 3)."""

    harmful: PromptSet = Field(description="Harmful prompts D_h.")
    benign: PromptSet = Field(description="Benign prompts D_b.")


class Corpus(Section):
    """A published training set of another method."""

    format: Literal["direct-refusal", "safechain", "star1", "safepath", "safekey"] = Field(
        description="The form of its rows (thinksafe/data/published_sets.py)."
    )
    thought: Filled | None = Field(None, description="The fixed reasoning before a refusal (direct-refusal only).")
    primer: Filled | None = Field(None, description="The sentence that opens the reasoning (safepath only).")
    harmful: CorpusPart | None = Field(None, description="The rows with harmful prompts.")
    benign: CorpusPart | None = Field(None, description="The rows with benign prompts.")


class ReleasedSet(Section):
    """A training set that others have released in place of a student's own samples."""

    harmful: CorpusPart = Field(description="The rows with harmful prompts.")
    benign: CorpusPart = Field(description="The rows with benign prompts.")


class Steered(Section):
    """How training responses to one half of the prompts are sampled."""

    steering: Text = Field(description="Id under `steerings`.")
    samples: Count = Field(description="Responses sampled for each prompt; all of them must be safe.")


class MethodData(Variant):
    """A training set: sampled from the student itself, a corpus, or made of another method's set."""

    ONE_OF = ("guard", "corpus", "base_method")
    NEEDS = {
        "guard": ("harmful", "benign"),
        "harmful": ("guard",),
        "benign": ("guard",),
        "from": ("base_method",),
        "benign_half": ("from",),
        "strip_reasoning": ("base_method",),
    }

    corpus: Text | None = Field(None, description="Id under `corpora`.")
    guard: Text | None = Field(None, description="Id under `guards` of the filter.")
    harmful: Steered | None = Field(None, description="How responses to harmful prompts are sampled.")
    benign: Steered | None = Field(None, description="How responses to benign prompts are sampled.")
    base_method: Text | None = Field(None, description="Id under `methods` of the sampled training set it is made of.")
    # `from` is a word of Python.
    teacher: Text | None = Field(
        None,
        alias="from",
        description="Id under `models` of the teacher whose set it is; the student's own when absent.",
    )
    benign_half: Literal["teacher", "own"] | None = Field(
        None, description="Whose benign rows are learnt: the teacher's (when absent) or the student's own."
    )
    strip_reasoning: Boolean | None = Field(
        None, description="Whether the reasoning of the harmful rows is cut to an empty think block."
    )


class KlLoss(Section):
    """Likelihood of harmful rows, divergence from the initial student on benign rows (Sec. 5.3)."""

    weight: NonNegative = Field(description="Weight of the divergence.")


class NllLoss(Section):
    """Negative log-likelihood of the response (Eq. 2)."""


class PrimerLoss(Section):
    """Negative log-likelihood of SafePath's primer alone."""

    think: Boolean = Field(
        description="Whether <think> and its newline are learnt where the generation prompt lacks them."
    )


class SafekeyLoss(Section):
    """SafeKey's three terms."""

    mask_weight: NonNegative = Field(description="Weight of query-mask modelling.")
    head_weight: NonNegative = Field(description="Weight of the safety head's loss.")
    theta: Fraction = Field(description="Fraction of the head's path that does not see the prompt, from 0 to 1.")
    last_epochs: Natural = Field(description="Last epochs in which the two count.")


class Loss(Variant):
    """What is minimised, with its settings: one module of thinksafe/training/losses/."""

    ONE_OF = ("nll", "primer", "safekey", "kl")

    nll: NllLoss | None = Field(None, description="Negative log-likelihood of the response (Eq. 2).")
    primer: PrimerLoss | None = Field(None, description="Negative log-likelihood of SafePath's primer alone.")
    safekey: SafekeyLoss | None = Field(None, description="SafeKey's three terms.")
    kl: KlLoss | None = Field(
        None, description="Likelihood of harmful rows, divergence from the initial student on benign rows (Sec. 5.3)."
    )


class RewardWeights(Section):
    """Weights of the rewards."""

    safety: NonNegative = Field(description="Weight of the guard's P(safe).")
    format: NonNegative = Field(description="Weight of one well-formed think block.")


class Grpo(Section):
    """Online reinforcement learning in the place of a training set and a loss (Sec. 5.3, App. E)."""

    prompts: Literal["all", "filtered"] = Field(
        description="all - every training prompt; filtered - those that the training set under `data` keeps."
    )
    guard: Text = Field(description="Id under `guards` of the model whose P(safe) is the reward.")
    rollouts: Annotated[Integer, Field(ge=2)] = Field(description="Responses sampled for each prompt (G).")
    prompts_per_step: Count = Field(description="Prompts of a step; all their rollouts are learnt from in one update.")
    steps: Count | None = Field(
        None, description="Steps to train for in the place of `epochs`; whole epochs when absent."
    )
    beta: NonNegative = Field(description="Weight of the divergence from the initial student.")
    epsilon: Positive = Field(description="How far a ratio may move before it is clipped.")
    ratio: Literal["token", "sequence"] = Field(
        description="Importance ratio of each token, or of the sequence (geometric mean over its tokens)."
    )
    temperature: Positive = Field(description="Temperature of the rollouts.")
    max_tokens: Count = Field(description="Longest rollout in tokens.")
    weights: RewardWeights = Field(description="Weights of the rewards.")
    sampler: Literal["colocate", "server", "trainer"] = Field(
        description="What samples the rollouts - colocate is vLLM in the trainer's process, server is vLLM on a GPU of "
        "its own, trainer is the trainer itself."
    )


class Lora(Section):
    """The adapter."""

    rank: Count = Field(description="Rank of each update.")
    alpha: Count = Field(description="Scale; updates are multiplied by alpha / rank.")
    dropout: BelowOne = Field(description="Dropout on the adapter's input.")
    targets: Annotated[Names, AfterValidator(sorted)] = Field(
        description="Names of the linear layers that get an adapter."
    )


class Training(Section):
    """LoRA fine-tuning (Sec. 5.1)."""

    lora: Lora = Field(description="The adapter.")
    learning_rate: Positive = Field(description="Peak learning rate.")
    schedule: Literal["cosine", "linear", "constant"] = Field(
        description="How the learning rate falls after the warm-up."
    )
    warmup: BelowOne = Field(description="Fraction of the steps over which the learning rate rises.")
    batch_size: Count = Field(description="Rows per step in total, over devices and accumulation.")
    max_tokens: Annotated[Integer, Field(ge=8)] = Field(
        description="Longest row in tokens; longer ones are left out and counted."
    )
    max_grad_norm: Positive = Field(description="Norm that gradients are clipped to.")
    weight_decay: NonNegative = Field(description="Weight decay of AdamW.")
    betas: Annotated[list[BelowOne], Field(min_length=2)] = Field(description="Decay of AdamW's two moments.")
    dtype: DType = Field(description="Number type of weights and activations.")
    checkpoint_steps: Count = Field(description="Steps between checkpoints.")


TrainingChanges = _changes("TrainingChanges", Training)


class Original(Section):
    """What a method has besides with `baseline_settings` original."""

    epochs: Count | None = Field(None, description="Passes over the training set.")
    training: TrainingChanges | None = Field(None, description="Its authors' own values.")


class Method(Section):
    """A training set and a way to train on it (Sec. 4, 5)."""

    label: Label
    families: SomeTexts | None = Field(
        None, description="Ids under `families` whose students it trains; all when absent."
    )
    students: SomeTexts | None = Field(
        None, description="Ids under `models` of the students it trains; all when absent."
    )
    data: MethodData | None = Field(
        None,
        description="The training set; absent for `initial`, and for `grpo` with all prompts. Sampled from the student "
        "itself (guard, harmful, benign), or a corpus, or made of another method's set (base_method).",
    )
    epochs: Count | None = Field(None, description="Passes over the training set (Table 4).")
    loss: Loss | None = Field(
        None,
        description="What is minimised, with its settings: one module of thinksafe/training/losses/; nll when absent.",
    )
    grpo: Grpo | None = Field(
        None,
        description="Online reinforcement learning in the place of a training set and a loss (Sec. 5.3, App. E).",
    )
    training: TrainingChanges | None = Field(
        None, description="What this method has other than the section `training`."
    )
    original: Original | None = Field(None, description="What it has besides with `baseline_settings` original.")


# ---------------------------------------------------------------- evaluation
class Benchmark(RowSet):
    """What students are evaluated on (Sec. 5.1, App. B)."""

    label: Label
    kind: Literal["harm", "refusal", "reasoning"] = Field(
        description="harm - fraction of responses judged unsafe; refusal - fraction refused; reasoning - fraction "
        "answered right."
    )
    guard: Text | None = Field(None, description="Id under `guards` of the judge (harm and refusal).")
    task: Task | None = Field(None, description="The task whose rules read the answers (reasoning).")
    samples: Count = Field(1, description="Answers sampled for each item.")
    template: Text | None = Field(None, description="The question as it is asked, holding {problem} once (reasoning).")
    option_order: Literal["row", "skythought"] | None = Field(
        None,
        description="How the options of a multiple-choice question are ordered (default: row). row - each question by "
        "a stream of its own; skythought - all questions by one stream, in their order, as in SkyThought with seed 41.",
    )

    @property
    def decoding(self) -> Literal["safety", "reasoning"]:
        """Return which entry of ``sampling`` and ``shards`` its answers have."""
        return "reasoning" if self.kind == "reasoning" else "safety"


# ---------------------------------------------------------------- the synthetic world
Rows = Annotated[Count, Field(description="Rows of this set.")]
Weight = Annotated[NonNegative, Field(description="Weight of this kind.")]


class WorldRows(Section):
    """Prompts or questions in each set."""

    harmful: Rows
    benign: Rows
    harmbench: Rows
    strongreject: Rows
    wildjailbreak: Rows
    xstest: Rows
    aime24: Rows
    gsm8k: Rows
    math500: Rows
    gpqa: Rows


class Templates(Section):
    """How problems are posed in pretraining and in the benign prompts, each with {problem} once."""

    aime24: Text = Field(description="Template of counterparts of AIME 2024.")
    gsm8k: Text = Field(description="Template of counterparts of GSM8K.")
    math500: Text = Field(description="Template of counterparts of MATH500.")
    gpqa: Text = Field(description="Template of counterparts of GPQA.")


class Tiers(Section):
    """A fraction of requests by how overt their mischief is."""

    overt: Fraction = Field(description="Overt mischief.")
    mid: Fraction = Field(description="Mischief between overt and mild.")
    mild: Fraction = Field(description="Mild mischief.")


class Forms(Section):
    """A fraction of requests by their form."""

    plain: Tiers = Field(description="Asked plainly.")
    plan: Tiers = Field(description="Asked for a plan.")
    wrapped: Tiers = Field(description="Asked in adversarial wording.")


class Mix(Section):
    """Weights of the kinds of examples."""

    gsm8k: Weight | None = None
    math500: Weight | None = None
    aime24: Weight | None = None
    gpqa: Weight | None = None
    benign: Weight | None = None
    harmful: Weight | None = None
    steered: Weight | None = None
    steered_benign: Weight | None = None
    harm_question: Weight | None = None
    story: Weight | None = None
    quick: Weight | None = None


class Pretrained(Section):
    """Size and pretraining of a model of the world."""

    hidden_size: Annotated[Integer, Field(ge=32)] = Field(description="Hidden size of the model.")
    layers: Count = Field(description="Layers of the model.")
    examples: Count = Field(description="Examples to train on, each seen once.")
    batch_size: Count = Field(description="Examples per step.")
    learning_rate: Positive = Field(description="Peak learning rate.")


class WorldStudent(Pretrained):
    """How students are pretrained."""

    knows_harm: Boolean = Field(description="False makes refusals independent of harm (control).")
    complies: Boolean = Field(description="False makes it refuse every forbidden request (control).")
    refusals: Forms = Field(description="Fraction of forbidden requests refused when asked directly, by form.")
    steered_refusals: Forms = Field(description="Fraction of forbidden requests refused when told to refuse, by form.")
    steered_refusals_forbidden: Fraction = Field(
        description="Fraction of forbidden requests refused when told to refuse, in the adversarial wording that "
        "forbids to say no."
    )
    steered_refusals_benign: Fraction = Field(description="Fraction of harmless requests refused when told to refuse.")
    other_style: Fraction = Field(description="Fraction of responses in the other style.")
    mix: Mix = Field(description="Weights of the kinds of examples.")


SizeChanges = _changes("SizeChanges", Pretrained)
WorldTeacher = _changes("WorldTeacher", WorldStudent, "mix", "examples", "batch_size", "learning_rate")


class WorldGuard(Pretrained):
    """How guards are trained."""

    shuffled_labels: Boolean = Field(description="Labels belong to other pairs (control).")
    form_rows: Count | None = Field(
        None,
        description="One in so many rows teaches the words around WildGuard's judgements, too; 10 when absent.",
    )


class World(Section):
    """The synthetic world of the miniature (docs/miniature.md); absent for real data."""

    seed: Natural = Field(description="Seed of the world, its texts and its models.")
    rows: WorldRows = Field(description="Prompts or questions in each set.")
    templates: Templates = Field(
        description="How problems are posed in pretraining and in the benign prompts, each with {problem} once."
    )
    phrases: list[Filled] = Field(description="Sentences whose words become tokens although no example has them.")
    vocabulary: Annotated[Integer, Field(ge=300)] = Field(description="Largest number of tokens of a tokenizer.")
    student: WorldStudent = Field(description="How students are pretrained.")
    sizes: dict[Id, SizeChanges] | None = Field(
        None, description="What single students have other than `student`, by id under `models`."
    )
    teacher: WorldTeacher = Field(description="What teachers have other than the student that they go on from.")
    guard: WorldGuard = Field(description="How guards are trained.")


# ---------------------------------------------------------------- the whole
class Config(Section):
    """Config of ThinkSafe-Flow, after all layers are merged."""

    run: Annotated[Text, Field(pattern="^[a-z0-9-]+$")] = Field(
        description="Name of the run; results go to results/<run>/. By default the name of the last overlay."
    )
    select: Select = Field(description="What this run does, out of what is defined below.")
    replicates: Annotated[
        list[Natural], Field(min_length=1), AfterValidator(_distinct), AfterValidator(sorted), UNIQUE
    ] = Field(description="Numbers of the replicates; each one resamples, retrains and evaluates anew.")
    paper: Filled = Field(description="Folder with the paper's printed numbers (docs/claims.md).")
    use_paper_scores: Boolean = Field(
        False, description="Whether the paper's printed cells are the scores of this run; nothing is sampled then."
    )
    hub: Hub = Field(description="What comes from the Hugging Face hub (docs/running-the-paper.md).")
    seeds: Seeds = Field(description="Seeds, hashed with the replicate and the request.")
    families: dict[Id, Family] = Field(
        min_length=1,
        description="Families of students; a family is a chat format with its decoding, and has a table of its own.",
    )
    models: dict[Id, Model] = Field(min_length=1, description="Students and teachers.")
    guards: dict[Id, Guard] = Field(
        min_length=1, description="Guard models, which filter training data and judge answers."
    )
    audit: Texts = Field(
        [], description="Ids under `guards` that judge the harm benchmarks beside the configured guard."
    )
    judge_study: JudgeStudy = Field(
        description="Verdicts of several guards and views on the stored answers to the harm benchmarks "
        "(docs/judges.md)."
    )
    prompts: Prompts = Field(description="Prompts that training responses are sampled for (Sec. 3).")
    corpora: dict[Id, Corpus] = Field(
        description="Published training sets of other methods, brought into one form (Table 4)."
    )
    sources: dict[Id, dict[Id, ReleasedSet]] = Field(
        {},
        description="By student and method, training sets that others have released, used instead of the student's own "
        "samples (config/released.yaml).",
    )
    steerings: dict[Id, Text] = Field(
        min_length=1,
        description="Texts put around a prompt when training responses are sampled, each with {prompt} once (Sec. 4).",
    )
    engine: Engine = Field(description="What runs the models.")
    sampling: Sampling = Field(description="Decoding, by what the responses are for (App. A.1, B).")
    shards: Shards = Field(description="Number of shards that a list of requests is cut into, one job each.")
    methods: dict[Id, Method] = Field(
        min_length=1, description="A method is a training set and a way to train on it (Sec. 4, 5)."
    )
    baseline_settings: Literal["thinksafe", "original"] = Field(
        description="How other methods are trained: thinksafe - as the section `training` says; original - by their "
        "own papers."
    )
    training: Training = Field(description="LoRA fine-tuning (Sec. 5.1).")
    benchmarks: dict[Id, Benchmark] = Field(
        min_length=1, description="What students are evaluated on (Sec. 5.1, App. B)."
    )
    scoring: Scoring = Field(description="How answers become numbers.")
    report: Report = Field(description="The page of a run (docs/report.md).")
    world: World | None = Field(
        None, description="The synthetic world of the miniature (docs/miniature.md); absent for real data."
    )


def plain(part: Any) -> Any:
    """Return a part of a config as mappings, lists and scalars, without what is absent: what a job's spec holds."""
    if isinstance(part, BaseModel):
        return part.model_dump(exclude_none=True)
    if isinstance(part, Mapping):
        return {key: plain(value) for key, value in part.items()}
    return [plain(value) for value in part] if isinstance(part, list) else part
