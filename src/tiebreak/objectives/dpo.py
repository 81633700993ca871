"""Direct preference optimization and its closest relatives: a Bradley-Terry likelihood of the choice."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.pairs import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Divergence, DivergenceAlpha, LabelSmoothing, PositivePenalty


@objective()
def sigmoid(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    label_smoothing: LabelSmoothing = 0.0,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Direct preference optimization: the likelihood of the choice under a Bradley-Terry model of rewards.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: assumed share of flipped labels, in [0, 0.5); 0 is plain DPO.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Rafailov et al. 2023, arXiv 2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO with noisy preferences".
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = beta * (chosen - rejected)
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)


@objective()
def robust(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    label_smoothing: LabelSmoothing = 0.1,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Robust DPO: an estimate of the loss on clean labels that flipped labels do not bias.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: share of flipped labels, in [0, 0.5); 0 is plain DPO.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, shape (pairs,); it may be negative, and falls without end as the margin grows.
    Source:
        Chowdhury et al. 2024, arXiv 2403.00409, section 3.1.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = beta * (chosen - rejected)
    right, flipped = -logsigmoid(margin), -logsigmoid(-margin)
    return ((1 - label_smoothing) * right - label_smoothing * flipped) / (1 - 2 * label_smoothing)


@objective(reward="mean")
def sigmoid_norm(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 5.0,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Length-normalized DPO: the rewards are means over tokens, so that a long ending weighs as much as a short one.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat a token; that is why it is large.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Lambert et al. 2024, arXiv 2411.15124 (Tülu 3), the section on preference tuning, length-normalized DPO.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    return -logsigmoid(beta * (chosen / policy.chosen_tokens - rejected / policy.rejected_tokens))


@objective()
def dpop(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.3,
    positive_penalty: PositivePenalty = 50.0,
) -> Tensor:
    """DPO-Positive: DPO that may not buy its margin with a less likely chosen ending.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        positive_penalty: by how much a nat that the chosen ending loses against the reference lowers the margin, >= 0;
            0 is plain DPO.
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Pal et al. 2024, arXiv 2402.13228 (Smaug), eq. 3.
    """
    chosen, rejected = log_ratios(policy, reference)
    return -logsigmoid(beta * (chosen - rejected - positive_penalty * (-chosen).relu()))
