"""Direct Preference Optimization, with label smoothing."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import logsigmoid

from tiebreak.objectives.pairs import PairLogps
from tiebreak.objectives.registry import objective


@objective
def sigmoid(policy: PairLogps, reference: PairLogps, *, beta: float, label_smoothing: float) -> Tensor:
    """Direct preference optimization: the likelihood of the choice under a Bradley-Terry model of rewards.

    Args:
        policy, reference: log-probs of the pairs, each field of shape (pairs,), in nats.
        beta: strength of the pull towards the reference, > 0, per nat.
        label_smoothing: assumed share of flipped labels, in [0, 0.5); 0 is plain DPO.
    Returns:
        Loss of each pair, shape (pairs,); log 2 where policy and reference agree.
    Source:
        Rafailov et al. 2023, arXiv 2305.18290, eq. 7; smoothing: Mitchell 2023, "A note on DPO with noisy preferences".
    """
    margin = beta * ((policy.chosen - reference.chosen) - (policy.rejected - reference.rejected))
    return -(1 - label_smoothing) * logsigmoid(margin) - label_smoothing * logsigmoid(-margin)
