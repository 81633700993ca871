"""Direct preference optimization, and the losses of the same margin: how much more reward the chosen completion has.

In the order of the file: sigmoid, robust, sigmoid_norm, hinge, ipo, exo_pair, discopop, dpop; and the weights of WPO.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.functional import logsigmoid
from tiebreak.objectives.logps import PairLogps, log_ratios
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import (
    Beta,
    Divergence,
    DivergenceAlpha,
    LabelSmoothing,
    PositivePenalty,
    SomeLabelSmoothing,
    Tau,
)

if TYPE_CHECKING:
    from torch import Tensor


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
    """Length-normalized DPO: the rewards are means over tokens, so that long completions weigh no more than short ones.

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
def hinge(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """Hinge loss of the rewards: SLiC's calibration with log-ratios against a reference.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: reciprocal of the margin of log-ratios from which a pair is good enough, > 0, per nat.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, >= 0, shape (pairs,); 1 where policy and reference agree.
    Source:
        Liu et al. 2023, arXiv 2309.06657 (RSO), the loss "hinge-norm", after Zhao et al. 2023, arXiv 2305.10425.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    return (1 - beta * (chosen - rejected)).relu()


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
def exo_pair(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.1,
    label_smoothing: SomeLabelSmoothing = 1e-3,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """EXO: the divergence of the policy's choice from the smoothed label, which seeks the mode that DPO only covers.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: share of flipped labels, in (0, 0.5); at 0 the divergence would be infinite.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, >= 0, shape (pairs,); 0 at a margin of log((1 - label_smoothing) / label_smoothing).
    Source:
        Ji et al. 2024, arXiv 2402.00856, eq. 16.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = beta * (chosen - rejected)
    right = margin.sigmoid() * (logsigmoid(margin) - math.log1p(-label_smoothing))
    wrong = (-margin).sigmoid() * (logsigmoid(-margin) - math.log(label_smoothing))
    return right + wrong


@objective()
def discopop(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.05,
    tau: Tau = 0.05,
    divergence: Divergence = "reverse_kl",
    divergence_alpha: DivergenceAlpha = 0.5,
) -> Tensor:
    """DiscoPOP: logistic for pairs that are told apart wrongly, exponential for the others, blended in between.

    It is not convex: about a margin of zero, where a run starts, the loss rises with the margin (with tau 0.05 between
    -0.12 and 0.07 of reward), so pairs are drawn out of there to either side.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        tau: width of the blend, in units of reward, in (0, 1]; past 1 the loss of a bad pair would grow exponentially.
        divergence, divergence_alpha: distance from the reference; see `divergences.scores`.
    Returns:
        Loss of each pair, shape (pairs,); (1 + log 2) / 2 where policy and reference agree.
    Source:
        Lu et al. 2024, arXiv 2406.08414, eq. 5.
    """
    chosen, rejected = scores(policy, reference, divergence, divergence_alpha)
    margin = beta * (chosen - rejected)
    exponential = (logsigmoid(margin / tau) - margin).exp()  # one exponent: the factors alone may overflow
    return exponential - (-margin / tau).sigmoid() * logsigmoid(margin)


@objective()
def dpop(
    policy: PairLogps,
    reference: PairLogps,
    *,
    beta: Beta = 0.3,
    positive_penalty: PositivePenalty = 50.0,
) -> Tensor:
    """DPO-Positive: DPO that may not buy its margin with a less likely chosen completion.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        positive_penalty: by how much a nat that the chosen completion loses against the reference lowers the margin,
            >= 0; 0 is plain DPO.
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Pal et al. 2024, arXiv 2402.13228 (Smaug), eq. 3.
    """
    chosen, rejected = log_ratios(policy, reference)
    return -logsigmoid(beta * (chosen - rejected - positive_penalty * (-chosen).relu()))


def wpo_weights(chosen: Tensor, rejected: Tensor) -> Tensor:
    """How much a pair counts, under any objective: the more the likelier the policy is to give its completions.

    Args:
        chosen, rejected: confidence of the policy in each completion, the mean over its tokens of their log-probability
            less that of two equal draws, in nats, shape (pairs,).
    Returns:
        Weights in (0, 1], shape (pairs,), without a gradient.
    Source:
        Zhou et al. 2024, WPO, arXiv 2406.11827, eq. 2 with its alignment of weights; bounded by 1 as its authors do.
    """
    return (chosen + rejected).detach().exp().clamp(max=1.0)
