"""A search in the trackers of its recipe: its runs are a group, and it is a run itself, with its trials and report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import best_of
from tiebreak.sweep.study import Trial
from tiebreak.trackers.tracking import Group, open_tracking


def group_of(folder: SweepFolder) -> Group:
    """What the runs of a search belong to."""
    return Group(folder.path.resolve().name, folder.path)


def track_search(plan: Plan, folder: SweepFolder, trials: Sequence[Trial], say: Callable[[str], None]) -> None:
    """Send a search that has ended to its trackers: a row a trial, the best values, the report; sent once.

    Args:
        plan, folder: of the search.
        trials: as they stand.
        say: called with a line on where each tracker shows it, and one on each that fails.
    """
    names = plan.recipe.track
    if not names or any(trial.state in ("waiting", "running") for trial in trials):
        return
    seeds = plan.section.seeds
    runs = [folder.run(trial.number, repeat, seeds).path for trial in trials for repeat in range(seeds)]
    recipe = folder.recipe()
    with open_tracking(
        names, folder=folder.path, recipe=recipe, say=say, group=group_of(folder), members=runs
    ) as tracking:
        for trial in trials:
            if trial.values is not None:
                tracking.log({"step": trial.number, **_values(plan, trial), **trial.settings})
        best = best_of(trials, plan.goals)
        metrics = {f"best/{name}": value for name, value in _values(plan, best[0]).items()} if best else {}
        tracking.ended(metrics, len(trials), [], folder.report_path)


def _values(plan: Plan, trial: Trial) -> dict[str, float]:
    return {goal.name: value for goal, value in zip(plan.goals, trial.values or (), strict=True)}
