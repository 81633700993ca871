"""Losses that judge each completion by itself, and not only the two of a pair against one another.

In the order of the file: nca_pair, bco_pair, apo_zero, apo_down, sppo_hard.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiebreak.objectives.functional import logsigmoid
from tiebreak.objectives.logps import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta

if TYPE_CHECKING:
    from torch import Tensor


@objective()
def nca_pair(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.01) -> Tensor:
    """Noise contrastive alignment: raise the chosen reward, and keep both rewards from growing without end.

    The chosen completion rises only to a reward of log 2, from where it is pulled back.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
    Returns:
        Loss of each pair, shape (pairs,); 2 log 2 where policy and reference agree.
    Source:
        Chen et al. 2024, arXiv 2402.05369, section 4.1, with two answers a prompt.
    """
    chosen, rejected = log_ratios(policy, reference)
    chosen, rejected = beta * chosen, beta * rejected
    return -logsigmoid(chosen) - 0.5 * logsigmoid(-chosen) - 0.5 * logsigmoid(-rejected)


@objective(whole_step=True)
def bco_pair(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.01) -> Tensor:
    """Binary classifier optimization: tell chosen from rejected completions by whether a reward is above delta.

    Delta, the reward shift, is halfway between the mean chosen and the mean rejected reward of the step, and takes no
    gradient.

    Args:
        policy, reference: log-probs of the pairs of a whole step, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
    Returns:
        Loss of each pair, shape (pairs,); 2 log 2 where policy and reference agree.
    Source:
        Jung et al. 2024, arXiv 2404.04656, section 4, with its reward shift; the mean is the step's, not a running one.
    """
    chosen, rejected = log_ratios(policy, reference)
    chosen, rejected = beta * chosen, beta * rejected
    delta = ((chosen.mean() + rejected.mean()) / 2).detach()
    return -logsigmoid(chosen - delta) - logsigmoid(delta - rejected)


@objective()
def apo_zero(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1) -> Tensor:
    """Anchored preference optimization, zero: chosen up and rejected down; for answers better than the model's own.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
    Returns:
        Loss of each pair, in (0, 2), shape (pairs,); 1 where policy and reference agree.
    Source:
        D'Oosterlinck et al. 2024, arXiv 2408.06266, eq. 7.
    """
    chosen, rejected = log_ratios(policy, reference)
    return (-beta * chosen).sigmoid() + (beta * rejected).sigmoid()


@objective()
def apo_down(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.1) -> Tensor:
    """Anchored preference optimization, down: both down, rejected further; for answers worse than the model's own.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
    Returns:
        Loss of each pair, in (0, 2), shape (pairs,); 1 where policy and reference agree.
    Source:
        D'Oosterlinck et al. 2024, arXiv 2408.06266, eq. 8.
    """
    chosen, rejected = log_ratios(policy, reference)
    return (beta * chosen).sigmoid() + (-beta * (chosen - rejected)).sigmoid()


@objective()
def sppo_hard(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.001) -> Tensor:
    """Self-play preference optimization: regress each completion's log-ratio to its chance of winning, 1 or 0 here.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: regularization strength, > 0, per nat; the targets are +-1 / (2 beta), 1 / beta being the paper's eta.
    Returns:
        Loss of each pair, shape (pairs,); 1 / (2 beta) squared, twice, where policy and reference agree.
    Source:
        Wu et al. 2024, arXiv 2405.00675, eq. 4.7, with the hard labels of a pair.
    """
    chosen, rejected = log_ratios(policy, reference)
    target = 1 / (2 * beta)
    return (chosen - target) ** 2 + (rejected + target) ** 2
