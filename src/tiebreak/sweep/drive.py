"""A worker: takes trials one after the other, runs them, and leaves results and the best model behind.

As many workers as one likes may be at one search. Each takes a trial while it is alone in the folder and holds it by a
lock, so that no two run the same one, and a trial whose worker was killed is taken by the next that looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO

from tiebreak.errors import Interrupted, RunError
from tiebreak.files import write_text
from tiebreak.sweep.board import Board
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import best_of, best_repeat
from tiebreak.sweep.study import Study, Trial
from tiebreak.sweep.tracking import group_of
from tiebreak.sweep.trial import remove_weights, run_trial
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.shared import Shared

Results = Callable[[Plan, SweepFolder, tuple[Trial, ...]], None]
"""Writes what is known so far of a search."""


def work(plan: Plan, folder: SweepFolder, progress: Progress, write: Results) -> tuple[Trial, ...]:
    """Run trials until there are no more, or the time is over.

    Args:
        plan: of the search.
        folder: of the search, begun by this worker or by another.
        progress: where trials are shown.
        write: called when trials have ended, alone in the folder.
    Returns:
        All trials as they stand.
    Raises:
        InputError: the storage is not that of this search, or cannot be reached.
        Interrupted: somebody asked for it; the trials go on where they were.
        RunError: the disk is full, or no trial has a result.
    """
    study, shared, board = Study(plan, folder), Shared(group=group_of(folder)), Board(plan, progress)
    hours = plan.section.hours
    until = None if hours is None else time.monotonic() + 3600 * hours
    with board.showing():
        while until is None or time.monotonic() < until:
            taken = _take(study, folder)
            if taken is None:
                break
            number, lock = taken
            with lock:
                _run(plan, study, folder, number, shared, board, write)
    trials = study.trials()
    ended = [trial for trial in trials if trial.state not in ("waiting", "running")]
    if ended and len(ended) == len(trials) == plan.limit and all(trial.state == "failed" for trial in ended):
        raise RunError(
            f"All {len(ended)} trials failed; the first: {ended[0].reason}",
            where=str(folder.path),
            fix="mend what is said there, and begin a new search",
        )
    return trials


def _run(
    plan: Plan, study: Study, folder: SweepFolder, number: int, shared: Shared, board: Board, write: Results
) -> None:
    trials = study.trials()
    board.begun(trials, number)
    settings = trials[number].settings
    try:
        ended = run_trial(plan, study, folder, number, settings, shared, board.stepped)
    except Interrupted as error:
        fix = f"go on with: tiebreak sweep --worker {folder.path}"
        raise Interrupted(f"Trial {number}: {error.what}", where=str(folder.path), fix=fix) from error
    with folder.alone():
        if ended.state == "finished":
            study.finish(number, ended.repeats)
        elif ended.state == "pruned":
            study.end_early(number, ended.reason or "")
        else:
            study.fail(number, ended.reason or "")
        trials = study.trials()
        _keep_weights(plan, folder, trials)
        write(plan, folder, trials)
    board.ended(trials, number)


def _take(study: Study, folder: SweepFolder) -> tuple[int, IO[str]] | None:
    """Take a trial: one whose worker is gone, or the next; None where there are no more."""
    with folder.alone():
        for trial in study.trials():
            if trial.state == "running" and (lock := folder.take(trial.number)) is not None:
                study.again(trial.number)
                return trial.number, lock
        number = study.next()
        if number is None:
            return None
        lock = folder.take(number)
        assert lock is not None  # nobody else could know of it
        return number, lock


def _keep_weights(plan: Plan, folder: SweepFolder, trials: tuple[Trial, ...]) -> None:
    """Remove the weights that nobody asked to keep, write the best recipe, and let `best` lead to its model."""
    keep, seeds = plan.section.keep, plan.section.seeds
    best = best_of(trials, plan.goals)
    first = None if not best else folder.run(best[0].number, best_repeat(best[0], plan.goals), seeds)
    if best:
        recipe = plan.recipe_of(best[0].settings, best_repeat(best[0], plan.goals))
        write_text(folder.best_recipe_path, recipe.to_yaml())
    if keep != "none":
        folder.link_best(first)
    kept = {trial.number for trial in best} if keep == "best" else set[int]()
    for trial in trials:
        if keep == "all" or trial.state in ("waiting", "running"):
            continue
        for repeat in range(seeds):
            stays = trial.number in kept and repeat == best_repeat(trial, plan.goals)
            remove_weights(folder.run(trial.number, repeat, seeds), model=not stays)
