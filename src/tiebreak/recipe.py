"""The whole run as one validated document: what a recipe file says and what the flags override.

Every key has a type, a default and a sentence; an unknown key is an error that names the nearest known one.
Knows nothing of models or data: reading a recipe loads neither torch nor a file other than its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from tiebreak.errors import InputError


class Section(BaseModel):
    """A part of a recipe: frozen, and closed to keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, validate_default=True, coerce_numbers_to_str=True
    )


def _every(value: object) -> object:
    """Accept `epoch`, a share of the run in (0, 1), or a whole number of steps."""
    if value is None or value == "epoch":
        return value
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps")
    if 0 < value < 1:
        return float(value)
    if value >= 1 and float(value).is_integer():
        return int(value)
    raise ValueError("give 'epoch', a share of the run between 0 and 1, or a number of steps")


Every = Annotated[Literal["epoch"] | int | float, BeforeValidator(_every)]


class AdapterSection(Section):
    """A small set of weights that is trained beside the frozen model."""

    kind: Literal["lora", "dora", "rslora"] = Field(
        "lora", description="Low-rank adapters: plain, with magnitudes apart, or scaled by the root of the rank."
    )
    rank: int = Field(16, ge=1, description="Rank of the two factors.")
    alpha: float = Field(32.0, gt=0, description="Scale of the product, before it is divided by the rank or its root.")
    targets: Literal["auto"] | tuple[str, ...] = Field(
        "auto", description="Names of the layers that get one; auto is every linear layer of the blocks."
    )

    @field_validator("targets", mode="before")
    @classmethod
    def _one_name(cls, value: object) -> object:
        return (value,) if isinstance(value, str) and value != "auto" else value


def _name_shorthand(key: str) -> BeforeValidator:
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class ModelSection(Section):
    """Which model is trained, and how its weights are held."""

    name: str = Field("bundled:base", description="Hub id, folder, run folder, or bundled:base.")
    revision: str | None = Field(None, description="Branch, tag or commit of a Hub model; null is the default branch.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Type of the trained weights; auto is float32, rounded only in the arithmetic."
    )
    trust_remote_code: bool = Field(False, description="Run Python code that a Hub model brings along.")
    adapter: Annotated[AdapterSection, _name_shorthand("kind")] | None = Field(
        None, description="Train an adapter and leave the model as it is: lora, dora, rslora, or a mapping."
    )
    quantize: Literal["nf4", "int8"] | None = Field(
        None, description="Hold the frozen weights in 4 or 8 bits; needs an adapter and the extra 'quant'."
    )

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.quantize is not None and self.adapter is None:
            raise ValueError("quantized weights cannot be trained; add an adapter: model.adapter=lora")
        return self


class DataSection(Section):
    """Which preferences are read, and which of them are used."""

    source: str = Field(
        "bundled:preferences",
        description="Hub dataset id, file, folder of shards, votes:URL, or bundled:preferences.",
    )
    config: str | None = Field(None, description="Configuration of a Hub dataset.")
    data_dir: str | None = Field(None, description="Folder inside a Hub dataset, such as harmless-base.")
    split: str | None = Field(None, description="Split to train on; null is train, or the only one there is.")
    revision: str | None = Field(None, description="Branch, tag or commit of a Hub dataset.")
    schema_: str = Field("auto", alias="schema", description="Format of the rows, or auto to recognise it.")
    template: Literal["auto", "chat", "transcript"] = Field(
        "auto", description="How a conversation becomes text: the model's chat template, or Human/Assistant turns."
    )
    max_length: int | None = Field(1024, ge=8, description="Longest prompt plus ending, in tokens.")
    max_prompt_length: int | None = Field(None, ge=1, description="Longest prompt, in tokens.")
    max_completion_length: int | None = Field(None, ge=1, description="Longest ending, in tokens.")
    too_long: Literal["drop", "trim_prompt", "trim_completion"] = Field(
        "drop", description="What happens to a pair over a length: left out, oldest turns cut, or endings cut."
    )
    min_chars: int | None = Field(None, ge=0, description="Shortest ending, in characters; null is no limit.")
    max_chars: int | None = Field(None, ge=1, description="Longest ending, in characters; null is no limit.")
    limit: int | None = Field(None, ge=1, description="Use only the first N pairs (after the shuffle, if any).")
    shuffle: bool = Field(False, description="Shuffle the rows with the seed before the limit is applied.")
    duplicates: Literal["drop", "keep"] = Field("drop", description="Exact duplicates of a pair.")
    eval_source: str | None = Field(None, description="Held-out pairs from another source.")
    eval_split: str | None = Field(None, description="Held-out pairs from another split of the same source.")
    eval_fraction: float = Field(
        0.05, ge=0, lt=1, description="Share of the prompts held out, when no eval_source or eval_split is given."
    )
    eval_limit: int | None = Field(None, ge=1, description="Use only the first N held-out pairs.")
    skip_bad_rows: bool = Field(False, description="Leave out rows that cannot be read, and report them.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the shuffle and of the held-out share.")


