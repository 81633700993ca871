"""Held-out preference metrics from scores: of a policy against its reference, or of a model on its own."""

from __future__ import annotations

from typing import Protocol

import torch

from tiebreak.engine.score import Floats, Scores
from tiebreak.metrics import ACCURACY, HELD_OUT, LOSS
from tiebreak.objectives import Loss, PairLogps, pair_metrics

_REWARDS = "rewards/"  # what such names begin with needs a reference, where the objective has one


def held_out_metrics(policy: Scores, reference: Scores | None, *, objective: Loss) -> dict[str, float]:
    """Means over the held-out pairs, with the prefix `eval_`.

    Args:
        policy: scores of the model that is measured, chosen first.
        reference: scores of its reference; None gives no metric that needs one. A model measured against
            itself has no accuracy: all its margins are exactly zero.
        objective: the loss, which also says what a reward is.
    """
    mine = pair_logps(policy)
    theirs = pair_logps(reference) if reference is not None and objective.needs_reference else None
    values = pair_metrics(mine, theirs, beta=objective.beta, reward=objective.reward)
    if theirs is None and objective.needs_reference:
        values = {name: value for name, value in values.items() if not name.startswith(_REWARDS)}
    else:
        values[LOSS.name] = objective(mine, theirs)
    if policy is reference and theirs is not None:
        del values[ACCURACY.name]
    logits = {f"logits/{side}": policy.mean_logit[:, i] for i, side in enumerate(("chosen", "rejected"))}
    return {HELD_OUT + name: float(value.double().mean()) for name, value in values.items()} | {
        HELD_OUT + name: float(value.mean(dtype="float64")) for name, value in logits.items()
    }


def pair_rewards(policy: Scores, reference: Scores | None, *, objective: Loss) -> list[tuple[float, float]]:
    """Rewards of the chosen and of the rejected completion of each pair.

    Args:
        policy, reference, objective: as for `held_out_metrics`; an objective that needs a reference needs it here.
    """
    theirs = pair_logps(reference) if reference is not None and objective.needs_reference else None
    values = pair_metrics(pair_logps(policy), theirs, beta=objective.beta, reward=objective.reward)
    return list(zip(values["rewards/chosen"].tolist(), values["rewards/rejected"].tolist(), strict=True))


class Logps(Protocol):
    """What pairs were scored at, by the engine or by a trainer; both of shape (pairs, 2), chosen first."""

    @property
    def logp(self) -> Floats:
        """Log-probs of the completions in nats."""

    @property
    def tokens(self) -> Floats:
        """Their scored tokens."""


def pair_logps(scores: Logps) -> PairLogps:
    """Scores of pairs, chosen first, as the losses take them."""
    logp, tokens = torch.from_numpy(scores.logp), torch.from_numpy(scores.tokens)
    return PairLogps(logp[:, 0], logp[:, 1], tokens[:, 0], tokens[:, 1])
