"""From a recipe to what a run needs in memory: data as token ids, the model, the device and the arithmetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.gather import gather
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.preference import Kind
from tiebreak.data.render import Template, choose_template
from tiebreak.data.select import Selection
from tiebreak.data.tokenize import Limits, Tokenized, tokenize_demonstrations, tokenize_labelled, tokenize_preferences
from tiebreak.engine.checkpointing import checkpoint_layers
from tiebreak.engine.logprobs import Measures
from tiebreak.engine.reference import fingerprint_weights
from tiebreak.errors import InputError
from tiebreak.models.adapters import (
    REFERENCE,
    TRAINED,
    add_adapter,
    base_name,
    described_adapter,
    load_adapter,
    use_adapter,
)
from tiebreak.models.load import adapter_folder, load_config, load_model, load_tokenizer
from tiebreak.models.precision import Precision, choose_device, choose_precision
from tiebreak.models.quantize import check_quantization, compute_in
from tiebreak.objectives import Loss, configured, objective_named
from tiebreak.recipe import ObjectiveSection, Recipe
from tiebreak.training.examples import Groups
from tiebreak.workflow.talk import Talk

if TYPE_CHECKING:
    from datasets import Dataset

SUPERVISED = "supervised"
_ENDINGS: dict[Kind, tuple[str, ...]] = {
    "preference": ("chosen", "rejected"),
    "supervised": ("completion",),
    "labelled": ("completion", "partner"),
}
_TOKENIZE = {
    "preference": tokenize_preferences,
    "supervised": tokenize_demonstrations,
    "labelled": tokenize_labelled,
}


def is_supervised(recipe: Recipe) -> bool:
    """Whether a recipe trains on single endings (`tiebreak sft`) and not on pairs."""
    return recipe.objective.name == SUPERVISED


def kind_of(recipe: Recipe) -> Kind:
    """What the run's data are: demonstrations, pairs, or labelled endings."""
    if is_supervised(recipe):
        return "supervised"
    return "labelled" if objective_named(recipe.objective.name).unpaired else "preference"


def completed(recipe: Recipe) -> Recipe:
    """A recipe with its objective's own defaults written out; what is wrong is found before anything is loaded.

    Raises:
        InputError: there is no such objective, or settings were given that do not go together.
    """
    section = recipe.objective
    if is_supervised(recipe):
        if section != ObjectiveSection(name=SUPERVISED):
            raise InputError(
                "Supervised training takes no settings of an objective.",
                where="objective",
                fix="leave out all but its name",
            )
        return recipe
    loss = objective_of(recipe)
    if loss.unpaired and (section.length_alpha != 1 or section.weighting != "none"):
        raise InputError(
            f"'{section.name}' learns from single endings; length_alpha and weighting compare the two of a pair.",
            where="objective",
            fix="leave them out, or choose an objective for pairs",
        )
    if recipe.train.reference_update is not None and (not loss.needs_reference or recipe.model.adapter is not None):
        why = "has no reference" if not loss.needs_reference else "takes the model without its adapter as reference"
        raise InputError(
            f"There is no reference to update: this run {why}.",
            where="train.reference_update",
            fix="leave it out, or train the whole model with an objective that has a reference",
        )
    if recipe.model.quantize is not None:
        check_quantization()
    filled = section.model_copy(update={**loss.settings, "add": loss.added})
    return recipe.model_copy(update={"objective": filled})


def objective_of(recipe: Recipe) -> Loss:
    """The objective of a run on preferences, its settings filled in.

    Raises:
        InputError: there is no such objective, or a setting was given that it does not take.
    """
    section = recipe.objective
    given = section.model_dump(exclude={"name", "weight", "add", "weighting", "length_alpha"})
    return configured(section.name, given, weight=section.weight, add=section.add)


def measures_of(recipe: Recipe) -> Measures:
    """What is summed over an ending's tokens."""
    section = recipe.objective
    return Measures(section.length_alpha, confidence=section.weighting == "wpo")


@dataclass(frozen=True)
class PreparedData:
    """The data of a run.

    Attributes:
        train, held_out: token ids; `held_out` is None where nothing is held out.
        train_rows: the training rows as text, with the columns of `Preference.to_row` or `Demonstration.to_row`.
        held_out_rows: the held-out rows as text, with the same columns.
        tokenizer: the model's.
        template: the form that conversations take.
        account: what was read, left out and cut, for the manifest.
    """

    train: Groups
    held_out: Groups | None
    train_rows: Dataset
    held_out_rows: Dataset
    tokenizer: PreTrainedTokenizerBase
    template: Template
    account: dict[str, Any]


@dataclass(frozen=True)
class PreparedModel:
    """The model of a run, on its device.

    Attributes:
        model: with its adapter, where it has one.
        device, precision: where and how it computes.
        fingerprint: of the weights that the run starts from, a new adapter aside.
        adapter: what is trained of it, for the manifest; None is all of it.
    """

    model: PreTrainedModel
    device: torch.device
    precision: Precision
    fingerprint: str
    adapter: dict[str, Any] | None = None


