"""A worker: takes trials one after the other, runs them, and leaves results and the best model behind.

As many workers as one likes may be at one search. Each takes a trial while it is alone in the folder and holds it by a
lock, so that no two run the same one, and a trial whose worker was killed is taken by the next that looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO

from tiebreak.errors import InputError, Interrupted, RunError
from tiebreak.files import write_text
from tiebreak.runs.compare import summarize
from tiebreak.runs.metrics_file import last_step
from tiebreak.runs.search import read_search
from tiebreak.sweep.board import Board
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.ranking import best_of, best_repeat
from tiebreak.sweep.state import write_state
from tiebreak.sweep.study import Study, Trial
from tiebreak.sweep.tracking import group_of
from tiebreak.sweep.trial import remove_weights, run_trial
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.shared import Shared

_ATTEMPTS = 5
"""How often a trial is begun that never gets to another step: its process may be killed for the memory it takes."""
_SHARE = 20
"""Results are written at most in a twentieth of the time: of many short trials not after each."""

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
    writing = _Seldom(write)
    with board.showing():
        while until is None or time.monotonic() < until:
            taken = _take(plan, study, folder)
            if taken is None:
                break
            number, lock = taken
            with lock:
                _run(plan, study, folder, number, shared, board, writing)
    with folder.alone():
        trials = study.trials()
        ended = [trial for trial in trials if trial.state not in ("waiting", "running")]
        if ended and not _written(folder, len(ended)):
            _keep_weights(plan, folder, trials)
            write(plan, folder, trials)
    if until is not None and time.monotonic() >= until and len(ended) < plan.limit:
        progress.say(f"the time is over: {len(ended)} trials have ended; the same command goes on")
    if ended and len(ended) == len(trials) == plan.limit and all(trial.state == "failed" for trial in ended):
        raise RunError(
            f"{'The only trial' if len(ended) == 1 else f'All {len(ended)} trials'} failed; "
            f"{'' if len(ended) == 1 else 'the first: '}{ended[0].reason}",
            where=str(folder.path),
            fix="mend what is said there, and begin a new search",
        )
    return trials


class _Seldom:
    """Writes results when trials have ended, in a small share of the time."""

    def __init__(self, write: Results) -> None:
        self.write, self.next = write, 0.0

    def __call__(self, plan: Plan, folder: SweepFolder, trials: tuple[Trial, ...]) -> None:
        began = time.monotonic()
        if began < self.next:
            write_state(plan, folder, trials)
            return
        self.write(plan, folder, trials)
        ended = time.monotonic()
        self.next = ended + _SHARE * (ended - began)


def _written(folder: SweepFolder, ended: int) -> bool:
    """Whether the results are there, and of so many trials."""
    files = (folder.csv_path, folder.workbook_path, folder.report_path)
    try:
        return all(path.is_file() for path in files) and read_search(folder.path).written == ended
    except (FileNotFoundError, InputError):
        return False


def _run(
    plan: Plan, study: Study, folder: SweepFolder, number: int, shared: Shared, board: Board, write: _Seldom
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


def _take(plan: Plan, study: Study, folder: SweepFolder) -> tuple[int, IO[str]] | None:
    """Take a trial: one whose worker is gone, or the next; None where there are no more."""
    with folder.alone():
        for trial in study.trials():
            if trial.state == "running" and (lock := folder.take(trial.number)) is not None:
                steps, killed = _left_behind(plan, folder, trial.number)
                if study.again(trial.number, steps, killed=killed) <= _ATTEMPTS:
                    return trial.number, lock
                study.fail(trial.number, f"its process was killed {_ATTEMPTS} times without a step between")
                lock.close()
        number = study.next()
        if number is None:
            return None
        lock = folder.take(number)
        assert lock is not None  # nobody else could know of it
        write_state(plan, folder, study.trials())
        return number, lock


def _left_behind(plan: Plan, folder: SweepFolder, number: int) -> tuple[int, bool]:
    """How many steps the runs of a trial have logged, and whether one was killed: whoever can records how it ends."""
    runs = [folder.run(number, repeat, plan.section.seeds) for repeat in range(plan.section.seeds)]
    steps = sum(last_step(run.metrics_path) or 0 for run in runs)
    return steps, any(summarize(run).status == "running" for run in runs)


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
