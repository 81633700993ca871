"""Nothing learned: no gradient, a loss that stays at ln 2, or an accuracy that cannot be told from a coin's."""

from __future__ import annotations

from collections.abc import Mapping

from tiebreak.doctor.advice import higher_rate
from tiebreak.doctor.curves import SHORT, ending
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding, Severity, Sure
from tiebreak.doctor.log import TrainingLog
from tiebreak.doctor.objective import LN2, ln2_scale
from tiebreak.doctor.training.loss import EARLY, ROUNDING, ln2_figure
from tiebreak.formatting import numbers
from tiebreak.formatting.numbers import wilson
from tiebreak.metrics import ACCURACY, LOSS

_SURELY_MANY = 400
"""Held-out pairs with which an accuracy of 55% is told from a half."""


def nothing_learned(facts: Facts) -> Finding | None:
    """No gradient, or neither loss nor accuracy say that anything was learned."""
    log = facts.log
    if log is None:
        return None
    early = log.axis == "step" and log.last < EARLY
    return _no_gradient(log) or (None if early else _at_ln2(facts, log) or _at_chance(facts, log))


def _no_gradient(log: TrainingLog) -> Finding | None:
    norms, trained = log.curve("grad_norm"), log.curve(LOSS.name)
    if len(norms) < 2 or max(norms.values) > 0:
        return None
    figures = [log.figure("grad_norm", norms.at[-1], 0.0)]
    if trained:
        figures.append(log.figure(LOSS.name, trained.at[-1], trained.values[-1]))
    return _finding(
        "stop",
        "certain",
        "there is no gradient: nothing is trained",
        tuple(figures),
        "The gradient is zero in every row, so no weight changes. Nothing can be trained, or the loss does not depend "
        "on what can.",
        advice=(
            "Look at which weights are trained: whether the adapter was added and is not frozen, and whether inputs "
            "need gradients where they are checkpointed.",
        ),
    )


def _at_ln2(facts: Facts, log: TrainingLog) -> Finding | None:
    scale = ln2_scale(facts)
    evaluated, trained = log.evaluated(LOSS.name), log.curve(LOSS.name)
    curve, name = (evaluated, LOSS.recorded) if evaluated else (trained, LOSS.name)
    if scale is None or not curve:
        return None
    end = ending(curve)
    gain = LN2 - end.value
    if not -ROUNDING <= gain <= 0.05 * LN2 or _tells_apart(facts, log):
        return None
    still = gain < 0.005 and (len(curve) >= SHORT or bool(evaluated))
    return _finding(
        "warning" if still else "note",
        "likely" if still else "possible",
        "the loss has hardly moved from ln 2",
        (log.figure(name, end.at, end.value), ln2_figure()),
        "A model that has learned nothing has a loss of ln 2, 0.6931, and this one is little below. The learning rate "
        f"is too low, the run too short, or the pairs have nothing in common.{scale.caveat}",
        change=higher_rate(facts),
    )


def _at_chance(facts: Facts, log: TrainingLog) -> Finding | None:
    evaluated, examples = log.evaluated(ACCURACY.name), facts.held_out_examples
    if not evaluated or log.evaluated(LOSS.name):
        return None
    share = evaluated.values[-1]
    low, high = wilson(share, examples) if examples else (share - 0.03, share + 0.03)
    if not low <= 0.5 <= high:
        return None
    figures = [log.figure(ACCURACY.recorded, evaluated.at[-1], share)]
    if examples:
        figures.append(Figure("held-out pairs", examples, numbers.whole(examples)))
    return _finding(
        "warning" if examples and examples >= _SURELY_MANY else "note",
        "possible",
        "held-out accuracy cannot be told from a coin's",
        tuple(figures),
        "A coin is right on half of the pairs, and this accuracy is within its interval of that. Nothing was learned "
        "that holds for other pairs, or they are too few to tell.",
        change=higher_rate(facts),
    )


def _tells_apart(facts: Facts, log: TrainingLog) -> bool:
    """Whether the accuracy is clearly above one half: where beta is small, the loss moves late."""
    evaluated, trained = log.evaluated(ACCURACY.name), log.curve(ACCURACY.name)
    if evaluated:
        share, examples = evaluated.values[-1], facts.held_out_examples
        return (wilson(share, examples)[0] if examples else share - 0.05) > 0.5
    if not trained:
        return False
    end = ending(trained)
    return end.count > 1 and end.value - max(0.05, 3 * end.error) > 0.5


def _finding(
    severity: Severity,
    sure: Sure,
    title: str,
    evidence: tuple[Figure, ...],
    means: str,
    *,
    change: Mapping[str, str] | None = None,
    advice: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        name="nothing-learned",
        severity=severity,
        title=title,
        evidence=evidence,
        means=means,
        change=change or {},
        advice=advice,
        source="Measured: this log. ln 2 is the loss of arXiv 2305.18290, eq. 7, at a margin of zero.",
        sure=sure,
    )