def prepare_data(recipe: Recipe, talk: Talk) -> PreparedData:
    """Read, select and tokenize.

    Raises:
        InputError: the source, a row, or the selection is wrong, or nothing is left to train on.
    """
    settings, kind = recipe.data, kind_of(recipe)
    tokenizer = _tokenizer_of(recipe)
    template = choose_template(tokenizer, settings.template)
    with talk.share("reading") as update:
        loaded, selection = gather(settings, kind=kind, on_progress=update)
    limits = Limits(
        _longest(recipe), settings.max_prompt_length, settings.max_completion_length, too_long=settings.too_long
    )
    endings, tokenize = _ENDINGS[kind], _TOKENIZE[kind]

    def ids_of(side: str, rows: Dataset) -> Tokenized:
        with talk.progress("tokenizing", len(rows)) as update:
            key = f"{selection.fingerprint}|{side}"
            return tokenize(rows, tokenizer, template=template, limits=limits, key=key, progress=update)

    train, held_out = ids_of("train", selection.train), ids_of("held_out", selection.held_out)
    if not len(train.dataset):
        reasons = "; ".join(f"{reason}: {count}" for reason, count in train.counts.items())
        raise InputError(
            f"None of the {len(selection.train)} training rows is left ({reasons}).",
            where=f"data.max_length = {limits.total}, data.too_long = {settings.too_long}",
            fix="raise data.max_length, set data.too_long to trim_prompt, or data.template to transcript",
        )
    account = _account(recipe, loaded, selection, train, held_out)
    _say(account, talk)
    return PreparedData(
        Groups(train.dataset, endings),
        Groups(held_out.dataset, endings) if len(held_out.dataset) else None,
        selection.train.select(train.dataset["row"]),
        selection.held_out.select(held_out.dataset["row"]),
        tokenizer,
        template,
        account,
    )


def prepare_model(recipe: Recipe) -> PreparedModel:
    """Load the model that a run starts from, choose its device and arithmetic, and put an adapter in it if asked to.

    Raises:
        InputError: the model cannot be loaded, or cannot have the adapter.
    """
    section, device = recipe.model, choose_device()
    # Weights that are trained are kept in float32; bfloat16 ones would lose updates smaller than their last bit.
    dtype = torch.float32 if section.dtype == "auto" else getattr(torch, section.dtype)
    continued = adapter_folder(section.name, section.revision) if section.adapter is not None else None
    model = load_model(
        section.name if continued is None else base_name(continued),
        revision=section.revision if continued is None else None,
        dtype=dtype,
        trust_remote_code=section.trust_remote_code,
        quantize=section.quantize,
        device=device,
    )
    if continued is not None:
        load_adapter(model, continued)
    if recipe.train.gradient_checkpointing:
        checkpoint_layers(model)
    moved: Any = model if section.quantize is not None else model.to(device)  # type: ignore[arg-type]
    precision = choose_precision(recipe.train.precision, device, moved.num_parameters())
    compute_in(moved, precision.autocast or torch.float32)
    fingerprint = fingerprint_weights(moved)
    if section.adapter is None:
        return PreparedModel(moved, device, precision, fingerprint)
    if continued is None:
        add_adapter(moved, section.adapter, base=_written(section.name), seed=recipe.train.seed)
    elif recipe.train.reference == "live":
        load_adapter(moved, continued, name=REFERENCE, trainable=False)
        use_adapter(moved, TRAINED)
    return PreparedModel(moved, device, precision, fingerprint, described_adapter(moved, continued))


def _written(name: str) -> str:
    """A model's name as an adapter carries it: a folder by its whole path."""
    return str(Path(name).expanduser().resolve()) if Path(name).expanduser().exists() else name


def _tokenizer_of(recipe: Recipe) -> PreTrainedTokenizerBase:
    section = recipe.model
    return load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)


def _longest(recipe: Recipe) -> int | None:
    """The length limit: the recipe's, or what the model has positions for, whichever is less."""
    section = recipe.model
    config = load_config(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    room = getattr(config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (recipe.data.max_length, room) if isinstance(limit, int) and limit > 0]
    return min(limits) if limits else None


def _account(
    recipe: Recipe, loaded: LoadedPreferences, selection: Selection, train: Tokenized, held_out: Tokenized
) -> dict[str, Any]:
    left_out = Counter({reason: tally.count for reason, tally in loaded.report.left_out.items()})
    if loaded.report.bad.count:
        left_out["could not be read"] += loaded.report.bad.count
    left_out.update(selection.report.left_out)
    left_out.update({r: n for r, n in train.counts.items() if not r.endswith("trimmed")})
    return {
        "source": recipe.data.source,
        "schema": loaded.recognition.schema,
        "why": loaded.recognition.why,
        "fingerprint": selection.fingerprint,
        "template": train.template,
        "train": len(train.dataset),
        "held_out": len(held_out.dataset),
        "held_out_from": selection.report.held_out_from,
        "held_out_left_out": dict(selection.report.held_out_left_out)
        | {r: n for r, n in held_out.counts.items() if not r.endswith("trimmed")},
        "left_out": dict(left_out),
        "trimmed": {r: n for r, n in train.counts.items() if r.endswith("trimmed")},
        "labels": selection.report.labels,
        "report": loaded.report.to_json(),
    }


def _say(account: dict[str, Any], talk: Talk) -> None:
    held_out = f", {account['held_out']:,} held out ({account['held_out_from']})" if account["held_out"] else ""
    forms = {"chat": "the model's chat template", "transcript": "Human/Assistant turns (the model has no template)"}
    talk.say(
        f"data    {account['source']}: {account['train']:,} rows{held_out}; "
        f"format {account['schema']}; text by {forms[account['template']]}"
    )
    for remark, tally in account["report"].get("notes", {}).items():
        talk.say(f"        {tally['count']:,} with {remark}")
    for word, reasons in (
        ("left out", account["left_out"]),
        ("trimmed", account["trimmed"]),
        ("left out of the held-out set", account["held_out_left_out"]),
    ):
        if reasons:
            talk.say(f"        {word}: " + "; ".join(f"{reason}: {n:,}" for reason, n in sorted(reasons.items())))
