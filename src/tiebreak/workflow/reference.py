"""What a run is compared with: the reference's log-probs, scored beforehand, or a reference that scores as it goes."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedModel

from tiebreak.engine.reference import ReferenceCache, reference_scores
from tiebreak.engine.score import SCORING_TOKENS, Scorer, Scores
from tiebreak.models.adapters import without_adapter
from tiebreak.models.precision import hold_matrices_in
from tiebreak.recipe import TrainSection
from tiebreak.training.examples import Groups
from tiebreak.training.live_reference import LiveReference, MovingReference, ReferenceModel
from tiebreak.workflow import messages
from tiebreak.workflow.data import RunData
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import ResolvedRecipe


@dataclass(frozen=True)
class Reference:
    """What the policy is compared with.

    Attributes:
        train: log-probs of the training examples; None where they are scored as the run goes, or not needed.
        held_out: log-probs of the held-out examples; None where none are needed, or nothing is held out.
        live: scores training examples as the run goes; None where that is not needed.
        moving: lets the live reference follow the policy; None is a fixed one.
    """

    train: Scores | None = None
    held_out: Scores | None = None
    live: LiveReference | None = None
    moving: MovingReference | None = None


def prepare_reference(
    resolved: ResolvedRecipe, model: RunModel, data: RunData, scorer: Scorer, progress: Progress
) -> Reference:
    """Score the reference, or make ready what will score; held-out examples are scored in any case.

    Args:
        resolved: says whether there is a reference, and which kind.
        model: before its first step, when it still is its own reference.
        data: of the run.
        scorer: path and arithmetic.
        progress: where progress is shown.
    """
    if resolved.reference is None:
        return Reference()
    live = resolved.reference == "live"
    train = None if live else _scored(model, data.train, scorer, progress)
    held_out = None if data.held_out is None else _scored(model, data.held_out, scorer, progress)
    if not live:
        return Reference(train, held_out)
    scoring, moving = _live_reference(resolved.recipe.train, model, scorer)
    return Reference(train, held_out, scoring, moving)


def _scored(model: RunModel, groups: Groups, scorer: Scorer, progress: Progress) -> Scores:
    """The reference's log-probs; the reference is the model as it was loaded, without a new adapter."""
    fixed = replace(scorer, budget=SCORING_TOKENS.get(model.device.type, 2048))
    new = model.adapter is not None and model.adapter.continued is None
    as_loaded = without_adapter(model.model) if new else nullcontext()
    with as_loaded, progress.bar("reference", len(groups)) as on_progress:
        scores, found = reference_scores(
            model.model, groups, fixed, fingerprint=model.fingerprint, cache=ReferenceCache(), on_progress=on_progress
        )
    if found:
        progress.say(messages.cached_line(found, len(groups)))
    return scores


def _live_reference(
    settings: TrainSection, model: RunModel, scorer: Scorer
) -> tuple[LiveReference, MovingReference | None]:
    """A frozen copy of the model, or the model itself without its adapter."""
    if model.adapter is not None:
        return ReferenceModel(model.model, scorer), None
    if settings.reference_update is None:
        return ReferenceModel(frozen_copy(model.model, model.precision.autocast), scorer), None
    frozen = frozen_copy(model.model, None)  # mixed into: rounded weights would lose small changes
    moving = MovingReference(
        frozen, settings.reference_update, every=settings.reference_update_every, mix=settings.reference_mix
    )
    return ReferenceModel(frozen, scorer), moving


def frozen_copy(model: PreTrainedModel, arithmetic: torch.dtype | None) -> PreTrainedModel:
    """The model as it stands, for a live reference.

    Args:
        model: the policy before its first step.
        arithmetic: a type in which matrices that are only multiplied are kept; None leaves all as they are.
    """
    frozen = copy.deepcopy(model)
    frozen.requires_grad_(False)
    if arithmetic is not None:
        hold_matrices_in(frozen, arithmetic)
    return frozen
