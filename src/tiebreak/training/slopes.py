"""The slopes of a loss: how it changes with each completion's log-prob. Where they are zero nothing is trained.

The gradient of a loss is that of the log-probs, each times its slope; so once the slopes are known, no more is needed
of the loss. A slope is exactly zero where a loss is flat (a hinge beyond its margin), and for what only informs it
(mismatched completions): a backward pass through these would add zeros.

Knows scores and examples; no model, and no loss by name.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.engine.overlap import reading_waits
from tiebreak.engine.router_loss import Loads
from tiebreak.training.means import Means

Scored = tuple[SequenceLogps, Tensor | None]
"""A model's scores of some examples, and the log-probs that they are compared with."""


@dataclass(frozen=True)
class StepSlopes:
    """A step that was scored as a whole, without gradients.

    Attributes:
        loss: of the step, shape ().
        of: for each example of the step, the slope at each of its completions, shape (completions,).
        means: the step's metrics.
        loads: how the experts of a mixture were used; None where that is not asked.
    """

    loss: Tensor
    of: Sequence[Tensor]
    means: Means
    loads: Loads | None = None


@dataclass(frozen=True)
class Pulled:
    """What is left of an example where nothing else has to be trained.

    Attributes:
        group: its prompt and the completions that are left.
        slope: at each of them, shape (completions,).
    """

    group: ScoredGroup
    slope: Tensor


def slope_of(loss: Callable[[SequenceLogps], Tensor], scores: SequenceLogps) -> tuple[Tensor, Tensor]:
    """A loss, without a gradient, and its slope at each completion.

    Args:
        loss: from scores to a loss, shape ().
        scores: of the completions.
    Returns:
        The loss, shape (), and the slopes, shape (sequences,).
    """
    with torch.enable_grad():
        leaf = scores.logp.detach().requires_grad_()
        found = loss(replace(scores, logp=leaf))
        (slope,) = torch.autograd.grad(found, leaf)
    return found.detach(), slope


def is_flat(slope: Tensor) -> bool:
    """Whether every slope is exactly zero. On a GPU nobody looks: to wait for it costs more than is saved."""
    return not reading_waits(slope.device) and not bool(slope.any())


def zeros_where_gradients_would_be(logp: Tensor) -> None:
    """Do what a backward pass of slopes that are all zero does, without it: weights that have no gradient get zeros.

    An optimizer moves a weight whose gradient is zero, by its momentum and its decay, and none that has no gradient.

    Args:
        logp: log-probs with their graph.
    """
    nodes, seen = [logp.grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None and leaf.grad is None:
            leaf.grad = torch.zeros_like(leaf)
        nodes += [following for following, _ in node.next_functions]


def pulled(
    groups: Sequence[ScoredGroup],
    slopes: Sequence[Tensor],
    *,
    apart: bool,
    only: Container[int] | None = None,
    never: Container[int] = (),
) -> list[Pulled]:
    """What has to be trained of a step's examples.

    Args:
        groups: of the examples.
        slopes: for each example, at each of its completions.
        apart: whether a completion may be left out and another of its example stay.
        only: the completions of an example that may be left out, by their place in it; None is any.
        never: those that never have a slope. On a GPU, where nobody looks at slopes, they alone are left out.
    Returns:
        Examples in their order, without what need not be trained; empty where nothing is left.
    """
    if reading_waits(slopes[0].device):
        moving = [i not in never for slope in slopes for i in range(len(slope))]
    else:
        moving = torch.cat([slope != 0 for slope in slopes]).tolist()
    found = []
    for group, slope in zip(groups, slopes, strict=True):
        of_group, moving = moving[: len(slope)], moving[len(slope) :]
        stays = [moves or (only is not None and i not in only) for i, moves in enumerate(of_group)]
        if not apart:
            stays = [any(stays)] * len(stays)
        if any(stays):
            at = [i for i, stay in enumerate(stays) if stay]
            found.append(Pulled(only_completions(group, at), slope[at]))
    return found


def only_completions(group: ScoredGroup, at: Sequence[int]) -> ScoredGroup:
    """A group with some of its completions, by their place in it, and with their marks of what is scored."""
    marks = tuple(group.scored[i] for i in at) if group.scored else ()
    return replace(group, completions=tuple(group.completions[i] for i in at), scored=marks)


def joined(parts: Sequence[Scored]) -> Scored:
    """Scores of several micro-batches put together, as if they had been one.

    Args:
        parts: of each micro-batch the model's scores, fields of shape (sequences,), and what they are compared with,
            shape (examples, completions) or None; at least one part, and with all or none of them compared.
    """
    scores = [score for score, _ in parts]
    reference_logps = [found for _, found in parts if found is not None]
    confidence = [score.confidence for score in scores if score.confidence is not None]
    together = SequenceLogps(
        torch.cat([score.logp for score in scores]),
        torch.cat([score.tokens for score in scores]),
        torch.cat([score.mean_logit for score in scores]),
        torch.cat(confidence) if confidence else None,
    )
    return together, torch.cat(reference_logps) if reference_logps else None
