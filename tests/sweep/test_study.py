"""The trials of a search in their storage: in order, gone on with, and not mixed with others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sweep.made import begun, searched
from tests.votes.conftest import postgres
from tests.votes.postgres import Server
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.sweep import study as module
from tiebreak.sweep.folder import SweepFolder
from tiebreak.sweep.plan import plan_sweep
from tiebreak.sweep.study import Study

__all__ = ["postgres"]

GRID = {"train.learning_rate": [1e-6, 5e-6], "model.adapter": ["lora", None, {"kind": "dora", "rank": 4}]}
RANGES = {"train.learning_rate": {"log": [1e-7, 1e-5]}, "train.batch_size": {"range": [1, 8]}}


def opened(tmp_path: Path, recipe: Recipe) -> Study:
    return Study(*begun(tmp_path, recipe))


@pytest.mark.parametrize("storage", [None, "sqlite"])
def test_a_grid_is_taken_in_its_order_by_whoever_comes(tmp_path: Path, storage: str | None) -> None:
    one = opened(tmp_path, searched(GRID, storage=storage))
    other = Study(one.plan, one.folder)
    assert [trial.state for trial in one.trials()] == ["waiting"] * 6
    taken = [study.next() for study in (one, other, other, one, one, other, one, other)]
    assert taken == [0, 1, 2, 3, 4, 5, None, None]
    assert one.plan.listed is not None
    assert [trial.settings for trial in other.trials()] == [dict(settings) for settings in one.plan.listed]


def test_results_are_kept_with_their_reasons(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.seed": [1, 2, 3, 4]}, prune="median"))
    for _ in range(3):
        study.next()
    study.report(0, 1, 0.7)
    study.report(0, 1, 0.9)  # a trial that goes on measures the same again
    study.finish(0, [[0.5], [0.7]])
    study.fail(1, "Memory does not suffice.")
    study.end_early(2, "behind the other trials")
    first, second, third, fourth = Study(study.plan, study.folder).trials()
    assert (first.state, first.values, first.repeats) == ("finished", (0.6,), ((0.5,), (0.7,)))
    assert first.reported == {1: 0.7}
    assert first.seconds is not None
    assert (second.state, second.values, second.reason) == ("failed", None, "Memory does not suffice.")
    assert (third.state, third.reason) == ("pruned", "behind the other trials")
    assert (fourth.state, fourth.reason) == ("waiting", None)


def test_tpe_draws_within_the_ranges_and_the_same_again(tmp_path: Path) -> None:
    def drawn(name: str, *, stop: bool) -> list[dict[str, Any]]:
        study = opened(tmp_path / name, searched(RANGES, trials=8))
        while (number := study.next()) is not None:
            settings = study.trials()[number].settings
            study.finish(number, [[abs(settings["train.learning_rate"] - 1e-6)]])
            if stop:  # as if each trial were another worker's
                study = Study(study.plan, study.folder)
        return [dict(trial.settings) for trial in study.trials()]

    found = drawn("one", stop=False)
    assert len(found) == 8
    assert found == drawn("two", stop=True)
    for settings in found:
        assert 1e-7 <= settings["train.learning_rate"] <= 1e-5
        assert settings["train.batch_size"] in range(1, 9)
        assert isinstance(settings["train.batch_size"], int)


def test_what_a_kill_kept_from_a_trial_is_there_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = opened(tmp_path, searched(RANGES, trials=3))
    monkeypatch.setattr(Study, "_suggest", lambda *_: None)  # killed between the trial and its values
    assert study.next() == 0
    monkeypatch.undo()
    again = Study(study.plan, study.folder)
    assert again.trials()[0].settings == {}
    assert [again.again(0, steps, killed=True) for steps in (0, 0, 0, 3, 3)] == [1, 2, 3, 1, 2]
    assert [again.again(0, 3, killed=killed) for killed in (False, True)] == [2, 3]
    assert again.trials()[0].settings.keys() == RANGES.keys()


def test_tpe_over_lists_tries_each_once(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.shuffle": [True, False], "train.epochs": [1, 2]}, search="tpe"))
    for number in range(4):
        assert study.next() == number
        study.finish(number, [[0.5 - 0.1 * number]])
    assert study.next() is None
    assert len({str(trial.settings) for trial in study.trials()}) == 4


def test_one_and_true_are_two_values(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.eval_every": [1, 0.5, "epoch", None]}))
    assert [trial.settings["train.eval_every"] for trial in study.trials()] == [1, 0.5, "epoch", None]


def test_trials_behind_the_median_are_behind(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.seed": [*range(6)]}, prune="median", prune_after=2))
    for number, loss in enumerate((0.5, 0.6, 0.9, 0.4)):
        assert study.next() == number
        study.report(number, 1, loss)
        assert study.is_behind(number) == (loss == 0.9)
        study.finish(number, [[loss]])
    never = opened(tmp_path / "other", searched({"train.seed": [1, 2]}))
    never.next()
    assert not never.is_behind(0)


def test_successive_halving_leaves_the_best_quarter(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.seed": [*range(5)]}, prune="asha"))
    for number, loss in enumerate((0.5, 0.6, 0.7, 0.8, 0.4)):
        study.next()
        study.report(number, 1, loss)
        assert study.is_behind(number) == (loss > 0.5)


def test_another_search_and_other_versions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = opened(tmp_path, searched({"train.seed": [1, 2]}))
    other = searched({"train.seed": [3, 4]})
    folder = SweepFolder.create(other, tmp_path / "other")
    folder.journal_path.write_bytes(study.folder.journal_path.read_bytes())
    with pytest.raises(InputError, match="of another search"):
        Study(plan_sweep(other), folder)
    monkeypatch.setattr(module, "_versions", lambda: {"torch": "1.0"})
    again = Study(study.plan, study.folder)  # reading is for everybody
    assert len(again.trials()) == 2
    with pytest.raises(InputError, match=r"begun with tiebreak .*, and here is none") as caught:
        again.next()
    assert "pip install tiebreak==" in str(caught.value.fix)


def test_a_damaged_journal_is_a_sentence(tmp_path: Path) -> None:
    study = opened(tmp_path, searched({"train.seed": [1, 2]}))
    study.folder.journal_path.write_text("{}\nnot json\n{}\n")
    with pytest.raises(InputError, match="cannot be read") as caught:
        Study(study.plan, study.folder)
    assert caught.value.where == str(study.folder.journal_path)


def test_a_server_holds_several_searches(tmp_path: Path, postgres: Server) -> None:
    storage = str(postgres.new_database())
    for name in ("one", "two"):
        study = opened(tmp_path / name, searched({"train.seed": [1, len(name) + ord(name[0])]}, storage=storage))
        assert [study.next(), study.next(), study.next()] == [0, 1, None]
