"""Objectives that judge each ending against the reference by itself, not only the two against one another."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from tiebreak.objectives.pairs import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta


@objective()
def nca_pair(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.01) -> Tensor:
    """Noise contrastive alignment: raise the chosen reward, and keep both rewards from growing without end.

    The chosen ending rises only to a reward of log 2, from where it is pulled back.

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
    """Binary classifier optimization: tell chosen from rejected endings by whether a reward is above the usual one.

    The usual reward is halfway between the mean chosen and the mean rejected reward of the step, and takes no gradient.

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
    usual = ((chosen.mean() + rejected.mean()) / 2).detach()
    return -logsigmoid(chosen - usual) - logsigmoid(usual - rejected)


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