class ObjectiveSection(Section):
    """The loss: its name in the registry, its settings, and what is added to it."""

    name: str = Field("sigmoid", description="A name from the registry: see `tiebreak recipes objectives`.")
    weight: float = Field(1.0, gt=0, description="Factor of this objective, where others are added.")
    add: dict[str, float | dict[str, float | str]] = Field(
        default_factory=dict,
        description="More objectives and their weights, {nll: 0.2}, or with settings, {ipo: {weight: 0.5, beta: 1}}.",
    )
    weighting: Literal["none", "wpo"] = Field(
        "none", description="Weight of a pair: all alike, or by how likely the policy itself finds it (WPO)."
    )
    length_alpha: float = Field(
        1.0, ge=0, le=1, description="Weight of the tokens by which an ending is longer than the other (LD-DPO)."
    )
    # Settings of single objectives; null is the objective's own default.
    beta: float | None = Field(None, gt=0, description="Strength of the pull towards the reference, per nat.")
    label_smoothing: float | None = Field(None, ge=0, lt=0.5, description="Assumed share of flipped labels.")
    divergence: Literal["reverse_kl", "forward_kl", "js", "alpha"] | None = Field(
        None, description="What measures the distance from the reference."
    )
    divergence_alpha: float | None = Field(None, gt=0, lt=1, description="Order of the alpha divergence.")
    gamma: float | None = Field(None, ge=0, description="Margin that rewards should differ by (simpo).")
    delta: float | None = Field(None, gt=0, description="Margin that log-probs should differ by, in nats (slic_hf).")
    tau: float | None = Field(None, gt=0, description="Temperature of the blend of losses (discopop).")
    positive_penalty: float | None = Field(
        None, ge=0, description="Weight of the loss of likelihood of the chosen ending (dpop)."
    )
    nll_weight: float | None = Field(None, ge=0, description="Weight of the supervised term (orpo, cpo, slic_hf).")
    desirable_weight: float | None = Field(None, gt=0, description="Weight of good endings (kto).")
    undesirable_weight: float | None = Field(None, gt=0, description="Weight of bad endings (kto).")


