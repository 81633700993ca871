"""Two models on the same held-out pairs: which of them agrees with people more often, and how sure that is.

Both are measured against one fixed reference. Measured against each other, two equal models would have margins of zero
and no accuracy, and whatever differs a little would look like a step ahead.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tiebreak.engine.score import Scores
from tiebreak.evaluate.bootstrap import Estimate, mean_over_prompts
from tiebreak.evaluate.held_out import pair_logps
from tiebreak.evaluate.measured_pairs import MeasuredPairs
from tiebreak.objectives import Loss, pair_metrics


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same pairs.

    Attributes:
        pairs, prompts: that both were measured on.
        accuracy_before, accuracy_after: share of pairs whose chosen completion has the higher reward; a tie is half.
        loss_before, loss_after: the objective's, means over the pairs.
        accuracy, loss: after less before, with intervals from a bootstrap over prompts.
    """

    pairs: int
    prompts: int
    accuracy_before: float
    accuracy_after: float
    loss_before: float
    loss_after: float
    accuracy: Estimate
    loss: Estimate


@dataclass(frozen=True)
class Difference:
    """One model less another on the pairs that both were measured on.

    Attributes:
        pairs, prompts: that both were measured on.
        accuracy: difference of the shares of pairs whose chosen completion is preferred, each by the model's own
            reward; with an interval from a bootstrap over prompts.
        loss: difference of the losses; None where one has none, or they are of two objectives.
    """

    pairs: int
    prompts: int
    accuracy: Estimate
    loss: Estimate | None


def difference(before: MeasuredPairs, after: MeasuredPairs, *, same_loss: bool, seed: int = 0) -> Difference | None:
    """What one model is ahead of another, pair by pair.

    Args:
        before, after: tables of the same data.
        same_loss: whether their losses are of one objective with one beta.
        seed: of the bootstrap.
    Returns:
        None where no pair was measured on both.
    """
    shared, mine, theirs = np.intersect1d(before.rows, after.rows, return_indices=True)
    if not len(shared):
        return None
    first, second = before.select(mine), after.select(theirs)
    loss = None
    if same_loss and first.loss is not None and second.loss is not None:
        loss = mean_over_prompts(second.loss - first.loss, first.prompts, seed=seed)
    accuracy = mean_over_prompts(second.right - first.right, first.prompts, seed=seed)
    return Difference(len(shared), len(set(first.prompts)), accuracy, loss)


def compare_on_pairs(
    before: Scores,
    after: Scores,
    reference: Scores | None,
    *,
    objective: Loss,
    prompts: Sequence[Hashable],
    seed: int = 0,
) -> PairedComparison:
    """Measure two models against one reference, pair by pair.

    Args:
        before, after: scores of the models, chosen first.
        reference: scores of the fixed reference; None where the objective needs none.
        objective: the loss, which also says what a reward is.
        prompts: the prompt of each pair.
        seed: of the bootstrap.
    """
    right_before, loss_before = _of_pairs(before, reference, objective)
    right_after, loss_after = _of_pairs(after, reference, objective)
    return PairedComparison(
        pairs=len(prompts),
        prompts=len(set(prompts)),
        accuracy_before=float(right_before.mean()),
        accuracy_after=float(right_after.mean()),
        loss_before=float(loss_before.mean()),
        loss_after=float(loss_after.mean()),
        accuracy=mean_over_prompts((right_after - right_before).numpy(), prompts, seed=seed),
        loss=mean_over_prompts((loss_after - loss_before).numpy(), prompts, seed=seed),
    )


def _of_pairs(scores: Scores, reference: Scores | None, objective: Loss) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether each pair is right, a tie being half, and its loss; each of shape (pairs,)."""
    policy = pair_logps(scores)
    against = pair_logps(reference) if reference is not None and objective.needs_reference else None
    margins = pair_metrics(policy, against, beta=objective.beta, reward=objective.reward)["rewards/margins"].double()
    return (margins.sign() + 1) / 2, objective(policy, against).double()
