"""Workers: who takes which trial, what stays of it, and what a search survives."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from tests.sweep.made import EVALUATIONS, MadeUp, begun, searched
from tiebreak.errors import InputError, Interrupted, RunError
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs import RunFolder
from tiebreak.sweep import trial as module
from tiebreak.sweep.drive import Results, work
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import Plan
from tiebreak.sweep.report import write_results
from tiebreak.sweep.results import write_tables
from tiebreak.sweep.state import write_state
from tiebreak.sweep.study import Study, Trial
from tiebreak.workflow.early import DiskTooSmall
from tiebreak.workflow.findings import Hopeless
from tiebreak.workflow.progress import Progress

RATES = {"train.learning_rate": [1e-6, 2e-6, 3e-6]}


def by_rate(recipe: Recipe) -> float:
    """Best at 2e-6."""
    assert isinstance(recipe.train.learning_rate, float)
    return 0.5 + 1e5 * abs(recipe.train.learning_rate - 2e-6) + 0.001 * recipe.train.seed


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """Trials are made up."""
    found = MadeUp(by_rate)
    monkeypatch.setattr(module, "train_among", found)
    return found


def worked(search: tuple[Plan, SweepFolder], write: Results = write_tables) -> tuple[Trial, ...]:
    return work(*search, Progress(), write)


def models(folder: SweepFolder) -> list[str]:
    return sorted(path.parent.name for path in folder.trials.glob("*/model"))


def test_each_trial_is_a_run_and_the_best_model_stays(tmp_path: Path, made: MadeUp) -> None:
    plan, folder = begun(tmp_path, searched(RATES))
    trials = worked((plan, folder))
    assert [trial.state for trial in trials] == ["finished"] * 3
    assert [round(trial.values[0], 6) for trial in trials if trial.values] == [0.6, 0.5, 0.6]
    assert models(folder) == ["0001"]
    assert not list(folder.trials.glob("*/checkpoints"))
    assert folder.best_link.resolve() == folder.run(1, 0, 1).model.resolve()
    assert load_recipe(folder.best_recipe_path) == plan.recipe_of({"train.learning_rate": 2e-6})
    assert all((folder.run(number, 0, 1).metrics_path).is_file() for number in range(3))
    assert worked((plan, folder)) == trials  # a finished search is only read
    assert len(made.begun) == 3


@pytest.mark.parametrize(("keep", "kept"), [("all", ["0000", "0001", "0002"]), ("none", [])])
def test_weights_stay_as_asked(tmp_path: Path, made: MadeUp, keep: str, kept: list[str]) -> None:
    search = begun(tmp_path, searched(RATES, keep=keep))
    worked(search)
    assert models(search[1]) == kept
    assert search[1].best_link.exists() == bool(kept)
    assert search[1].best_recipe_path.is_file()


def test_seeds_repeat_a_trial_and_the_best_run_of_the_best_trial_stays(tmp_path: Path, made: MadeUp) -> None:
    search = begun(tmp_path, searched(RATES, seeds=2))
    trials = worked(search)
    assert [round(each[0], 6) for each in trials[1].repeats] == [0.5, 0.501]
    assert [round(value, 6) for value in trials[1].values or ()] == [0.5005]
    assert [recipe.train.seed for recipe in made.begun] == [0, 1] * 3
    assert models(search[1]) == ["0001-seed-0"]


def test_several_goals_give_a_front(tmp_path: Path, made: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    search = begun(tmp_path, searched(RATES, objective=["eval_loss", "accuracy"]))
    trials = worked(search)
    assert len(trials[0].values or ()) == 2
    assert models(search[1]) == ["0001"]  # ahead in both


def test_a_trial_that_is_behind_is_ended_and_keeps_its_figures(tmp_path: Path, made: MadeUp) -> None:
    over = {"train.learning_rate": [2e-6, 2.1e-6, 2.2e-6, 9e-6, 1.9e-6]}
    search = begun(tmp_path, searched(over, prune="median", prune_after=3))
    trials = worked(search)
    assert [trial.state for trial in trials] == ["finished"] * 3 + ["pruned", "finished"]
    behind = trials[3]
    assert behind.reason == f"behind the other trials: eval_loss 1.5000 at step 1 of {EVALUATIONS}"
    assert behind.reported == {1: pytest.approx(1.5)}
    assert len((search[1].run(3, 0, 1).metrics_path).read_text().splitlines()) == 2
    assert not search[1].run(3, 0, 1).checkpoints.exists()


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(tmp_path: Path, made: MadeUp) -> None:
    def fail(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.learning_rate == 1e-6:
            raise RunError("Memory does not suffice for a single example.", where="row 7 of the data")

    made.on_step = fail
    first, second, _ = worked(begun(tmp_path, searched(RATES)))
    assert (first.state, second.state) == ("failed", "finished")
    assert first.reason == "Memory does not suffice for a single example. (row 7 of the data)"


def test_a_trial_that_diverges_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeUp(lambda recipe: float("nan") if recipe.train.learning_rate == 3e-6 else 0.5)
    monkeypatch.setattr(module, "train_among", made)
    trials = worked(begun(tmp_path, searched(RATES)))
    assert [trial.state for trial in trials] == ["finished", "finished", "failed"]
    assert trials[2].reason == "eval_loss was not measured"  # no JSON file holds what is no number


def test_where_all_trials_fail_the_first_reason_is_said(tmp_path: Path, made: MadeUp) -> None:
    def fail(recipe: Recipe, evaluation: int) -> None:
        if evaluation == 2:
            raise InputError("The judge is gone.")

    made.on_step = fail
    with pytest.raises(RunError, match="All 3 trials failed; the first: The judge is gone"):
        worked(begun(tmp_path, searched(RATES)))


def test_a_stop_leaves_the_trial_to_go_on_with(tmp_path: Path, made: MadeUp) -> None:
    def stop(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.learning_rate == 2e-6 and evaluation == 2:
            raise Interrupted("Stopped.")

    made.on_step = stop
    search = begun(tmp_path, searched(RATES))
    with pytest.raises(Interrupted, match="Trial 1: Stopped") as caught:
        worked(search)
    assert caught.value.fix == f"go on with: tiebreak sweep --worker {search[1].path}"
    assert [trial.state for trial in Study(*search).trials()] == ["finished", "running", "waiting"]
    made.on_step = lambda recipe, evaluation: None
    assert [trial.state for trial in worked(search)] == ["finished"] * 3
    assert [recipe.train.learning_rate for recipe in made.begun] == [1e-6, 2e-6, 2e-6, 3e-6]


def test_whatever_a_trial_raises_is_its_reason_and_the_search_goes_on(tmp_path: Path, made: MadeUp) -> None:
    def fault(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.learning_rate == 1e-6:
            raise ZeroDivisionError("division\nby zero")

    made.on_step = fault
    trials = worked(begun(tmp_path, searched(RATES)))
    assert [trial.state for trial in trials] == ["failed", "finished", "finished"]
    assert trials[0].reason == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("error", "over", "ends"),
    [
        (InputError("There is no file 'x'."), RATES, True),
        (InputError("There is no file 'x'."), {"data.limit": [1, 2]}, False),
        (InputError("No trees.", where="train.path"), {"train.path": ["padded", "tree"]}, False),
        (Hopeless("Nothing can come of this run."), RATES, False),
        (DiskTooSmall("The disk is too small."), {"model.revision": ["a", "b"]}, True),
    ],
)
def test_what_all_trials_would_meet_before_their_first_step_ends_the_search(
    tmp_path: Path, made: MadeUp, error: InputError, over: dict[str, Any], ends: bool
) -> None:
    times: list[int] = []

    def fault(recipe: Recipe, evaluation: int) -> None:
        times.append(evaluation)
        if len(times) == 1:
            raise error

    made.on_step = fault
    base = {"model": "bundled:base", "data": "bundled:preferences", "train": {"learning_rate": 2e-6}}
    search = begun(tmp_path, searched(over, base))
    if ends:
        with pytest.raises(InputError, match=error.what):
            worked(search)
        assert Study(*search).trials()[0].state == "running"
        assert {trial.state for trial in worked(search)} == {"finished"}  # mended, it goes on
    else:
        assert [trial.state for trial in worked(search)][:2] == ["failed", "finished"]


def test_a_trial_that_always_kills_its_process_is_given_up(tmp_path: Path, made: MadeUp) -> None:
    class Killed(BaseException):
        """Ends the worker as a kill does: nothing is recorded."""

    def kill(recipe: Recipe, evaluation: int) -> None:
        if recipe.train.learning_rate == 1e-6:
            raise Killed

    made.on_step = kill
    search = begun(tmp_path, searched(RATES))
    for _ in range(6):
        with pytest.raises(Killed):
            worked(search)
    trials = worked(search)
    assert [trial.state for trial in trials] == ["failed", "finished", "finished"]
    assert trials[0].reason == "its process was killed 5 times without a step between"


def test_what_stops_a_worker_in_order_is_no_kill_however_often(tmp_path: Path, made: MadeUp) -> None:
    def gone(recipe: Recipe, evaluation: int) -> None:
        RunFolder(search[1].trials / "0000").update_manifest(status="interrupted")
        raise InputError("The data are gone.")

    made.on_step = gone
    search = begun(tmp_path, searched(RATES))
    for _ in range(7):
        with pytest.raises(InputError, match="The data are gone"):
            worked(search)
    made.on_step = lambda recipe, evaluation: None
    assert {trial.state for trial in worked(search)} == {"finished"}


def test_results_that_are_older_than_the_last_trial_are_written_again(tmp_path: Path, made: MadeUp) -> None:
    search = begun(tmp_path, searched(RATES))
    trials = worked(search, write_results)
    write_state(*search, trials[:2], [])  # as a worker left them that was killed before it wrote the last one's
    write_state(*search, trials)
    written: list[int] = []
    worked(search, lambda plan, folder, trials: written.append(len(trials)))
    assert written == [3]


def test_results_that_a_kill_kept_from_being_written_are_written(tmp_path: Path, made: MadeUp) -> None:
    search = begun(tmp_path, searched(RATES))
    worked(search)
    written: list[int] = []
    worked(search, lambda plan, folder, trials: written.append(len(trials)))
    assert written == [3]  # nothing had been written by `worked` alone
    write_results(*search, Study(*search).trials())
    worked(search, lambda plan, folder, trials: written.append(len(trials)))
    assert written == [3]
    search[1].report_path.unlink()
    worked(search, lambda plan, folder, trials: written.append(len(trials)))
    assert written == [3, 3]


def test_a_full_disk_ends_the_search_and_not_its_trials(tmp_path: Path, made: MadeUp) -> None:
    def full(recipe: Recipe, evaluation: int) -> None:
        raise RunError("No space left on device.", fix="free some disk") from OSError(errno.ENOSPC, "No space")

    made.on_step = full
    search = begun(tmp_path, searched(RATES))
    with pytest.raises(RunError, match="No space"):
        worked(search)
    assert [trial.state for trial in Study(*search).trials()] == ["running", "waiting", "waiting"]


def test_a_trial_that_another_worker_holds_is_left_to_it(tmp_path: Path, made: MadeUp) -> None:
    search = begun(tmp_path, searched(RATES))
    study = Study(*search)
    with search[1].alone():
        number = study.next()
        assert number == 0
        held = search[1].take(number)
    assert held is not None
    with held:
        trials = worked(search)
        assert [trial.state for trial in trials] == ["running", "finished", "finished"]
    assert [trial.state for trial in worked(search)] == ["finished"] * 3  # its worker is gone


def test_the_time_ends_a_search(tmp_path: Path, made: MadeUp) -> None:
    trials = worked(begun(tmp_path, searched(RATES, hours=1e-9)))
    assert [trial.state for trial in trials] == ["waiting"] * 3


def test_workers_beside_each_other_run_each_trial_once(tmp_path: Path, made: MadeUp) -> None:
    """A second worker comes while the first is at a trial."""
    search = begun(tmp_path, searched(RATES))
    others: list[Any] = []

    def join(recipe: Recipe, evaluation: int) -> None:
        if not others:
            others.append(True)
            others.append(worked(search))

    made.on_step = join
    trials = worked(search)
    assert [trial.state for trial in trials] == ["finished"] * 3
    assert sorted(float(recipe.train.learning_rate) for recipe in made.begun) == [1e-6, 2e-6, 3e-6]
    assert [trial.state for trial in others[1]] == ["running", "finished", "finished"]
