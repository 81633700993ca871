"""What a loss says by itself, where it is known to be ln 2 for a model that knows nothing.

A mean loss over n pairs has an error of about the loss divided by the root of n: its spread from pair to pair is taken
to be as large as its mean, which is more than it mostly is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tiebreak.doctor.advice import KEEP_BEST, lower_rate
from tiebreak.doctor.curves import ending
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.objective import LN2, first_step, has_rewards, ln2_scale
from tiebreak.formatting import numbers
from tiebreak.metrics import LOSS, MARGIN

ROUNDING = 0.003
"""Losses are printed with four digits, and computed in bfloat16 with fewer."""
EARLY = 20
"""Steps below which a run is still at its beginning."""
_UNKNOWN = 0.05
"""How far a loss has to be from ln 2 where nobody says how many pairs it is the mean of."""
_PAPER = "Rafailov et al. 2023, arXiv 2305.18290, eq. 7 at a margin of zero."


@dataclass(frozen=True)
class Above:
    """A loss above ln 2.

    Attributes:
        name, at, value: the metric, and where and at what it ends.
        clear: it is above by more than its error.
    """

    name: str
    at: float
    value: float
    clear: bool


def above_ln2(facts: Facts, log: TrainingLog) -> Above | None:
    """The held-out loss, or else that of training, where it ends above ln 2; None where ln 2 is no bound, too."""
    if ln2_scale(facts) is None:
        return None
    evaluated, trained, examples = log.evaluated(LOSS.name), log.curve(LOSS.name), facts.held_out_examples
    if evaluated:
        name, at, value = LOSS.recorded, evaluated.at[-1], evaluated.values[-1]
        error = 2 * value / math.sqrt(examples) if examples else _UNKNOWN
    elif trained:
        end = ending(trained)
        name, at, value = LOSS.name, end.at, end.value
        error = max(0.02, 3 * end.error) if end.count > 1 else _UNKNOWN
        if end.count > 1 and value - LN2 < end.error:
            return None
    else:
        return None
    over = value - LN2
    return Above(name, at, value, over > error) if over > ROUNDING else None


def worse_than_chance_loss(facts: Facts) -> Finding | None:
    """The loss ends above ln 2."""
    log, scale = facts.log, ln2_scale(facts)
    above = above_ln2(facts, log) if log is not None else None
    if log is None or scale is None or above is None:
        return None
    if log.axis == "step" and log.last < EARLY and not above.clear:
        return None
    return Finding(
        name="worse-than-chance-loss",
        severity="warning" if above.clear else "note",
        title="the loss is above ln 2: worse than knowing nothing",
        evidence=(log.figure(above.name, above.at, above.value), ln2_figure()),
        means="A model that finds every completion as likely as the reference does has a loss of ln 2, 0.6931. This "
        f"one is surer of the pairs than that, and on the whole wrong.{scale.caveat}",
        change={**KEEP_BEST, **lower_rate(facts)},
        source=_PAPER,
        sure="possible" if not above.clear else "likely" if scale.assumed else "certain",
    )


def first_loss_not_ln2(facts: Facts) -> Finding | None:
    """The first loss of a DPO run, before anything was learned, is not ln 2."""
    log, name = facts.log, facts.known_objective
    if log is None or (name is None and not has_rewards(log)) or (name is not None and ln2_scale(facts) is None):
        return None
    first = first_step(log, LOSS.name)
    if first is None or abs(first.value - LN2) <= 0.01:
        return None
    times = round(first.value / LN2)
    if times >= 2 and abs(first.value - times * LN2) < 0.02 * times:
        means = (
            f"It is {times} times ln 2: a sum over {times} parts of a step where their mean was meant. Gradients may "
            f"be {times} times what the learning rate was chosen for."
        )
        advice = (
            "Update the trainer: TRL divided by the accumulation wrongly before github.com/huggingface/trl/pull/2615."
        )
    else:
        means = (
            "Before the first step policy and reference are the same model, and the loss of every pair is ln 2. Here "
            "they differ: by another reference, dropout, precision, or other tokens."
        )
        advice = "Take the model that training starts from as reference, and switch dropout off, in an adapter too."
    caveat = "" if name is not None else " That holds for DPO's loss; the log does not name its own (--objective does)."
    figures = [log.figure(first.name, first.at, first.value), ln2_figure()]
    margin = first_step(log, MARGIN.name)
    if margin is not None:
        figures.append(log.figure(margin.name, margin.at, margin.value))
    return Finding(
        name="first-loss-not-ln2",
        severity="warning" if abs(first.value - LN2) > 0.05 and name is not None else "note",
        title="the first loss is not ln 2",
        evidence=tuple(figures),
        means=means + caveat,
        advice=(advice,),
        source=_PAPER,
        sure="possible" if name is None else "likely",
    )


def ln2_figure() -> Figure:
    """Ln 2, to be read beside a loss."""
    return Figure("ln 2", LN2, numbers.decimal(LN2))
