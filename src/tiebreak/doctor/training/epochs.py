"""Cliffs: training loss falls at once where an epoch ends, because pairs are known again when they come back."""

from __future__ import annotations

import math

from tiebreak.doctor.advice import fewer_epochs
from tiebreak.doctor.curves import Level, level, waver
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Finding
from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.metrics import LOSS

_ROWS = 5
"""Rows on either side of the end of an epoch, at least, of which the mean is taken."""


def epoch_cliffs(facts: Facts) -> Finding | None:
    """Training loss falls in a step where a new epoch begins."""
    log = facts.log
    if log is None:
        return None
    trained, ends = log.curve(LOSS.name), _ends_of_epochs(log)
    width = len(trained) // (10 * (len(ends) + 1))
    if not ends or width < 1:
        return None
    falls = [
        fall for end in ends if (fall := _fall(trained, end, max(_ROWS, width), waver(trained.values))) is not None
    ]
    if not falls:
        return None
    before, after = max(falls, key=lambda fall: fall[0].value - fall[1].value)
    return Finding(
        name="epoch-cliffs",
        severity="note",
        title="training loss falls at once where an epoch ends",
        evidence=(log.figure(LOSS.name, before.at, before.value), log.figure(LOSS.name, after.at, after.value)),
        means="Pairs are known again when they come back, after one look each. From the second epoch on, training loss "
        "says how well they are remembered, and little of other pairs.",
        change={**fewer_epochs(facts), "train.keep_best": "eval_loss"},
        source="Measured: the mean before and after the end of an epoch, against the noise of the curve.",
        sure="likely",
    )


def _fall(trained: Curve, end: float, width: int, noise: float) -> tuple[Level, Level] | None:
    """The levels on both sides of the end of an epoch, where the second is clearly lower."""
    before, after = trained.between(-1, end), trained.between(end, trained.at[-1])
    if min(len(before), len(after)) < width:
        return None
    old = level(Curve(before.at[-width:], before.values[-width:]))
    new = level(Curve(after.at[:width], after.values[:width]))
    least = max(0.05, 0.15 * abs(old.value), 4 * noise * math.sqrt(2 / width))
    return (old, new) if old.value - new.value > least else None


def _ends_of_epochs(log: TrainingLog) -> list[float]:
    """The last logged step of each epoch but the last."""
    if log.axis != "step" or not log.epochs:
        return []
    final = math.ceil(log.epochs[-1][1] - 1e-6)
    number = [math.ceil(epoch - 1e-6) for _, epoch in log.epochs]
    steps = zip(log.epochs, number, number[1:], strict=False)
    return [at for (at, _), epoch, following in steps if epoch < following <= final and epoch >= 1]
