"""The figures of a report: which metrics belong together, what they show, and how to read them.

Decides what is drawn; `drawing` decides how it looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tiebreak.report.series import Series, series_of


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
class Plot:
    """A plot: its lines, and one sentence on how to read it.

    Attributes:
        level: a value that means something, with its name.
        percent: whether the values are shares.
        from_zero: whether the axis begins at zero, for sizes that mean something against it.
    """

    name: str
    title: str
    caption: str
    lines: tuple[Line, ...]
    level: tuple[float, str] | None = None
    percent: bool = False
    from_zero: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawn plot: an inline SVG element, its title and its caption, both plain text."""

    name: str
    title: str
    caption: str
    svg: str


PLOTS: tuple[Plot, ...] = (
    Plot(
        "loss",
        "Loss",
        "Lower is better. Held-out rising while training falls is overfitting.",
        (Line("loss", "training", "quiet"), Line("eval_loss", "held-out", "accent")),
    ),
    Plot(
        "accuracy",
        "Accuracy",
        "The share of pairs in which training favoured the chosen answer.",
        (Line("rewards/accuracies", "training", "quiet"), Line("eval_rewards/accuracies", "held-out", "accent")),
        level=(0.5, "chance"),
        percent=True,
    ),
    Plot(
        "margin",
        "Margin",
        "Chosen reward minus rejected reward.",
        (Line("rewards/margins", "training", "quiet"), Line("eval_rewards/margins", "held-out", "accent")),
    ),
    Plot(
        "rewards",
        "Rewards",
        "How far the model moved towards each answer, times beta. Lines are training, dots held-out. "
        "Both falling together means that it also moves away from the chosen answers.",
        (
            Line("rewards/chosen", "chosen", "accent"),
            Line("rewards/rejected", "rejected", "quiet"),
            Line("eval_rewards/chosen", "", "accent", dots=True),
            Line("eval_rewards/rejected", "", "quiet", dots=True),
        ),
    ),
    Plot(
        "log-probs",
        "Log-probabilities",
        "Of whole answers, in nats. Lines are training, dots held-out.",
        (
            Line("logps/chosen", "chosen", "accent"),
            Line("logps/rejected", "rejected", "quiet"),
            Line("eval_logps/chosen", "", "accent", dots=True),
            Line("eval_logps/rejected", "", "quiet", dots=True),
        ),
    ),
    Plot(
        "gradient-norm",
        "Gradient norm",
        "Before clipping. Spikes are unstable steps.",
        (Line("grad_norm", "", "accent"),),
        from_zero=True,
    ),
    Plot(
        "learning-rate",
        "Learning rate",
        "The schedule as it ran.",
        (Line("learning_rate", "", "accent"),),
        from_zero=True,
    ),
)


def figures(rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Draw what a run logged.

    Args:
        rows: the rows of metrics.jsonl.
    Returns:
        A figure for each plot of which at least one value was logged. The same rows give the same SVG.
    """
    from tiebreak.report.drawing import draw

    drawn = []
    for plot in PLOTS:
        found = {line: series for line in plot.lines if (series := series_of(rows, line.metric)).steps}
        if any(series.last for series in found.values()):
            svg, outside = draw(plot, found)
            notes = [plot.caption, *(_lost(line, series) for line, series in found.items()), outside]
            drawn.append(Figure(plot.name, plot.title, " ".join(filter(None, notes)), svg))
        elif found:
            notes = [_lost(line, series) for line, series in found.items()]
            drawn.append(Figure(plot.name, plot.title, " ".join(notes), ""))
    return drawn


def _lost(line: Line, series: Series) -> str:
    if not series.lost or series.first_lost is None:
        return ""
    of = f"{line.label} " if line.label else ""
    count = "One value" if series.lost == 1 else f"{series.lost:,} values"
    return f"{count} of {of}{line.metric} not finite, first at step {series.first_lost:,.0f}."
