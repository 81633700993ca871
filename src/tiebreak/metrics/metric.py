"""What is said of a metric: its name and meaning, how a value is written, how it is drawn, where it is listed.

Knows no single metric; they stand in `registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tiebreak.tasks import Task

HELD_OUT = "eval_"
"""Before the name of a metric that was measured on held-out data."""

Better = Literal["higher", "lower"]
Format = Callable[[float | None], str]
Listing = str
"""Where metrics are listed: `progress`, `held-out progress`, `steps`, `compare`, `evaluate`, or a task's `table` or
`card`."""
Measured = Callable[[Task], bool]
"""Which tasks measure a metric, by what their rows have."""


@dataclass(frozen=True)
class Shown:
    """How a metric is shown in one listing.

    Attributes:
        rank: what has a smaller one comes first.
        label: its name there.
        hint: how to read it, in half a sentence.
    """

    rank: int
    label: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Plot:
    """A plot of the curves, and one sentence on how to read it.

    Attributes:
        level: a value that means something, with its name.
        percent: whether the values are shares.
        from_zero: whether the axis begins at zero, for sizes that mean something against it.
        pictured: whether it is in the picture of a card.
    """

    name: str
    title: str
    caption: str
    level: tuple[float, str] | None = None
    percent: bool = False
    from_zero: bool = False
    pictured: bool = False


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as training logs it, or as the manifest names it.
        meaning: one sentence.
        better: which way is better; None where no way is.
        format: how a value is written.
        exact: the same with more digits, where they are asked for.
        held_out: the tasks that also measure it on held-out data, under `eval_` and its name; None where none does.
        source: where it comes from: training logs it; it is the speed of an evaluation, logged and not kept among the
            final metrics; a judge says it; or it is a time of the run.
        before: whether there is a value from before training.
        own_scale: whether each objective has its own scale, so that only runs of one objective are ranked by it.
        chance: the value that means no difference, where it is a share that has one.
        of: name of the metric that it is computed from, where it is only another way to write that one.
        hub_type: what the Hub calls its kind in a model card.
        plot: where it is drawn; None is nowhere.
        line, look: its name and look in a plot that several share; `accent` is what the plot is about.
        shown: where it is listed.
    """

    name: str
    meaning: str
    better: Better | None
    format: Format
    exact: Format | None = None
    held_out: Measured | None = None
    source: Literal["logged", "speed", "judge", "time"] = "logged"
    before: bool = True
    own_scale: bool = False
    chance: float | None = None
    of: str | None = None
    hub_type: str = ""
    plot: Plot | None = None
    line: str = ""
    look: Literal["accent", "quiet"] = "accent"
    shown: Mapping[Listing, Shown] = field(default_factory=dict)

    @property
    def recorded(self) -> str:
        """Its name among the final metrics of a run: `eval_loss`, `judge.win_rate`."""
        name = self.of or self.name
        return f"{HELD_OUT}{name}" if self.held_out else name