class TrainSection(Section):
    """The optimization: how far, how fast, how often to look and to save."""

    learning_rate: float = Field(1.0e-6, gt=0, description="Peak learning rate of AdamW.")
    batch_size: int = Field(32, ge=1, description="Pairs a step. Memory does not depend on it.")
    gradient_accumulation: int = Field(
        1, ge=1, description="Multiplies batch_size; for recipes from elsewhere that state both."
    )
    epochs: float = Field(1.0, gt=0, description="Passes over the data.")
    max_steps: int | None = Field(None, ge=1, description="Stop after so many steps, whatever epochs says.")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps in which the learning rate rises.")
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = Field(
        "cosine", description="How the learning rate falls."
    )
    weight_decay: float = Field(0.0, ge=0, description="AdamW's decoupled weight decay.")
    adam_betas: tuple[float, float] = Field((0.9, 0.999), description="AdamW's two decay rates.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients are scaled down to this norm; 0 is never.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Arithmetic of the forward and backward pass; auto is what the machine does well."
    )
    tokens_per_microbatch: Literal["auto"] | int = Field(
        "auto", description="Tokens computed at once; auto is found from the memory. The result does not depend on it."
    )
    reference: Literal["cached", "live"] = Field(
        "cached",
        description="Reference log-probs: computed once and kept, or by a second model in memory at each step.",
    )
    reference_update: Literal["soft", "hard"] | None = Field(
        None, description="Let a live reference follow the policy (TR-DPO): mixed in, or copied; null is never."
    )
    reference_update_every: int = Field(512, ge=1, description="Steps between two updates of the reference.")
    reference_mix: float = Field(0.6, gt=0, le=1, description="Share of the policy in a soft update.")
    gradient_checkpointing: bool = Field(
        False, description="Keep only the layers' inputs and compute the rest again: less memory, a third more time."
    )
    path: Literal["auto", "tree", "padded"] = Field(
        "auto", description="Tree batches, padded batches, or trees where the self-check allows them."
    )
    shuffle: bool = Field(True, description="Visit the pairs in a new order, drawn from the seed, each epoch.")
    log_every: int = Field(10, ge=1, description="Steps between two lines of metrics.")
    eval_every: Every | None = Field(0.1, description="Steps, share of the run, or epoch; null is only at the end.")
    save_every: Every | None = Field(0.1, description="Steps, share of the run, or epoch; null is only at the end.")
    keep_checkpoints: int = Field(2, ge=1, description="Checkpoints kept on the disk, the best one included.")
    keep_best: str | None = Field(
        "eval_loss", description="Metric by which the final model is chosen; null is the last."
    )
    early_stopping: int | None = Field(
        None, ge=1, description="Stop after so many evaluations without a better keep_best metric."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the order of the pairs and of all else that is drawn.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if isinstance(self.tokens_per_microbatch, int) and self.tokens_per_microbatch < 1:
            raise ValueError("tokens_per_microbatch must be auto or at least 1")
        if not all(0 <= beta < 1 for beta in self.adam_betas):
            raise ValueError("adam_betas must each be at least 0 and below 1")
        if self.early_stopping is not None and self.keep_best is None:
            raise ValueError("early_stopping needs keep_best: the metric that it watches")
        if self.reference_update is not None and self.reference == "cached":
            raise ValueError(
                "reference_update changes the reference as the run goes, and log-probs that were computed before it "
                "would be those of another model; set train.reference=live"
            )
        return self


class EvaluateSection(Section):
    """What is measured and shown at the end, beside the held-out metrics."""

    samples: int = Field(5, ge=0, description="Held-out prompts answered by the model before and after.")
    max_new_tokens: int = Field(128, ge=1, description="Longest generated answer, in tokens.")
    temperature: float = Field(0.7, ge=0, description="Sampling temperature; 0 is greedy.")
    judge: Literal["auto", "none", "bundled"] = Field(
        "auto", description="Judge answers by program: where the data has a judge, never, or by the bundled world's."
    )
    judge_prompts: int = Field(400, ge=1, description="Held-out prompts whose answers the judge sees.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the sampling.")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Tracker = Literal["wandb", "trackio", "tensorboard", "mlflow"]


class Recipe(Section):
    """A whole run: model, data, objective, training, evaluation and trackers."""

    model: Annotated[ModelSection, _name_shorthand("name")] = Field(default_factory=lambda: ModelSection())
    data: Annotated[DataSection, _name_shorthand("source")] = Field(default_factory=lambda: DataSection())
    objective: Annotated[ObjectiveSection, _name_shorthand("name")] = Field(default_factory=lambda: ObjectiveSection())
    train: TrainSection = Field(default_factory=lambda: TrainSection())
    evaluate: EvaluateSection = Field(default_factory=lambda: EvaluateSection())
    track: Annotated[tuple[Tracker, ...], BeforeValidator(_listed)] = Field(
        (), description="Trackers that the run is shown in: wandb, trackio, tensorboard, mlflow."
    )

    def to_yaml(self) -> str:
        """The recipe as YAML, defaults included."""
        return yaml.safe_dump(self.model_dump(by_alias=True, mode="json"), sort_keys=False, allow_unicode=True)

    def with_settings(self, settings: dict[str, Any]) -> Recipe:
        """A copy with dotted keys replaced, such as `{"train.learning_rate": 1e-5}`.

        Raises:
            InputError: a key is unknown or a value is out of range.
        """
        document = self.model_dump(by_alias=True, mode="json")
        for dotted, value in settings.items():
            path = dotted.split(".")
            for depth, key in enumerate(path):
                kind = _kind_at(path[:depth])
                if kind is not None and key not in _keys_of(kind):
                    raise _unknown_key(dotted, key, _keys_of(kind), "--set")
            if len(path) == 1 and isinstance(document[dotted], dict):
                raise InputError(
                    f"'{dotted}' is a section, not a key.", where="--set", fix=f"name a key: {dotted}.KEY=…"
                )
            place = document
            for key in path[:-1]:
                if not isinstance(place[key], dict):  # an adapter that is not there yet
                    place[key] = {}
                place = place[key]
            place[path[-1]] = value
        return parse_recipe(document, where="the settings on the command line")


def parse_recipe(document: object, *, where: str) -> Recipe:
    """Validate a recipe that was read from a file or built from flags.

    Args:
        document: nested mappings, as YAML gives them.
        where: named in errors.
    Raises:
        InputError: with every wrong key, its value, and the nearest known name.
    """
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise InputError("A recipe is a mapping of sections.", where=where, fix="see `tiebreak recipes show default`")
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise InputError("; ".join(problems), where=where) from None


def load_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        InputError: the file is missing, is not YAML, or is not a valid recipe.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"There is no recipe file '{path}'.", fix="`tiebreak recipes list` names the built-in ones"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe cannot be read: {error}.", where=str(path)) from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"The recipe is not valid YAML: {error}", where=str(path)) from None
    return parse_recipe(document, where=str(path))


def parse_value(text: str) -> Any:
    """The value of `--set key=value`, read as YAML so that numbers, lists and null mean what they say."""
    try:
        value = yaml.safe_load(text) if text else None
    except yaml.YAMLError:
        raise InputError(
            f"The value '{text}' is not valid YAML.", where="--set", fix=f"put it in quotes: '\"{text}\"'"
        ) from None
    if isinstance(value, str):  # YAML 1.1 reads 1e-6 as text; everyone means the number
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _explain(problem: Any) -> str:
    path = [str(part) for part in problem["loc"] if part not in ("literal['auto']", "literal['epoch']", "int", "float")]
    dotted = ".".join(path).replace("schema_", "schema")
    if problem["type"] == "extra_forbidden":
        return str(_unknown_key(dotted, path[-1], _keys_of(_kind_at(path[:-1]) or Recipe), "").what)
    message = str(problem["msg"]).removeprefix("Value error, ")
    if isinstance(problem["input"], dict):
        return f"{dotted or 'recipe'}: {message}"
    if problem["type"].endswith("_type") or problem["type"].endswith("_parsing") or "input" in problem:
        return f"{dotted or 'recipe'}: {message} (got {problem['input']!r:.80})"
    return f"{dotted}: {message}"


def _kind_at(path: Sequence[str]) -> type[BaseModel] | None:
    """The section at a place in a recipe; None where there is a plain value or a free mapping."""
    kind: type[BaseModel] | None = Recipe
    for part in path:
        if kind is None:
            return None
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        kind = _section_in(fields[part].annotation) if part in fields else None
    return kind


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section among the types that a field may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section_in(part))), None)


def _keys_of(kind: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _unknown_key(dotted: str, key: str, known: list[str], where: str) -> InputError:
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
    return InputError(f"There is no key '{dotted}' in a recipe{hint}", where=where or None)


def described_keys() -> list[tuple[str, str, str]]:
    """Every key of a recipe, dotted, with its default as YAML and its sentence."""
    return list(_described(Recipe, ""))


def _described(kind: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    defaults = kind().model_dump(by_alias=True, mode="json")
    for name, field in kind.model_fields.items():
        key = field.alias or name
        inner = _section_in(field.annotation)
        if inner is None or defaults[key] is None:
            default = yaml.safe_dump(defaults[key], default_flow_style=True).removesuffix("\n").removesuffix("\n...")
            yield f"{prefix}{key}", default, field.description or ""
        if inner is not None:
            yield from _described(inner, f"{prefix}{key}.")
