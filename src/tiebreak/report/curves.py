"""What the curves of a run show: which lines a plot has, and a metric over the steps, thinned to what can be seen.

A long run logs far more points than there are pixels. Neighbouring points become one: their mean is the line, their
lowest and highest the band around it, so that a spike is never averaged away. Values that are not finite are counted
and leave a gap. How a plot looks is known to `drawing`; what it is called and how to read it, to `metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from tiebreak.metrics import ACCURACY, HELD_OUT, METRICS, Metric, Plot, is_tied
from tiebreak.runs.metrics_file import number_in

POINTS = 240
_LARGEST = 1e100  # beyond this an axis can no longer be divided


@dataclass(frozen=True)
class Line:
    """One line of a plot.

    Attributes:
        metric: its name in metrics.jsonl.
        label: written at its end; empty for dots that belong to the line before.
        look: `accent` for what the plot is about, `quiet` for what it is compared with.
        dots: points without a line between them.
    """

    metric: str
    label: str
    look: Literal["accent", "quiet"]
    dots: bool = False


@dataclass(frozen=True)
class Series:
    """A metric over the steps, of equal length in all four fields.

    Attributes:
        steps: where each point stands.
        values: the metric there; NaN is a gap.
        low, high: the range that a point stands for; equal to `values` where nothing was thinned out.
        lost: how many values were not finite.
        first_lost: the step of the first of them.
    """

    steps: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    lost: int = 0
    first_lost: float | None = None

    @property
    def is_thinned(self) -> bool:
        """Whether points stand for ranges."""
        return self.low != self.values

    @property
    def last(self) -> tuple[float, float] | None:
        """Step and value of the last finite point."""
        finite = [(s, v) for s, v in zip(self.steps, self.values, strict=True) if math.isfinite(v)]
        return finite[-1] if finite else None


def plots() -> tuple[Plot, ...]:
    """All plots that a metric is drawn in, in the order of the metrics."""
    return tuple(dict.fromkeys(metric.plot for metric in METRICS if metric.plot is not None))


def lines_of(plot: Plot) -> tuple[Line, ...]:
    """The lines of a plot, those of training first.

    A metric that has the plot to itself is compared with itself: training quietly, held-out as what counts. Where
    several share it, each has a look of its own, and its held-out values are dots on it.
    """
    drawn = [metric for metric in METRICS if metric.plot == plot]
    if len(drawn) == 1:
        return _lines_alone(drawn[0])
    training = [Line(metric.name, metric.line, metric.look) for metric in drawn]
    held_out = [Line(HELD_OUT + metric.name, "", metric.look, dots=True) for metric in drawn if metric.held_out]
    return (*training, *held_out)


def _lines_alone(metric: Metric) -> tuple[Line, ...]:
    if not metric.held_out:
        return (Line(metric.name, "", "accent"),)
    return Line(metric.name, "training", "quiet"), Line(HELD_OUT + metric.name, "held-out", "accent")


def logged_lines(plot: Plot, rows: Sequence[Mapping[str, Any]]) -> dict[Line, Series]:
    """The lines of a plot of which at least one value was logged.

    Args:
        plot: one of `plots`.
        rows: the rows of metrics.jsonl.
    """
    return {line: series for line in lines_of(plot) if (series := series_of(rows, line.metric)).steps}


def series_of(rows: Iterable[Mapping[str, Any]], metric: str, *, points: int = POINTS) -> Series:
    """A metric from the rows of metrics.jsonl.

    Args:
        rows: as logged; rows without the metric are passed over, and accuracies of ties; of two at one step the later
            counts.
        metric: its name.
        points: most points returned.
    Returns:
        The series in the order of the steps.
    """
    logged: dict[float, float] = {}
    may_tie = metric.removeprefix(HELD_OUT) == ACCURACY.name
    for row in rows:
        if metric not in row or (may_tie and is_tied(row, metric.removesuffix(ACCURACY.name))):
            continue
        step, value = number_in(row, "step"), number_in(row, metric)
        if step is not None and value is not None and abs(step) < 1e15:
            logged[step] = value if abs(value) < _LARGEST else math.nan
    found = sorted(logged.items())
    lost = [step for step, value in found if math.isnan(value)]
    kept = _thinned(found, points) if len(found) > points else [(s, v, v, v) for s, v in found]
    steps, values, low, high = zip(*kept, strict=True) if kept else ((), (), (), ())
    # A gap has no range either; NaN would make equal tuples unequal.
    same = all(a == b or math.isnan(b) for a, b in zip(low, values, strict=True))
    return Series(steps, values, values if same else low, values if same else high, len(lost), min(lost, default=None))


def _thinned(found: Sequence[tuple[float, float]], points: int) -> list[tuple[float, float, float, float]]:
    """Equal spans of steps, each as (mean step, mean, lowest, highest)."""
    first, last = found[0][0], found[-1][0]
    width = (last - first) / points
    spans = groupby(found, key=lambda point: min(points - 1, int((point[0] - first) / width)))
    return [_merged(list(members)) for _, members in spans]


def _merged(members: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    finite = [value for _, value in members if math.isfinite(value)]
    step = math.fsum(step for step, _ in members) / len(members)
    if not finite:
        return step, math.nan, math.nan, math.nan
    return step, math.fsum(finite) / len(finite), min(finite), max(finite)
