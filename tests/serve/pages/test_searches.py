"""Searches on the Runs page: how one stands, what is picked, and nothing of it that is not text."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.test_search import RECORD
from tiebreak.recipe import Recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics_file import append_metrics
from tiebreak.runs.search import SEARCH, SaidRecord, TrialRecord, write_search
from tiebreak.serve.pages.searches import (
    found_of,
    look_at,
    parents_of,
    pick_of,
    search_card,
    search_line,
)

NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """Of three trials one has ended, one is at its second step, and one waits."""
    path = tmp_path / "sweeps" / "first"
    for name, status in (("0000", "finished"), ("0001", "running")):
        run = RunFolder.create(Recipe(), path / "trials" / name)
        run.update_manifest(status=status, length={"steps": 10, "steps_an_epoch": 10})
        append_metrics(run.metrics_path, {"step": 2, "loss": 0.6, "eval_loss": 0.65})
    write_search(path, RECORD)
    return path


def test_searches_lie_among_the_runs_or_beside_them(tmp_path: Path) -> None:
    assert parents_of(tmp_path / "runs") == (tmp_path / "runs", tmp_path / "sweeps")


def test_a_search_says_how_far_it_is_and_what_is_best(search: Path) -> None:
    line, card = search_line(search, current=False), search_card(search)
    assert "search · 1 of 3 trials · eval_loss 0.61" in line
    assert ">running<" in line
    assert "Trial 0 is the best." in card
    assert "objective.beta=0.1 (eval_loss 0.61)" in card
    assert "step 2 of 10" in card
    assert 'data-pick="sweeps/first/0000"' in card
    assert 'data-pick="sweeps/first/0001"' in card
    assert "ranked by a loss" in card
    assert card.count("<figure") >= 2
    assert ">1</strong> trial 0" in card
    assert ">2</strong> trial 1" in card


@pytest.mark.parametrize(
    ("states", "best", "run", "status"),
    [
        (("finished", "finished"), (0,), "finished", "finished"),
        (("failed", "failed"), (), "failed", "failed"),
        (("finished", "running"), (0,), "running", "running"),
        (("finished", "running"), (0,), "interrupted", "stopped"),
        (("finished", "waiting"), (0,), "finished", "stopped"),
    ],
)
def test_a_search_stands_as_its_trials_do(
    states: tuple[str, ...], best: tuple[int, ...], run: str, status: str, search: Path
) -> None:
    trials = tuple(TrialRecord(number=n, state=state, runs=(f"000{n}",)) for n, state in enumerate(states))
    write_search(search, RECORD.replace(trials=trials, best=best, ranked=best, limit=2))
    RunFolder(search / "trials" / "0001").update_manifest(status=run)
    assert f">{status}<" in search_line(search, current=True)
    assert f">{status}<" in search_card(search)


def test_several_metrics_have_a_front(search: Path) -> None:
    ended = [RECORD.trials[0].replace(number=n, values=("0.6", "3 s")) for n in range(2)]
    write_search(search, RECORD.replace(goals=("eval_loss", "train_seconds"), trials=tuple(ended), best=(0, 1)))
    card = search_card(search)
    assert "Trial 0 is on the front." in card
    assert "Trial 1 is on the front." in card
    assert "eval_loss 0.6, train_seconds 3 s" in card


def test_only_what_is_there_can_be_picked(search: Path) -> None:
    own = pick_of(search)
    assert own == "sweeps/first"
    assert found_of([search], own) == (search, None)
    assert found_of([search], f"{own}/0001") == (search, RunFolder(search / "trials" / "0001"))
    for wrong in (None, "first", f"{own}/0002", f"{own}/../trials/0001", f"{own}/.", f"{own}/", "sweeps/firs", "0001"):
        assert found_of([search], wrong) == (None, None), wrong


def test_texts_stay_texts(search: Path) -> None:
    trial = RECORD.trials[0].replace(settings={NASTY: NASTY}, values=(NASTY,), reason=NASTY, state="failed")
    said = SaidRecord(severity="warning", name=NASTY, title=NASTY, figures=NASTY)
    write_search(search, RECORD.replace(over=(NASTY,), goals=(NASTY,), trials=(trial,), findings=(said,)))
    for shown in (search_line(search, current=False), search_card(search)):
        assert "<img" not in shown


def test_a_damaged_search_says_so(search: Path) -> None:
    (search / SEARCH).write_text("{")
    assert ">damaged<" in search_line(search, current=False)
    assert "This search cannot be read." in search_card(search)


def test_a_change_is_seen_and_only_then(search: Path) -> None:
    before = look_at(search, whole=True), look_at(search, whole=False)
    assert before == (look_at(search, whole=True), look_at(search, whole=False))
    append_metrics(search / "trials" / "0001" / "metrics.jsonl", {"step": 3, "loss": 0.5})
    assert look_at(search, whole=True) != before[0]
    assert look_at(search, whole=False) == before[1]
