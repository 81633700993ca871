"""The plan of a run's steps: how many there are, which rows they see, the path of their batches, the token budget.

What costs time to find out, the self-check and the budget, is found once, kept in the manifest, and used again by a
resumed run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from transformers import PreTrainedModel

from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.logprobs import PLAIN, Measures
from tiebreak.engine.score import SCORING_TOKENS, Scorer
from tiebreak.engine.self_check import SelfCheck, check_causal, look_back_windows, self_check
from tiebreak.engine.token_budget import token_budget
from tiebreak.errors import InputError
from tiebreak.models.precision import Precision
from tiebreak.recipe import Recipe, TrainSection
from tiebreak.runs import RunFolder
from tiebreak.runs.manifest import BudgetRecord, SelfCheckRecord
from tiebreak.training.arguments import Length, length_of, pairs_a_step
from tiebreak.training.examples import Groups
from tiebreak.workflow.data import RunData
from tiebreak.workflow.model import RunModel
from tiebreak.workflow.resolve import ResolvedRecipe
from tiebreak.workflow.shared import ALONE, Shared


@dataclass(frozen=True)
class Plan:
    """What is settled of the steps before the first one.

    Attributes:
        length: of the run, in steps.
        check: what the self-check found.
        scorer: path, arithmetic and token budget.
    """

    length: Length
    check: SelfCheckRecord
    scorer: Scorer


def rows_needed(data: RunData, train: TrainSection) -> tuple[RunData, Length]:
    """The data with only the training rows that the run will see, and how long the run is.

    The rows are all, or where the run is shorter than a pass, as many as it has steps for. Nothing is computed for the
    others, which for a short run on a large data set is most of the work.
    """
    length = length_of(train, len(data.train))
    needed = length.steps * pairs_a_step(train)
    if needed >= len(data.train):
        return data, length
    rows = np.arange(len(data.train))
    if train.shuffle:
        rows = np.random.default_rng(train.seed).permutation(rows)
    return replace(data, train=data.train.select(rows[:needed])), length


def make_plan(
    folder: RunFolder,
    resolved: ResolvedRecipe,
    model: RunModel,
    groups: Groups,
    length: Length,
    shared: Shared = ALONE,
) -> Plan:
    """Find path and token budget, or read what an earlier session found; the manifest keeps them.

    Args:
        folder: of the run.
        resolved: the recipe as it runs.
        model: of the run.
        groups: the training examples that the run will see.
        length: of the run.
        shared: what the run has in common with others: of one model and data, both are found once.
    Raises:
        InputError: the model is not causal, or trees are asked for and it gives other numbers by them.
    """
    recipe = resolved.recipe
    adapter, data = recipe.model.adapter, recipe.data.model_dump_json()
    part = (len(groups), recipe.train.shuffle and recipe.train.seed) if length.steps < length.steps_an_epoch else None
    key = (
        (model.fingerprint, None if adapter is None else adapter.model_dump_json(), model.precision.name),
        (resolved.task.name, data, recipe.train.path, recipe.train.gradient_checkpointing, part),
    )
    earlier = folder.load_manifest()
    check = earlier.self_check or shared.once("self-check", key, lambda: _self_check(recipe, model, groups))
    if recipe.train.path == "tree" and check.path != "tree":
        raise InputError(
            f"This model cannot take tree batches: {check.reason}.", where="train.path", fix="set train.path=auto"
        )
    memory = (key, recipe.train.tokens_per_microbatch, recipe.train.reference, recipe.train.memory_share)
    budget = earlier.tokens_per_microbatch
    if budget is None:
        budget, found = shared.once("token budget", memory, lambda: _token_budget(recipe, model, groups, check))
        folder.update_manifest(budget=found)
    scorer = Scorer(check.path, model.precision.autocast, budget, resolved.measures)
    folder.update_manifest(self_check=check, tokens_per_microbatch=budget)
    return Plan(length, check, scorer)


def scoring_only(
    model: PreTrainedModel, groups: Sequence[ScoredGroup], precision: Precision, measures: Measures = PLAIN
) -> Scorer:
    """How a model is scored that is not trained: checked on its own data, with the fixed budget of scoring.

    Args:
        model: on its device.
        groups: what is scored, at least one.
        precision: the arithmetic.
        measures: what is summed over a completion's tokens.
    """
    check_causal(model, groups)
    check = _checked(model, groups, precision)
    budget = SCORING_TOKENS.get(model.device.type, 2048)
    return Scorer(check.path, precision.autocast, budget, measures)


def _self_check(recipe: Recipe, model: RunModel, groups: Groups) -> SelfCheckRecord:
    check_causal(model.model, groups, plain=model.plain)
    if recipe.train.path == "padded":
        return SelfCheckRecord(path="padded", difference=None, reason="padded batches, as set", seconds=0.0)
    return SelfCheckRecord.model_validate(_checked(model.model, groups, model.precision, model.plain).to_json())


def _checked(
    model: PreTrainedModel, groups: Sequence[ScoredGroup], precision: Precision, plain: torch.dtype | None = None
) -> SelfCheck:
    windows = look_back_windows(model.config.get_text_config())
    longest = groups.longest() if isinstance(groups, Groups) else max(groups, key=lambda group: group.longest)
    return self_check(model, groups, autocast=precision.autocast, plain=plain, windows=windows, longest=longest)


def _token_budget(
    recipe: Recipe, model: RunModel, groups: Groups, check: SelfCheckRecord
) -> tuple[int, BudgetRecord | None]:
    """What the recipe fixes, or what fits into the memory, and then how that was found."""
    written, share = recipe.train.tokens_per_microbatch, recipe.train.memory_share
    if isinstance(written, int):
        return written, None
    found = token_budget(
        model.model,
        groups,
        Scorer(check.path, model.precision.autocast),
        live_reference=recipe.train.reference == "live",
        share=share if isinstance(share, float) else None,
    )
    return found.tokens, BudgetRecord.model_validate(found.to_json())
