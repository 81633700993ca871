"""How rewards and log-probs of held-out pairs are spread before and after training: two kinds of values in shared bins.

Before training a model that is its own reference has rewards that are all exactly zero, so a histogram of them says
nothing. What says something then is the gap of the log-probs, which is there before and after: where it is above zero
the chosen answer is the likelier one. So the gaps are drawn before and after, and rewards before only where the
objective has no reference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.formatting import numbers
from tiebreak.report.drawing import DrawnPlot
from tiebreak.report.inline_svg import inline_svg
from tiebreak.report.looks import ACCENT, GRID, QUIET, TEXT, short
from tiebreak.runs.held_out import HeldOutPair

Rewards = tuple[float, float]
"""Of the chosen answer and of the rejected one."""
_LARGEST = 1e100  # beyond this an axis can no longer be divided; NaN is not smaller either
_FEWEST, _MOST = 8, 40
_BOX = (0.09, 0.115, 0.88, 0.74)
_OUTER = 0.01  # share of the values at each end that may lie outside, where they would flatten the rest


@dataclass(frozen=True)
class Bins:
    """Bins that several kinds of values share.

    Attributes:
        edges: one more than there are bins, rising.
        outside: how many values lie beyond them.
    """

    edges: tuple[float, ...]
    outside: int = 0

    def counts(self, values: Iterable[float]) -> tuple[int, ...]:
        """How many values lie in each bin; the last one has its upper edge too."""
        found = [0] * (len(self.edges) - 1)
        width = (self.edges[-1] - self.edges[0]) / len(found)
        for value in values:
            if self.edges[0] <= value <= self.edges[-1]:
                found[min(len(found) - 1, int((value - self.edges[0]) / width))] += 1
        return tuple(found)


def bins_of(*kinds: Sequence[float]) -> Bins | None:
    """Bins for all kinds together, as wide as Freedman and Diaconis have it.

    Args:
        kinds: finite values of each kind.
    Returns:
        Equal bins, of which one begins at zero where zero lies within; None where there are no values.
    """
    values = sorted(value for kind in kinds for value in kind)
    if not values:
        return None
    cut = int(len(values) * _OUTER)
    low, high = values[cut], values[-1 - cut]
    if high - low < (values[-1] - values[0]) / 4:  # a few values would leave the rest one bin
        inside = [value for value in values if low <= value <= high]
    else:
        low, high, inside = values[0], values[-1], values
    if low == high:
        room = abs(low) / 2 or 0.5
        return Bins((low - room, low + room), len(values) - len(inside))
    spread = inside[(3 * len(inside)) // 4] - inside[len(inside) // 4]
    wanted = (high - low) * len(inside) ** (1 / 3) / (2 * spread) if spread else _MOST
    count = math.ceil(max(_FEWEST, min(_MOST, wanted)))
    width, outside = (high - low) / count, len(values) - len(inside)
    if low < 0 < high:
        numbered = range(math.floor(low / width), math.ceil(high / width) + 1)
        return Bins(tuple(width * number for number in numbered), outside)
    return Bins((*(low + width * number for number in range(count)), high), outside)


def draw_histograms(pairs: Sequence[HeldOutPair]) -> list[DrawnPlot]:
    """Draw the rewards and the gaps of the log-probs of held-out pairs.

    Args:
        pairs: the lines of held_out.jsonl; those of an earlier version have no rewards.
    Returns:
        Rewards before, where they are not all zero; rewards after; gaps before and after. What is not recorded is not
        there.
    """
    after = [pair.rewards_after for pair in pairs if pair.rewards_after is not None]
    before = [pair.rewards_before for pair in pairs if pair.rewards_before is not None]
    what = ""
    if any(reward != (0.0, 0.0) for reward in before):
        what = (
            "The objective has no reference: a reward is beta times the log-prob of the answer, or of its mean token. "
        )
    elif before:
        before = []
        what = (
            "How far the model moved towards each answer, times beta. Before training every reward is zero, since the "
            "model is its own reference. "
        )
    drawn: list[DrawnPlot | None] = []
    bins = bins_of(*(_finite(reward[i] for reward in before + after) for i in (0, 1)))
    if bins is not None:
        most = max(
            max(bins.counts(reward[i] for reward in side), default=0) for side in (before, after) for i in (0, 1)
        )
        drawn.append(_rewards("rewards-before", "Rewards before training", before, bins, what, most))
        drawn.append(_rewards("rewards-after", "Rewards after training", after, bins, what, most))
    drawn.append(_gaps(pairs))
    return [plot for plot in drawn if plot is not None]


def _rewards(name: str, title: str, rewards: Sequence[Rewards], bins: Bins, what: str, most: int) -> DrawnPlot | None:
    chosen, rejected = (_finite(reward[i] for reward in rewards) for i in (0, 1))
    if not chosen and not rejected:
        return None
    right = sum(a > b for a, b in rewards)
    caption = f"{what}{_of(right, len(rewards))} the chosen answer has the higher reward."
    svg = _svg(name, title, bins, (("chosen", chosen, ACCENT), ("rejected", rejected, QUIET)), most)
    return DrawnPlot(name, title, caption + _outside(bins), svg)


def _gaps(pairs: Sequence[HeldOutPair]) -> DrawnPlot | None:
    before, after = _finite(pair.before for pair in pairs), _finite(pair.after for pair in pairs)
    bins = bins_of(before, after)
    if bins is None:
        return None
    likelier = [numbers.percent(sum(value > 0 for value in values) / len(values)) for values in (before, after)]
    caption = (
        "Log-prob of the chosen answer less that of the rejected one, in nats. Right of zero the chosen answer is the "
        f"likelier one: {likelier[1]} of {_pairs(len(after))} after training, {likelier[0]} before."
    )
    title = "Which answer is likelier, before and after"
    svg = _svg("gaps", title, bins, (("after", after, ACCENT), ("before", before, QUIET)))
    return DrawnPlot("gaps", title, caption + _outside(bins), svg)


def _svg(name: str, title: str, bins: Bins, kinds: Sequence[tuple[str, Sequence[float], str]], most: int = 0) -> str:
    """Both kinds over one another; the axis reaches to the highest bin, or to that of another plot, `most`."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def draw(axes: Any) -> None:
        for order, (label, values, colour) in enumerate(kinds):
            counts, front = bins.counts(values), 3 - order
            axes.stairs(counts, bins.edges, fill=True, color=colour, alpha=0.28, linewidth=0, zorder=front)
            axes.stairs(counts, bins.edges, color=colour, linewidth=1.6, zorder=front + 0.5, baseline=None)
            axes.annotate(
                f"■ {label}",
                (0.0, 1.0),
                xycoords="axes fraction",
                xytext=(95 * order, 12),
                textcoords="offset points",
                color=colour,
                annotation_clip=False,
            )
        if bins.edges[0] < 0 < bins.edges[-1]:
            axes.axvline(0, color=TEXT, linewidth=1, linestyle=(0, (4, 3)), zorder=5)
        axes.spines["bottom"].set_color(GRID)
        axes.set_xlim(bins.edges[0], bins.edges[-1])
        axes.set_ylim(0, 1.05 * max(most, *(max(bins.counts(values)) for _, values, _ in kinds)))
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))

    return inline_svg(f"histogram-{name}", title, draw, box=_BOX)


def _finite(values: Iterable[float]) -> list[float]:
    return [value for value in values if abs(value) < _LARGEST]


def _of(count: int, whole: int) -> str:
    return f"In {count:,} of {_pairs(whole)}"


def _pairs(count: int) -> str:
    return f"{count:,} held-out {'pair' if count == 1 else 'pairs'}"


def _outside(bins: Bins) -> str:
    if not bins.outside:
        return ""
    return f" {bins.outside:,} {'value lies' if bins.outside == 1 else 'values lie'} outside the figure."
