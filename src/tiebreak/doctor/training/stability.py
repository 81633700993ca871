"""Whether a training is numerically sound: not finite, spikes of the gradient, a learning rate that never came down."""

from __future__ import annotations

import itertools
import math
import statistics

from tiebreak.doctor.advice import lower_rate
from tiebreak.doctor.curves import level, waver
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding, Severity
from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.formatting import numbers
from tiebreak.metrics import HELD_OUT, LOSS

_MUST_BE_FINITE = tuple(
    prefix + name
    for prefix in ("", HELD_OUT)
    for name in ("loss", "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected")
)
_TIMES = 10
"""A gradient so many times the median of its neighbours is a spike."""
_BLOCK, _AROUND = 50, 10


def not_finite(facts: Facts) -> Finding | None:
    """A loss, reward or log-prob is NaN or infinite, or many gradients are."""
    log = facts.log
    if log is None:
        return None
    broken = [(at, name, value) for name in _MUST_BE_FINITE for at, value in _lost(log.curves.get(name, Curve()))[:1]]
    norms = log.curves.get("grad_norm", Curve())
    lost = _lost(norms)
    severity: Severity
    figures: list[Figure]
    if broken:
        at, name, value = min(broken, key=lambda each: each[0])
        severity, figures = "stop", [log.figure(name, at, value)]
    elif len(lost) > 0.05 * len(norms):
        at, value = lost[0]
        share = Figure("gradients that are not finite", len(lost), f"{numbers.whole(len(lost))} of {len(norms):,}")
        severity, figures = "warning", [log.figure("grad_norm", at, value), share]
    else:
        return None  # with fp16 a few gradients overflow at first, and their steps are skipped
    return Finding(
        name="not-finite",
        severity=severity,
        title="numbers that are not finite",
        evidence=tuple(figures),
        means="From the first such number on every weight can be NaN, and nothing that is logged or saved later means "
        "anything. The last checkpoint before it can be gone on from.",
        change={**lower_rate(facts), "train.precision": "fp32", "train.max_grad_norm": "1.0"},
        advice=("fp16 overflows where bf16 and fp32 do not.", "Look for completions of no tokens in the data."),
        source="Measured: this log.",
        sure="certain" if severity == "stop" else "likely",
    )


def _lost(curve: Curve) -> list[tuple[float, float]]:
    if curve.finite is curve:
        return []
    return [(at, value) for at, value in zip(curve.at, curve.values, strict=True) if not math.isfinite(value)]


def gradient_spikes(facts: Facts) -> Finding | None:
    """Gradients far above those around them; a warning where the loss stays higher after one."""
    log = facts.log
    if log is None:
        return None
    norms = log.curve("grad_norm")
    spikes = _spikes(norms)
    if not spikes:
        return None
    harmful = next((index for index in spikes if _loss_rose(log, norms.at[index])), None)
    if harmful is None and len(spikes) < max(3, 0.01 * len(norms)):
        return None
    worst = harmful if harmful is not None else max(spikes, key=norms.values.__getitem__)
    return Finding(
        name="gradient-spikes",
        severity="note" if harmful is None else "warning",
        title="the gradient jumps" + ("" if harmful is None else ", and the loss stays higher after it"),
        evidence=(
            log.figure("grad_norm", norms.at[worst], norms.values[worst]),
            Figure(f"rows over {_TIMES} times the median around them", len(spikes), numbers.whole(len(spikes))),
        ),
        means="Single steps pull far harder than the others: a rate that is too high, a batch of few pairs, or a "
        "broken pair. Clipping softens such a step and does not undo it.",
        change={"train.max_grad_norm": "1.0", "train.batch_size": "32", **(lower_rate(facts) if harmful else {})},
        source="Measured: this log.",
        sure="possible" if harmful is None else "likely",
    )


def _spikes(norms: Curve) -> list[int]:
    """Indices of spikes: those far above the median of their block, and of the rows right around them."""
    found = []
    for start in range(0, len(norms), _BLOCK):
        usual = statistics.median(norms.values[start : start + _BLOCK])
        ends = min(len(norms), start + _BLOCK)
        found += [index for index in range(start, ends) if norms.values[index] > _TIMES / 2 * usual]
    return [index for index in found if _stands_out(norms.values, index)]


def _stands_out(values: tuple[float, ...], index: int) -> bool:
    around = values[max(0, index - _AROUND) : index + _AROUND + 1]
    return len(around) > _AROUND and values[index] > _TIMES * statistics.median(around) > 0


def _loss_rose(log: TrainingLog, at: float) -> bool:
    """Whether the training loss is clearly higher in the rows after a step than in those before it."""
    trained = log.curve(LOSS.name)
    before, after = trained.between(-1, at - 1e-9), trained.between(at, log.length)
    if len(before) < 5 or len(after) < 5:
        return False
    old = level(Curve(before.at[-5:], before.values[-5:]))
    new = level(Curve(after.at[:5], after.values[:5]))
    return new.value - old.value > max(0.2 * abs(old.value), 5 * waver(trained.values) * math.sqrt(2 / 5))


def warmup_longer_than_run(facts: Facts) -> Finding | None:
    """The learning rate still rises where the log ends."""
    log = facts.log
    if log is None:
        return None
    rates = log.curve("learning_rate")
    if len(rates) < 5 or (log.planned is not None and log.last < 0.99 * log.planned):
        return None
    half = rates.values[len(rates) // 2 :]
    if any(later <= earlier for earlier, later in itertools.pairwise(half)):
        return None
    return Finding(
        name="warmup-longer-than-run",
        severity="warning",
        title="the learning rate still rises at the end",
        evidence=(
            log.figure("learning_rate", rates.at[0], rates.values[0]),
            log.figure("learning_rate", rates.at[-1], rates.values[-1]),
        ),
        means="The run ended within its warm-up, so it never reached its learning rate and never came down from it. It "
        "was trained at a fraction of what was asked for.",
        change={"train.warmup_ratio": "0.1"},
        source="Measured: this log.",
        sure="certain" if log.planned is not None else "likely",
    )
