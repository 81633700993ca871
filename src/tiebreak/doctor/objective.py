"""What the loss of a log means: whether ln 2 is that of a model that knows nothing, and whether rewards start at zero.

Where nobody says which objective it was, DPO's sigmoid loss is taken, unless the log contradicts it. Findings that rest
on that say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tiebreak.doctor.facts import Facts
from tiebreak.doctor.log import TrainingLog
from tiebreak.metrics import HELD_OUT, LOSS, MARGIN
from tiebreak.objectives import objective_named
from tiebreak.objectives.outside import is_outside
from tiebreak.objectives.registry import written_names

LN2 = math.log(2)
"""The loss of a pair, in nats, for a model that finds neither completion likelier than the reference does."""

_AT_LN2 = frozenset({"sigmoid", "sigmoid_norm", "robust", "dpop"})
_NEAR = 0.1  # of ln 2: where the first loss of an unknown objective without rewards has to be


@dataclass(frozen=True)
class Scale:
    """That a log's loss is ln 2 where policy and reference agree.

    Attributes:
        assumed: nobody says so; nothing in the log contradicts it.
    """

    assumed: bool

    @property
    def caveat(self) -> str:
        """A sentence for findings that rest on an assumption; empty where there is none."""
        return " The log does not name its loss; DPO's is taken (--objective says it)." if self.assumed else ""


def ln2_scale(facts: Facts) -> Scale | None:
    """Whether ln 2 is the loss of knowing nothing; None where it is not, or that cannot be said."""
    name = facts.known_objective
    if name is not None:
        return Scale(assumed=False) if name in _AT_LN2 and _alone(facts) else None
    if facts.log is None or _contradicted(facts.log):
        return None
    return Scale(assumed=True)


def from_reference(facts: Facts) -> bool:
    """Whether rewards are zero where training starts, as with every objective that has a reference."""
    name = facts.known_objective
    if name is None:
        return facts.log is not None and not _starts_elsewhere(facts.log)
    if is_outside(name) or name not in written_names():
        return False
    return name != "supervised" and objective_named(name).needs_reference


def _alone(facts: Facts) -> bool:
    """Whether the loss that is logged is the objective's own, with nothing added and no weights."""
    if facts.recipe is None or facts.objective is not None:
        return True
    section = facts.recipe.objective
    return not section.add and section.weight == 1 and section.weighting == "none"


@dataclass(frozen=True)
class First:
    """A metric before anything was learned."""

    name: str
    at: float
    value: float


def first_step(log: TrainingLog, name: str) -> First | None:
    """A metric before anything was learned: of held-out data at step 0, or of the first step; None where not logged."""
    if log.axis != "step":
        return None
    for each, latest in ((HELD_OUT + name, 0), (name, 1)):
        curve = log.curve(each)
        if curve and curve.at[0] <= latest:
            return First(each, curve.at[0], curve.values[0])
    return None


def has_rewards(log: TrainingLog) -> bool:
    """Whether the log has rewards, so that it is of a preference training."""
    return any("rewards/" in name for name in log.curves)


def _starts_elsewhere(log: TrainingLog) -> bool:
    margin = first_step(log, MARGIN.name)
    return margin is not None and abs(margin.value) > 0.02


def _contradicted(log: TrainingLog) -> bool:
    """Whether a log cannot be of the sigmoid loss: by its first loss, or by losses below what their margins allow."""
    first = first_step(log, LOSS.name)
    if not has_rewards(log):
        losses = log.evaluated(LOSS.name) or log.curve(LOSS.name)
        shown = first.value if first is not None else losses.values[0] if losses else math.inf
        return abs(shown - LN2) > _NEAR * LN2
    if _starts_elsewhere(log) or (first is not None and abs(first.value - LN2) > 0.05):
        return True
    losses, margins = log.evaluated(LOSS.name), log.evaluated(MARGIN.name)
    margin_at = dict(zip(margins.at, margins.values, strict=True))
    # The mean of a convex function is at least the function of the mean.
    return any(
        loss < _softplus(-margin_at[at]) - 0.02
        for at, loss in zip(losses.at, losses.values, strict=True)
        if at in margin_at
    )


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
