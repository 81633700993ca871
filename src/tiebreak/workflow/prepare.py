"""From a recipe to what a run needs in memory: data as token ids, the model, the device and the arithmetic."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.gather import gather
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.render import Template, choose_template
from tiebreak.data.select import Selection
from tiebreak.data.tokenize import Limits, Tokenized, tokenize_demonstrations, tokenize_preferences
from tiebreak.engine.checkpointing import checkpoint_layers
from tiebreak.errors import InputError
from tiebreak.models.load import load_config, load_model, load_tokenizer
from tiebreak.models.precision import Precision, choose_device, choose_precision
from tiebreak.objectives import objective_named
from tiebreak.objectives.registry import PairLoss
from tiebreak.recipe import ObjectiveSection, Recipe
from tiebreak.training.examples import Groups
from tiebreak.workflow.talk import Talk

if TYPE_CHECKING:
    from datasets import Dataset

SUPERVISED = "supervised"


def is_supervised(recipe: Recipe) -> bool:
    """Whether a recipe trains on single endings (`tiebreak sft`) and not on pairs."""
    return recipe.objective.name == SUPERVISED


def check_objective(recipe: Recipe) -> None:
    """Find out what is wrong with an objective before anything is loaded.

    Raises:
        InputError: there is no such objective, or a setting was given that it does not take.
    """
    if not is_supervised(recipe):
        objective_of(recipe)
    elif recipe.objective != ObjectiveSection(name=SUPERVISED):
        raise InputError(
            "Supervised training takes no settings of an objective.",
            where="objective",
            fix="leave out all but its name",
        )


def objective_of(recipe: Recipe) -> PairLoss:
    """The objective of a preference run, its settings filled in.

    Raises:
        InputError: there is no such objective, or a setting was given that it does not take.
    """
    given = recipe.objective.model_dump(exclude={"name"})
    return objective_named(recipe.objective.name).configured(given, ObjectiveSection().model_dump())


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
    """The model of a run, on its device."""

    model: PreTrainedModel
    device: torch.device
    precision: Precision


def prepare_data(recipe: Recipe, talk: Talk) -> PreparedData:
    """Read, select and tokenize.

    Raises:
        InputError: the source, a row, or the selection is wrong, or nothing is left to train on.
    """
    settings, supervised = recipe.data, is_supervised(recipe)
    tokenizer = _tokenizer_of(recipe)
    template = choose_template(tokenizer, settings.template)
    with talk.share("reading") as update:
        loaded, selection = gather(settings, supervised=supervised, on_progress=update)
    limits = Limits(
        _longest(recipe), settings.max_prompt_length, settings.max_completion_length, too_long=settings.too_long
    )
    endings = ("completion",) if supervised else ("chosen", "rejected")
    tokenize = tokenize_demonstrations if supervised else tokenize_preferences

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
    """Load the model that a run starts from, and choose its device and arithmetic."""
    section = recipe.model
    # Weights that are trained are kept in float32; bfloat16 ones would lose updates smaller than their last bit.
    dtype = torch.float32 if section.dtype == "auto" else getattr(torch, section.dtype)
    model = load_model(
        section.name, revision=section.revision, dtype=dtype, trust_remote_code=section.trust_remote_code
    )
    if recipe.train.gradient_checkpointing:
        checkpoint_layers(model)
    device = choose_device()
    moved: Any = model.to(device)  # type: ignore[arg-type]
    return PreparedModel(moved, device, choose_precision(recipe.train.precision, device, moved.num_parameters()))


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
