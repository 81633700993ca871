"""A run as an object: what it asks the folder for, and one sentence where there is no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Small, small_recipe
from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.generation.sampling import Sampling
from tiebreak.runs import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.workflow.run import Run, open_run


@pytest.fixture
def begun(tmp_path: Path) -> RunFolder:
    return RunFolder.create(small_recipe(), tmp_path / "run")


def test_recipe_and_history_are_those_of_the_folder(begun: RunFolder) -> None:
    append_metrics(begun.metrics_path, {"step": 1, "loss": 0.7})
    append_metrics(begun.metrics_path, {"step": 2, "loss": 0.6})
    run = open_run(str(begun.path))
    assert (run.path, run.recipe) == (begun.path, small_recipe())
    assert [row["loss"] for row in run.history] == [0.7, 0.6]


def test_metrics_that_are_not_finite_are_dropped(begun: RunFolder) -> None:
    assert Run(begun).metrics == {}
    begun.update_manifest(after={"eval_loss": 0.5, "eval_rewards/margins": float("nan")})
    assert Run(begun).metrics == {"eval_loss": 0.5}


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        open_run(tmp_path)


def test_a_question_is_a_conversation_of_one_turn(small: Small) -> None:
    run = small(train__max_steps=1)
    drawn = Sampling(temperature=0.0, max_new_tokens=6)
    answer = run.answer("What is two plus two?", sampling=drawn)
    assert answer
    assert run.answer([Message("user", "What is two plus two?")], sampling=drawn) == answer
    more = [Message("user", "Hi"), Message("assistant", "Hello!"), Message("user", "What is two plus two?")]
    assert isinstance(run.answer(more, sampling=drawn), str)


def test_a_run_stands_for_its_folder_where_a_path_is_taken(begun: RunFolder) -> None:
    assert Path(Run(begun)) == begun.path
    assert open_run(Run(begun)) == Run(begun)


def test_a_notebook_shows_a_run_that_only_began_and_says_what_is_wrong_with_one(begun: RunFolder) -> None:
    append_metrics(begun.metrics_path, {"step": 1, "loss": 0.7})
    append_metrics(begun.metrics_path, {"step": 2, "loss": 0.6})
    shown = Run(begun)._repr_html_()
    assert "<svg" in shown
    assert "not begun" in shown
    begun.manifest_path.write_text("{", encoding="utf-8")
    assert "manifest" in Run(begun)._repr_html_()


def test_a_report_is_written_where_it_is_wanted(begun: RunFolder, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert Run(begun).write_report(path) == path
    assert "The run has not begun." in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="exists"):
        Run(begun).write_report(path)
    assert Run(begun).write_report(str(path), force=True) == path
    with pytest.raises(InputError, match="is no page"):
        Run(begun).write_report(tmp_path / "report.pdf")
