"""Objectives that need no reference: the policy's own log-probs, and often a supervised term that holds it in place."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiebreak.objectives.functional import epsilon, logsigmoid, where
from tiebreak.objectives.logps import PairLogps
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Delta, Gamma, LabelSmoothing, NllWeight

if TYPE_CHECKING:
    from torch import Tensor


@objective(reward="mean")
def simpo(policy: PairLogps, *, beta: Beta = 2.0, gamma: Gamma = 1.0) -> Tensor:
    """Simple preference optimization: log-probs a token as rewards, and a margin that they should differ by.

    Args:
        policy: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: scale of the rewards, > 0, per nat a token.
        gamma: target margin, >= 0, in units of reward: it is not divided by beta.
    Returns:
        Loss of each pair, shape (pairs,).
    Source:
        Meng et al. 2024, arXiv 2405.14734, eq. 6.
    """
    return -logsigmoid(beta * (policy.mean_chosen - policy.mean_rejected) - gamma)


@objective(reward="mean")
def orpo(policy: PairLogps, *, beta: Beta = 0.1, nll_weight: NllWeight = 1.0) -> Tensor:
    """Odds ratio preference optimization: supervised learning that also favors the odds of the chosen completion.

    Probabilities are geometric means over tokens. The supervised term is over the completion, not over the prompt.

    Args:
        policy: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: weight of the odds ratio term, > 0; the paper's lambda.
        nll_weight: weight of the supervised term, >= 0; 1 in the paper.
    Returns:
        Loss of each pair, shape (pairs,).
    Source:
        Hong et al. 2024, arXiv 2403.07691, eq. 6 and 7.
    """
    log_odds_ratio = _log_odds(policy.mean_chosen) - _log_odds(policy.mean_rejected)
    return -nll_weight * policy.mean_chosen - beta * logsigmoid(log_odds_ratio)


@objective()
def cpo(
    policy: PairLogps, *, beta: Beta = 0.1, label_smoothing: LabelSmoothing = 0.0, nll_weight: NllWeight = 1.0
) -> Tensor:
    """Contrastive preference optimization: DPO against a uniform reference, held in place by a supervised term.

    Args:
        policy: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: scale of the rewards, > 0, per nat.
        label_smoothing: assumed share of flipped labels, in [0, 0.5).
        nll_weight: weight of the supervised term, the mean over the completion's tokens as in the authors' code, >= 0.
    Returns:
        Loss of each pair, shape (pairs,).
    Source:
        Xu et al. 2024, arXiv 2401.08417, section 3, the preference term being eq. 3.
    """
    margin = beta * (policy.chosen - policy.rejected)
    preference = -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)
    return preference - nll_weight * policy.mean_chosen


@objective()
def slic_hf(policy: PairLogps, *, delta: Delta = 1.0, nll_weight: NllWeight = 0.5) -> Tensor:
    """Sequence likelihood calibration: a hinge on the log-probs, and the chosen completion as the supervised target.

    Args:
        policy: log-probs of the pairs, each field of shape (pairs,), in nats.
        delta: margin from which a pair is good enough, > 0, in nats.
        nll_weight: weight of the supervised term, the sum over the completion's tokens as in the paper, >= 0.
    Returns:
        Loss of each pair, >= 0, shape (pairs,).
    Source:
        Zhao et al. 2023, arXiv 2305.10425 (SLiC-HF), section 2, with the chosen completion as its target.
    """
    return (delta - (policy.chosen - policy.rejected)).relu() - nll_weight * policy.chosen


@objective()
def nll(policy: PairLogps) -> Tensor:
    """The supervised term alone: the chosen completion's negative log-likelihood a token; mostly added to another one.

    Args:
        policy: log-probs of the pairs, each field of shape (pairs,), in nats.
    Returns:
        Loss of each pair, in nats a token, shape (pairs,).
    Source:
        As the second term of Pang et al. 2024, arXiv 2404.19733, eq. 1.
    """
    return -policy.mean_chosen


def _log_odds(logp: Tensor) -> Tensor:
    """log(p / (1 - p)) of a log-probability; p is at most 1 - epsilon, for at 1 the odds are infinite."""
    below = logp.clamp(max=-epsilon(logp))
    complement = where(below < -math.log(2), (-below.exp()).log1p(), (-below.expm1()).log())
    return logp - complement
