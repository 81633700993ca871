"""Memorising: the model knows its training pairs by heart and gets no better, or worse, on others.

By losses where both are logged, and by accuracies, which say less: the smallest margin is right too. Held-out data is
the same at each evaluation; training rows are of other pairs each, so only their means over several are looked at.
"""

from __future__ import annotations

from tiebreak.doctor.advice import KEEP_BEST, fewer_epochs, lower_rate
from tiebreak.doctor.curves import Level, Turn, beginning, ending, turn
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding, Severity
from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.training.loss import above_ln2
from tiebreak.formatting.numbers import wilson
from tiebreak.metrics import ACCURACY, LOSS

_ALL = 0.98
"""Of training pairs: an accuracy that only pairs known by heart, or trivial ones, have."""


def memorising(facts: Facts) -> Finding | None:
    """Training loss far below a held-out loss that rises or is above ln 2, or training accuracy that others lack."""
    log = facts.log
    if log is None:
        return None
    return _by_loss(facts, log) or _by_accuracy(facts, log)


def _by_loss(facts: Facts, log: TrainingLog) -> Finding | None:
    trained, evaluated = log.curve(LOSS.name), log.evaluated(LOSS.name)
    if not trained or not evaluated:
        return None
    train, held = ending(trained), evaluated.values[-1]
    turned = turn(evaluated, facts.held_out_examples)
    rises = turned is not None and turned.clear
    above = above_ln2(facts, log)
    if 0 <= train.value < held / 4 and (rises or (above is not None and above.clear)):
        return _memorised(facts, log, _figures(log, train, evaluated, turned), "warning")
    if turned is None or not turned.slight:
        return None
    epoch = log.epoch_at(turned.best_at)
    parted = train.value < 0.9 * held and train.value < beginning(trained).value - 2 * train.error
    if not parted or (epoch is not None and epoch < 1):
        return None  # within the first epoch no pair was seen twice: that is over-optimisation
    return _memorised(facts, log, _figures(log, train, evaluated, turned), "warning" if rises else "note")


def _figures(log: TrainingLog, train: Level, evaluated: Curve, turned: Turn | None) -> tuple[Figure, ...]:
    figures = [log.figure(LOSS.name, train.at, train.value)]
    if turned is not None:
        figures.append(log.figure(LOSS.recorded, turned.best_at, turned.best))
    figures.append(log.figure(LOSS.recorded, evaluated.at[-1], evaluated.values[-1]))
    right = log.evaluated(ACCURACY.name)
    if right:
        figures.append(log.figure(ACCURACY.recorded, right.at[-1], right.values[-1]))
    return tuple(figures)


def _by_accuracy(facts: Facts, log: TrainingLog) -> Finding | None:
    trained, evaluated = log.curve(ACCURACY.name), log.evaluated(ACCURACY.name)
    if not trained or not evaluated:
        return None
    train, held, examples = ending(trained), evaluated.values[-1], facts.held_out_examples
    most = wilson(held, examples)[1] if examples else held + 0.1
    # One row is one batch, which may be right by luck; two in a row are less so.
    lucky = train.count == 1 and min(trained.values[-2:]) < _ALL
    if train.value < _ALL or lucky or held > train.value - 0.1 or most > train.value - 0.05:
        return None
    severity = _by_margins(log)
    if severity is None:
        return None
    since = len(trained) - 1
    while since > 0 and trained.values[since - 1] >= _ALL:
        since -= 1
    figures = [log.figure(ACCURACY.name, trained.at[since], trained.values[since])]
    if len(evaluated) > 1:
        figures.append(log.figure(ACCURACY.recorded, evaluated.at[0], evaluated.values[0]))
    figures.append(log.figure(ACCURACY.recorded, evaluated.at[-1], held))
    return _memorised(facts, log, tuple(figures), severity)


def _by_margins(log: TrainingLog) -> Severity | None:
    """What an accuracy that others lack means by the losses: nothing where they are one, little while others gain."""
    trained, evaluated = log.curve(LOSS.name), log.evaluated(LOSS.name)
    if len(trained) == 0 or len(evaluated) < 2:
        return "warning"
    held = evaluated.values[-1]
    if ending(trained).value >= 0.9 * held:
        return None
    return "note" if evaluated.lowest == len(evaluated) - 1 else "warning"


def _memorised(facts: Facts, log: TrainingLog, figures: tuple[Figure, ...], severity: Severity) -> Finding:
    evaluated = log.evaluated(LOSS.name)
    advice = ["More pairs, and pairs that are not cut short, help more than any setting."]
    if len(evaluated) > 1:
        best = log.where(evaluated.at[evaluated.lowest])
        first = " It is the first that was looked at, so the true best may be earlier." if not evaluated.lowest else ""
        advice.insert(0, f"The best model that was seen is that of {best}.{first}")
    return Finding(
        name="memorising",
        severity=severity,
        title="the model learns its training pairs by heart",
        evidence=figures,
        means="The model is ever surer of the pairs that it was trained on, and not of others. What it answers people "
        "is like the other pairs.",
        change={**KEEP_BEST, **lower_rate(facts), **fewer_epochs(facts)},
        advice=tuple(advice),
        source="Measured: training figures against held-out figures of this log.",
        sure="certain" if severity == "warning" else "possible",
    )
