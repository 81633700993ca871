"""Objectives that regress to a target instead of pushing a margin without end."""

from __future__ import annotations

from torch import Tensor

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.pairs import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Divergence, DivergenceAlpha


@objective()
def ipo(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Identity preference optimization: regress the margin to 1 / (2 beta) instead of pushing it without end.

    Scores are averaged over completion tokens, as in the authors' published results.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: regularization strength, > 0, tokens per nat; larger keeps the policy closer to the reference.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, shape (pairs,); 1 / (2 beta) squared where policy and reference agree.
    Source:
        Azar et al. 2023, arXiv 2310.12036, eq. 17.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = chosen / policy.chosen_tokens - rejected / policy.rejected_tokens
    return (margin - 1 / (2 * beta)) ** 2


@objective()
def sppo_hard(policy: PairLogps, reference: PairLogps, *, beta: Beta = 0.001) -> Tensor:
    """Self-play preference optimization: regress each ending's log-ratio to its chance of winning, 1 or 0 here.

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
