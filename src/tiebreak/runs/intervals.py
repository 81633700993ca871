"""The 95% intervals of a run's final metrics: of shares that were counted, and of what a judge said.

Knows which metric has one; how it is worked out stands in `formatting.numbers` and, for a judge's, where it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from tiebreak.formatting.numbers import wilson
from tiebreak.metrics import ACCURACY, PASS_RATE, WIN_RATE
from tiebreak.runs.manifest import Manifest, Side

Interval = tuple[float, float]


def intervals(manifest: Manifest, side: Side) -> Mapping[str, Interval]:
    """The intervals of one side of training, by the metric's name among the final ones.

    Args:
        manifest: of the run.
        side: a win rate has none before.
    """
    found: dict[str, Interval] = {}
    share, pairs = manifest.final(ACCURACY.recorded, side), manifest.data.held_out if manifest.data else None
    if share is not None and pairs and 0 <= share <= 1:
        found[ACCURACY.recorded] = wilson(share, pairs)
    judge = manifest.judge
    if judge is not None and (rate := judge.before if side == "before" else judge.after) is not None:
        found[PASS_RATE.recorded] = rate.interval
    if judge is not None and judge.win_rate is not None and side == "after":
        found[WIN_RATE.recorded] = judge.win_rate.interval
    return found
