"""A loss that a language model found by searching over losses: a blend of the logistic and the exponential one."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from tiebreak.objectives.divergences import scores
from tiebreak.objectives.pairs import PairLogps
from tiebreak.objectives.registry import objective
from tiebreak.objectives.settings import Beta, Divergence, DivergenceAlpha, Tau


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
