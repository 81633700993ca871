"""The sections of a recipe: every key with its type, its default and a sentence.

Settings of objectives and names of trackers are not written here: they are read from the registries of those.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from tiebreak.metrics import keeps_best
from tiebreak.recipe.judge import Judged
from tiebreak.recipe.objective_section import ObjectiveSection
from tiebreak.recipe.section import AdapterKind, AutoOrCount, Betas, Every, Rate, Section, Share, shorthand
from tiebreak.tasks import TASKS

__all__ = ["AdapterSection", "DataSection", "EvaluateSection", "ModelSection", "ObjectiveSection", "TrainSection"]

_KEEPS_BEST = list(dict.fromkeys(name for task in TASKS.values() for name in keeps_best(task)))


class AdapterSection(Section):
    """A small set of weights that is trained beside the frozen model."""

    kind: AdapterKind = Field(
        "lora", description="Low-rank adapters: plain, with magnitudes apart, or scaled by the root of the rank."
    )
    rank: int = Field(16, ge=1, description="Rank of the two factors.")
    alpha: float = Field(32.0, gt=0, description="Scale of the product, before it is divided by the rank or its root.")
    targets: Literal["auto"] | tuple[str, ...] = Field(
        "auto", description="Names of the layers that get one; auto is every linear layer of the blocks."
    )

    @field_validator("targets", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _one_name(cls, value: object) -> object:
        return (value,) if isinstance(value, str) and value != "auto" else value


class ModelSection(Section):
    """Which model is trained, and how its weights are held."""

    name: str = Field("bundled:base", description="Hub id, folder, GGUF file, run folder, or bundled:base.")
    revision: str | None = Field(None, description="Branch, tag or commit of a Hub model; null is the default branch.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Type of the trained weights; auto is float32, rounded only in the arithmetic."
    )
    trust_remote_code: bool = Field(False, description="Run Python code that a Hub model brings along.")
    adapter: Annotated[AdapterSection, shorthand("kind", AdapterSection)] | None = Field(
        None, description="Train an adapter and leave the model as it is: lora, dora, rslora, or a mapping."
    )
    quantize: Literal["nf4", "int8"] | None = Field(
        None, description="Hold the frozen weights in 4 or 8 bits; needs an adapter and the extra 'quant'."
    )
    resize_embeddings: bool = Field(
        False,
        description="Give the model rows for tokens that its tokenizer has beyond its embeddings; they are trained and "
        "saved, with an adapter too.",
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
    schema_: str = Field("auto", alias="schema", description="Form of the rows, or auto to recognise it.")
    columns: dict[str, str | int | float | list[str | int | float] | None] | None = Field(
        None,
        description="Which column is what, in place of a form: {prompt: question, chosen: good, rejected: bad}; paths "
        "reach into values (info.post, answers[*].text), templates join columns.",
    )
    transform: str | None = Field(
        None, description="MODULE:FUNCTION that every row goes through first: a row in; a row, rows or None out."
    )
    template: Literal["auto", "chat", "transcript"] = Field(
        "auto", description="How a conversation becomes text: the model's chat template, or Human/Assistant turns."
    )
    special_tokens: Literal["text", "parse"] = Field(
        "text",
        description="Special tokens in the text of messages: encoded as text, or parsed (for text that is rendered).",
    )
    score_turns: Literal["all", "last"] = Field(
        "all", description="Of a completion of several turns: whether all of the assistant's are scored, or the last."
    )
    max_length: int | None = Field(1024, ge=8, description="Longest prompt plus completion, in tokens.")
    max_prompt_length: int | None = Field(None, ge=1, description="Longest prompt, in tokens.")
    max_completion_length: int | None = Field(None, ge=1, description="Longest completion, in tokens.")
    too_long: Literal["drop", "trim_prompt", "trim_completion", "trim"] = Field(
        "drop",
        description="What happens to an example over a length: dropped; oldest turns or ends of completions trimmed; "
        "or (trim) prompts and completions cut alike, token by token.",
    )
    min_chars: int | None = Field(None, ge=0, description="Shortest completion, in characters; null is no limit.")
    max_chars: int | None = Field(None, ge=1, description="Longest completion, in characters; null is no limit.")
    limit: int | None = Field(
        None,
        ge=1,
        description="Train on the first N examples only: after the shuffle, if any, and once others are held out.",
    )
    shuffle: bool = Field(False, description="Shuffle the rows with the seed before the limit is applied.")
    duplicates: Literal["drop", "keep"] = Field(
        "drop", description="Whether exact duplicates of an example are dropped."
    )
    eval_source: str | None = Field(None, description="Held-out examples from another source.")
    eval_split: str | None = Field(None, description="Held-out examples from another split of the same source.")
    eval_fraction: float = Field(
        0.05, ge=0, lt=1, description="Share of the prompts held out, when no eval_source or eval_split is given."
    )
    eval_limit: int | None = Field(None, ge=1, description="Use only the first N held-out examples.")
    skip_bad_rows: bool = Field(False, description="Drop rows that cannot be read, and report them.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the shuffle and of the held-out share.")


class TrainSection(Section):
    """The optimization: how far, how fast, how often to look and to save."""

    learning_rate: Rate = Field(
        "auto",
        description="Peak learning rate of AdamW; auto is decided by the task, and by whether an adapter is trained.",
    )
    batch_size: int = Field(32, ge=1, description="Examples a step. Memory does not depend on it.")
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
    adam_betas: Betas = Field((0.9, 0.999), description="AdamW's two decay rates.")
    max_grad_norm: float = Field(1.0, ge=0, description="Gradients are scaled down to this norm; 0 is never.")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="Arithmetic of the forward and backward pass; auto is what the machine does well."
    )
    tokens_per_microbatch: AutoOrCount = Field(
        "auto",
        description="Token budget of a micro-batch; auto is found from the memory. Results do not depend on it.",
    )
    memory_share: Share = Field(
        "auto",
        description="Most of the free memory that a run may take, where the token budget is found from it; auto is 0.5 "
        "on a CPU, which leaves some for others, and 0.9 on a GPU.",
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
    router_loss: Literal["auto", "off"] = Field(
        "auto",
        description="The router loss of a mixture of experts, times the weight in the model's configuration: auto adds "
        "it where the model has one.",
    )
    path: Literal["auto", "tree", "padded"] = Field(
        "auto", description="Tree batches, padded batches, or trees where the self-check allows them."
    )
    shuffle: bool = Field(True, description="Visit the examples in a new order, drawn from the seed, each epoch.")
    log_every: int = Field(10, ge=1, description="Steps between two lines of metrics.")
    eval_every: Every | None = Field(0.1, description="Steps, share of the run, or epoch; null is only at the end.")
    save_every: Every | None = Field(0.1, description="Steps, share of the run, or epoch; null is only at the end.")
    keep_checkpoints: int = Field(2, ge=1, description="Checkpoints kept on the disk, the best one included.")
    keep_best: Annotated[str, WithJsonSchema({"enum": _KEEPS_BEST})] | None = Field(
        "eval_loss", description="Metric by which the final model is chosen; null is the last."
    )
    early_stopping: int | None = Field(
        None, ge=1, description="Stop after so many evaluations without a better keep_best metric."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the order of the examples and of all else that is drawn.")

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

    samples: int = Field(20, ge=0, description="Held-out prompts answered by the model before and after.")
    max_new_tokens: int = Field(128, ge=1, description="Longest generated answer, in tokens.")
    temperature: float = Field(0.7, ge=0, description="Sampling temperature; 0 is greedy.")
    judge: Judged = Field(
        "auto", description="Judge answers: auto where the data has a judge, none, bundled, or a judge of your own."
    )
    judge_prompts: int = Field(400, ge=1, description="Most held-out prompts for the judge and for KL.")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the sampling.")
    kl: bool = Field(
        False,
        description="Measure how far the model moves from the one it starts from: KL in nats, on its own answers.",
    )
    harness: tuple[str, ...] = Field(
        (), description="Benchmarks of lm-evaluation-harness, by name, before and after training."
    )
    harness_tasks: str | None = Field(None, description="Folder of task files of your own.")
    harness_limit: int | None = Field(None, ge=1, description="Only the first N documents of each task; null is all.")
    harness_chat: bool = Field(False, description="Put the prompts of benchmarks through the chat template.")

    @field_validator("harness", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _with_commas(cls, value: object) -> object:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value
