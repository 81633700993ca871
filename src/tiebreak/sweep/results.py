"""What comes of a search as tables: a row a trial, what was varied, and the best recipe key by key.

Reads the run folders of the trials; figures of a trial with several runs are their means. Which trial is best is known
to `ranking`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tiebreak.errors import InputError, RunError
from tiebreak.metrics import HELD_OUT, LOSS, METRICS
from tiebreak.runs.metrics_file import last_value
from tiebreak.runs.sheet import Cell, Sheet, write_sheet, write_workbook
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import best_of, best_repeat, spread
from tiebreak.sweep.study import Trial
from tiebreak.workflow.early import flat

_FIGURES = tuple(
    metric.recorded
    for metric in METRICS
    if metric.of is None and (metric.held_out is not None or metric.source in ("judge", "time"))
    if metric.source != "speed"
)


def write_tables(plan: Plan, folder: SweepFolder, trials: Sequence[Trial]) -> None:
    """Write results.csv and results.xlsx.

    Raises:
        RunError: the disk does not take them.
    """
    sheets = (trials_sheet(plan, folder, trials), settings_sheet(plan, trials), best_sheet(plan, trials))
    write_sheet(sheets[0], folder.csv_path, force=True)
    try:
        write_workbook(sheets, folder.workbook_path)
    except OSError as error:
        raise RunError(
            f"The table cannot be written: {error.strerror or error}.",
            where=str(folder.workbook_path),
            fix="free some disk; the trials are kept, and the same command goes on",
        ) from error


def trials_sheet(plan: Plan, folder: SweepFolder, trials: Sequence[Trial]) -> Sheet:
    """A row a trial.

    Returns:
        Columns for the trial, its state, each key that is varied, the goals and, where trials are repeated, their
        standard deviation; then what else was measured, how long it took, why it failed, and its run folder.
    """
    goals = [goal.name for goal in plan.goals]
    figures = [_figures(plan, folder, trial) for trial in trials]
    others = [name for name in _FIGURES if name not in goals and any(name in each for each in figures)]
    best = best_of(trials, plan.goals)
    repeated = plan.section.seeds > 1
    headings = ["trial", "state", "best", *plan.space, *goals]
    headings += [f"{name} (spread)" for name in goals] if repeated else []
    headings += [*others, "train_loss", "seconds", "reason", "run"]
    rows = []
    for trial, found in zip(trials, figures, strict=True):
        row: list[Cell] = [trial.number, trial.state, trial in best]
        row += [_cell(trial.settings.get(key)) for key in plan.space]
        row += [found.get(name) for name in goals]
        if repeated:
            row += [spread(trial, index) if trial.repeats else None for index in range(len(goals))]
        run = folder.run(trial.number, 0, plan.section.seeds)
        row += [found.get(name) for name in others]
        row += [last_value(run.metrics_path, LOSS.name), trial.seconds, trial.reason]
        row.append(str(run.path.relative_to(folder.path)) if run.recipe_path.is_file() else None)
        rows.append(tuple(row))
    return Sheet(tuple(headings), tuple(rows), "trials")


def settings_sheet(plan: Plan, trials: Sequence[Trial]) -> Sheet:
    """What was varied and how, with the best value of each key; and how it was searched."""
    best = best_of(trials, plan.goals)
    rows: list[tuple[Cell, ...]] = [
        (key, dimension.written(), _cell(best[0].settings.get(key)) if best else None)
        for key, dimension in plan.space.items()
    ]
    section = plan.section.model_dump(mode="json", exclude={"over", "storage"})
    section |= {"search": plan.section.method, "trials": plan.limit}
    rows += [(f"sweep.{key}", _cell(value), None) for key, value in section.items()]
    return Sheet(("key", "tried", "best"), tuple(rows), "settings")


def best_sheet(plan: Plan, trials: Sequence[Trial]) -> Sheet:
    """Every key of the best trial's recipe with its value; no rows where no trial has a result."""
    best = best_of(trials, plan.goals)
    rows: list[tuple[Cell, ...]] = []
    if best:
        recipe = plan.recipe_of(best[0].settings, best_repeat(best[0], plan.goals))
        document = recipe.model_dump(by_alias=True, mode="json", exclude={"sweep"})
        rows = [(key, _cell(value)) for key, value in flat(document).items()]
    return Sheet(("key", "value"), tuple(rows), "best recipe")


def _cell(value: Any) -> Cell:
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, ensure_ascii=False)


def _figures(plan: Plan, folder: SweepFolder, trial: Trial) -> dict[str, float]:
    """What was measured of a trial, means over its runs; of one that was ended early what it logged last."""
    found: dict[str, float] = {}
    runs = [folder.run(trial.number, repeat, plan.section.seeds) for repeat in range(plan.section.seeds)]
    if trial.values is not None:
        try:
            manifests = [run.load_manifest() for run in runs]
        except InputError:  # somebody damaged it; the goals are known all the same
            manifests = []
        for name in _FIGURES:
            values = [value for manifest in manifests if (value := manifest.final(name)) is not None]
            if values and len(values) == len(runs):
                found[name] = sum(values) / len(values)
        found |= {goal.name: value for goal, value in zip(plan.goals, trial.values, strict=True)}
    elif trial.state in ("pruned", "running"):
        for name in _FIGURES:
            value = last_value(runs[0].metrics_path, name) if name.startswith(HELD_OUT) else None
            if value is not None:
                found[name] = value
    return found
