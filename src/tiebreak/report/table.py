"""Before and after in plain words: the rows that the page, the model card and the terminal show.

Which metrics these are and which way is better stands in `metrics`; a value that is not there is a dash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tiebreak.formatting import numbers
from tiebreak.metrics import ACCURACY, Better, Metric, Shown, shown_in
from tiebreak.runs.intervals import Interval, intervals
from tiebreak.runs.manifest import Manifest
from tiebreak.tasks import TASKS

if TYPE_CHECKING:
    from rich.table import Table

Change = Literal["better", "worse"]


@dataclass(frozen=True)
class Row:
    """One metric before and after training.

    Attributes:
        label: what it is, in plain words.
        before, after: the values as text, a dash where there is none.
        better: which way is better, or None.
        change: whether it went the better way; None where that cannot be said.
        hint: how to read it, one sentence.
    """

    label: str
    before: str
    after: str
    better: Better | None
    change: Change | None = None
    hint: str = ""


def result_rows(manifest: Manifest) -> list[Row]:
    """What training changed: a row for each metric of the run's task that was measured before or after."""
    rows = [_row(manifest, metric, shown) for metric, shown in shown_in(TASKS[manifest.task].table)]
    return [row for row in rows if (row.before, row.after) != (numbers.DASH, numbers.DASH)]


def rich_table(manifest: Manifest) -> Table:
    """The same rows for the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    styles = {"better": "green", "worse": "red", None: ""}
    for row in result_rows(manifest):
        table.add_row(Text(row.label), Text(row.before), Text(row.after, style=styles[row.change]))
    return table


def accuracy_interval(manifest: Manifest) -> Interval | None:
    """The 95% interval of the held-out accuracy after training, where the number of pairs is known."""
    return intervals(manifest, "after").get(ACCURACY.recorded)


def _row(manifest: Manifest, metric: Metric, shown: Shown) -> Row:
    before, after = manifest.final(metric.recorded, "before"), manifest.final(metric.recorded)
    interval = intervals(manifest, "after").get(metric.recorded)
    return Row(
        shown.label,
        _written(metric, before, intervals(manifest, "before").get(metric.recorded)),
        _written(metric, after, interval),
        metric.better,
        _change(metric, before, after) if metric.chance is None else _from_chance(metric, after, interval),
        shown.hint,
    )


def _written(metric: Metric, value: float | None, interval: Interval | None) -> str:
    return metric.format(value) if interval is None else numbers.with_interval(value, interval)


def _from_chance(metric: Metric, share: float | None, interval: Interval | None) -> Change | None:
    """A share against chance: said only where the interval lies clear of it."""
    if metric.chance is None or interval is None or interval[0] <= metric.chance <= interval[1]:
        return None
    return _change(metric, metric.chance, share)


def _change(metric: Metric, before: float | None, after: float | None) -> Change | None:
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)) or before == after:
        return None
    return "better" if (after > before) == (metric.better == "higher") else "worse"
