"""What the page of a search shows of it, and all that is written beside: tables, findings, the page itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiebreak.formatting.numbers import DASH, duration
from tiebreak.recipe.space import Choices, Dimension, Span, value_text
from tiebreak.report.looks import RUNS
from tiebreak.report.sweep_page import Decides, SearchShown, write_search_page
from tiebreak.report.trials import Drawn, on_axis
from tiebreak.sweep.findings import findings_of
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.importance import importances
from tiebreak.sweep.plan import Plan, settings_text
from tiebreak.sweep.ranking import best_of, best_repeat, ranked, spread
from tiebreak.sweep.results import write_tables
from tiebreak.sweep.state import values_text, write_state
from tiebreak.sweep.study import Trial


def write_results(plan: Plan, folder: SweepFolder, trials: Sequence[Trial]) -> None:
    """Write results.csv, results.xlsx, report.html and search.json.

    Raises:
        RunError: the disk does not take them.
    """
    write_tables(plan, folder, trials)
    shown = shown_of(plan, folder, trials)
    write_search_page(shown, folder.report_path)
    write_state(plan, folder, trials, shown.findings)


def shown_of(plan: Plan, folder: SweepFolder, trials: Sequence[Trial]) -> SearchShown:
    """What the page shows.

    Args:
        plan, folder: of the search.
        trials: as they stand.
    """
    front, order = best_of(trials, plan.goals), ranked(trials, plan.goals)
    best = front[0] if front else None
    goal, seeds = plan.goals[0], plan.section.seeds
    ended = sum(trial.state not in ("waiting", "running") for trial in trials)
    return SearchShown(
        name=folder.path.resolve().name,
        what=f"A search over {', '.join(plan.space)} ({plan.section.method}), ranked by "
        f"{' and '.join(goal.name for goal in plan.goals)}.",
        status=f"{ended} of {plan.limit} trials have ended.",
        goal=goal.name,
        better=goal.better,
        best=[(key, value_text(value)) for key, value in best.settings.items()] if best is not None else [],
        best_figures=f"Trial {best.number}: {_figures(plan, best)}" if best is not None else "",
        findings=findings_of(plan, folder, trials),
        headings=["trial", "state", *plan.space, *(goal.name for goal in plan.goals), "time", "why"],
        rows=[
            _row(plan, trial, best=trial in front)
            for trial in [*order, *(each for each in trials if each not in order)]
        ],
        drawn=_drawn(plan, trials, front),
        axes=[*(_axis(key, dimension) for key, dimension in plan.space.items()), _goal_axis(plan, order)],
        decides=[Decides(each.key, each.share, each.low, each.high) for each in importances(plan.space, trials)],
        runs=[
            (f"trial {trial.number}", folder.run(trial.number, best_repeat(trial, plan.goals), seeds))
            for trial in order[:RUNS]
        ],
        best_recipe="" if best is None else plan.recipe_of(best.settings, best_repeat(best, plan.goals)).to_yaml(),
    )


def _figures(plan: Plan, trial: Trial) -> str:
    """What a trial came to, with the spread of its runs."""
    assert trial.values is not None
    found = []
    for index, (goal, value) in enumerate(zip(plan.goals, trial.values, strict=True)):
        apart = spread(trial, index)
        found.append(f"{goal.name} {goal.written(value)}" + (f" ± {goal.written(apart)}" if apart is not None else ""))
    return ", ".join(found)


def _row(plan: Plan, trial: Trial, *, best: bool) -> list[str]:
    settings = [value_text(trial.settings[key]) if key in trial.settings else DASH for key in plan.space]
    values = [*values_text(plan, trial), *[DASH] * len(plan.goals)][: len(plan.goals)]
    took = DASH if trial.seconds is None else duration(trial.seconds)
    state = f"{trial.state}, best" if best else trial.state
    return [str(trial.number), state, *settings, *values, took, trial.reason or ""]


def _drawn(plan: Plan, trials: Sequence[Trial], front: Sequence[Trial]) -> list[Drawn]:
    found = [trial for trial in trials if trial.values is not None]
    values = [trial.values[0] for trial in found if trial.values is not None]
    ends = (min(values), max(values)) if values else (0.0, 0.0)
    worst, best = ends if plan.goals[0].better == "higher" else ends[::-1]
    return [
        Drawn(
            trial.number,
            value,
            (
                *(_at(dimension, trial.settings[key]) for key, dimension in plan.space.items()),
                on_axis(value, worst, best),
            ),
            f"trial {trial.number}: {settings_text(trial.settings)}; {_figures(plan, trial)}",
            trial in front,
        )
        for trial, value in zip(found, values, strict=True)
    ]


def _at(dimension: Dimension, value: object) -> float:
    """Where a value stands on the axis of its key: of a range by its scale, of a list by its place."""
    if isinstance(dimension, Span):
        return dimension.share(float(str(value)))
    return on_axis(float(_in_order(dimension).index(value)), 0, len(dimension.values) - 1)


def _in_order(dimension: Choices) -> list[Any]:
    return sorted(dimension.values, key=float) if dimension.ordered is not None else list(dimension.values)


def _axis(key: str, dimension: Dimension) -> tuple[str, str, str]:
    if isinstance(dimension, Span):
        return key, value_text(dimension.low), value_text(dimension.high)
    values = _in_order(dimension)
    return key, value_text(values[0]) if len(values) > 1 else "", value_text(values[-1])


def _goal_axis(plan: Plan, order: Sequence[Trial]) -> tuple[str, str, str]:
    goal = plan.goals[0]
    ends = [order[0].values, order[-1].values] if order else [None, None]
    best, worst = (DASH if each is None else goal.written(each[0]) for each in ends)
    return goal.name, worst, best
