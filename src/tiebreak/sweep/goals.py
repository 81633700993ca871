"""What trials are ranked by: metrics of their runs, each with the way that is better.

Knows which metrics a run will have, so that a search for one that it has not is refused before it begins.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from tiebreak.errors import InputError
from tiebreak.metrics import ACCURACY, LOSS, MARGIN, PASS_RATE, WIN_RATE, Better, Metric, keeps_best, metric_named
from tiebreak.runs.manifest import Manifest
from tiebreak.workflow.resolve import ResolvedRecipe

_SHORT = {
    "loss": LOSS.recorded,
    "accuracy": ACCURACY.recorded,
    "margin": MARGIN.recorded,
    "win_rate": WIN_RATE.recorded,
    "pass_rate": PASS_RATE.recorded,
}
_JUDGED = (WIN_RATE.recorded, PASS_RATE.recorded)
_TIMES = ("train_seconds", "total_seconds")


@dataclass(frozen=True)
class Goal:
    """A metric that trials are ranked by.

    Attributes:
        name: among the final metrics of a run: `eval_loss`, `judge.win_rate`.
        metric: what is known of it.
        better: which way is better.
    """

    name: str
    metric: Metric
    better: Better

    @property
    def logged(self) -> bool:
        """Whether it is measured while a run goes on, and so can end one early."""
        return self.metric.source == "logged"

    def of(self, manifest: Manifest) -> float | None:
        """What a finished run has of it; None where that was not measured."""
        return manifest.final(self.name)

    def written(self, value: float | None) -> str:
        """As people read it."""
        return (self.metric.exact or self.metric.format)(value)


def goals_of(names: Sequence[str], resolved: ResolvedRecipe) -> tuple[Goal, ...]:
    """The goals that a recipe names.

    Args:
        names: as it has them; `loss`, `accuracy`, `margin`, `win_rate` and `pass_rate` are short for theirs.
        resolved: of a trial, which says what its run measures.
    Raises:
        InputError: its runs log no such metric.
    """
    return tuple(_goal(name, resolved) for name in names)


def _goal(name: str, resolved: ResolvedRecipe) -> Goal:
    full, data = _SHORT.get(name, name), resolved.recipe.data
    logged = keeps_best(resolved.task)
    known = (*logged, *_JUDGED, *_TIMES)
    if full not in known:
        short = [each for each, whole in _SHORT.items() if whole in known]
        near = difflib.get_close_matches(name, [*known, *short], n=1)
        raise InputError(
            f"The runs of this recipe log no metric '{name}' to rank trials by.",
            where="sweep.objective",
            fix=f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(known)}",
        )
    if full in _JUDGED and resolved.judge == "none":
        raise InputError(
            f"'{name}' is what a judge says, and this recipe has no judge.",
            where="sweep.objective",
            fix="set evaluate.judge, or rank by eval_loss or eval_rewards/accuracies",
        )
    held_out = bool(data.eval_fraction) or data.eval_source is not None or data.eval_split is not None
    if full not in _TIMES and not held_out:
        raise InputError(
            f"Nothing is held out, so that '{name}' is not measured.",
            where="data.eval_fraction",
            fix="set data.eval_fraction=0.05, data.eval_split or data.eval_source",
        )
    metric = metric_named(full)
    assert metric.better is not None  # each that is known here has a way that is better
    return Goal(full, metric, metric.better)
