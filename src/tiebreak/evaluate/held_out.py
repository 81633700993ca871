"""Held-out preference metrics from scores: of a policy against its reference, or of a model on its own."""

from __future__ import annotations

import torch

from tiebreak.engine.score import Scores
from tiebreak.objectives import Loss, PairLogps, pair_metrics


def held_out_metrics(policy: Scores, reference: Scores | None, *, objective: Loss) -> dict[str, float]:
    """Means over the held-out pairs, with the prefix `eval_`.

    Args:
        policy: scores of the model that is measured, chosen first.
        reference: scores of its reference; None leaves out everything that needs one. A model measured against
            itself has no accuracy: all its margins are exactly zero.
        objective: the loss, which also says what a reward is.
    """
    mine = _pairs(policy)
    metrics: dict[str, float] = {
        "eval_logps/accuracies": float((mine.chosen > mine.rejected).double().mean()),
        "eval_logps/chosen": float(mine.chosen.double().mean()),
        "eval_logps/rejected": float(mine.rejected.double().mean()),
        "eval_logits/chosen": float(policy.mean_logit[:, 0].mean(dtype="float64")),
        "eval_logits/rejected": float(policy.mean_logit[:, 1].mean(dtype="float64")),
    }
    if reference is None and objective.needs_reference:
        return metrics
    theirs = _pairs(reference) if reference is not None and objective.needs_reference else None
    metrics["eval_loss"] = float(objective(mine, theirs).double().mean())
    rewards = pair_metrics(mine, theirs, beta=objective.beta, reward=objective.reward)
    if policy is reference and theirs is not None:
        del rewards["rewards/accuracies"]
    return metrics | {
        f"eval_{name}": float(value.double().mean()) for name, value in rewards.items() if name.startswith("rewards/")
    }


def _pairs(scores: Scores) -> PairLogps:
    logp, tokens = torch.from_numpy(scores.logp), torch.from_numpy(scores.tokens)
    return PairLogps(logp[:, 0], logp[:, 1], tokens[:, 0], tokens[:, 1])
