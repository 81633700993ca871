"""Trainings in processes of their own: one at a time, known to every server, and with a reason when they end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.serve.pages.trainings import Order, State, Trainings, ordered

ORDER = Order("quickstart")
Acting = Callable[[str], None]


@pytest.fixture
def acting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acting]:
    """Has another program stand for Python, which finds the words of the command from `$3` on."""
    program = tmp_path / "python"

    def act(script: str) -> None:
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    act("exit 0")
    monkeypatch.setattr(sys, "executable", str(program))
    # A shell cannot trap what was ignored when it began, as it is where these tests are a job in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield act
    Trainings(tmp_path / "runs").stop()
    Trainings(tmp_path / "runs").stop()
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(tmp_path / "runs")


def _ended(trainings: Trainings) -> State:
    end = time.monotonic() + 60
    while (state := trainings.state()).running:
        assert time.monotonic() < end
        time.sleep(0.02)
    return state


def _run(trainings: Trainings, name: str, **entries: object) -> RunFolder:
    run = RunFolder.create(Recipe(), trainings.runs / name)
    run.update_manifest(**entries)
    return run


def test_before_the_first_there_is_nothing(trainings: Trainings) -> None:
    assert trainings.state() == State()
    trainings.stop()
    with pytest.raises(InputError, match="no training to go on"):
        trainings.resume()


def test_the_command_is_that_of_a_user_and_brings_no_secret_of_the_server(
    trainings: Trainings, acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEBREAK_API_KEY", "secret-key")
    monkeypatch.setenv("TIEBREAK_AUTH", "anna:secret-word")
    monkeypatch.setenv("TIEBREAK_STEWARDS", "secret-steward")
    acting(f'echo "$@" > {tmp_path}/words; env > {tmp_path}/env')
    name = trainings.start(Order("quickstart", data="prefs.jsonl", model="gpt2", steps=7))
    _ended(trainings)
    words = (tmp_path / "words").read_text().split()
    assert name == "quickstart-1"
    assert words[:3] == ["-m", "tiebreak", "train"]
    assert words[4:] == ["--out", str(trainings.runs / name)]
    recipe = load_recipe(Path(words[3]))
    assert (recipe.data.source, recipe.model.name, recipe.train.max_steps) == ("prefs.jsonl", "gpt2", 7)
    environment = (tmp_path / "env").read_text()
    assert "secret-key" not in environment
    assert "secret-word" not in environment
    assert "secret-steward" not in environment


def test_who_wants_it_anyway_says_so_to_the_command(trainings: Trainings, acting: Acting, tmp_path: Path) -> None:
    acting(f'echo "$@" > {tmp_path}/words')
    trainings.start(Order("quickstart", anyway=True))
    _ended(trainings)
    assert (tmp_path / "words").read_text().split()[-1] == "--anyway"


def test_one_at_a_time_also_for_another_server_on_the_same_folder(trainings: Trainings, acting: Acting) -> None:
    acting("exec sleep 60")
    trainings.start(ORDER)
    for each in (trainings, Trainings(trainings.runs)):
        assert each.state().running
        with pytest.raises(InputError, match="going on already"):
            each.start(ORDER)
        with pytest.raises(InputError, match="going on already"):
            each.resume()


def test_stopping_asks_as_ctrl_c_does_and_another_server_can(trainings: Trainings, acting: Acting) -> None:
    acting("trap 'exit 130' INT; while true; do sleep 0.02; done")
    name = trainings.start(ORDER)
    _run(trainings, name, status="interrupted", error="Stopped at step 3 of 9; everything up to there is saved.")
    time.sleep(0.1)  # the trap is set
    Trainings(trainings.runs).stop()
    state = _ended(trainings)
    assert (state.status, state.resumable) == ("interrupted", True)
    assert trainings.resume() == name


def test_what_does_not_listen_yet_is_asked_again(trainings: Trainings, acting: Acting) -> None:
    acting("trap '' INT; sleep 0.5; trap 'exit 130' INT; while true; do sleep 0.02; done")
    trainings.start(ORDER)
    trainings.stop()
    assert _ended(trainings).status == "refused"  # nothing has begun


@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_what_dies_of_the_signal_while_it_loads_was_stopped(trainings: Trainings, acting: Acting, status: str) -> None:
    acting("exec sleep 60")
    _run(trainings, trainings.start(ORDER), status=status)
    trainings.stop()
    assert _ended(trainings) == State("quickstart-1", status="interrupted")
    assert Trainings(trainings.runs).state().status == "interrupted"  # a server that did not start it
    assert trainings.resume() == "quickstart-1"
    known = json.loads((trainings.runs / ".page-training" / "last.json").read_text())
    os.kill(known["process"], signal.SIGKILL)
    assert _ended(trainings).status == "killed"  # nobody asked for that


def test_what_is_stopped_before_it_began_says_so(trainings: Trainings, acting: Acting) -> None:
    acting("exec sleep 60")
    trainings.start(ORDER)
    trainings.stop()
    assert _ended(trainings) == State("quickstart-1", status="refused", said="It was stopped before it began.")


def test_asked_twice_it_stops_at_once(trainings: Trainings, acting: Acting) -> None:
    acting("trap '' INT; echo loading; while true; do sleep 0.02; done")
    trainings.start(ORDER)
    time.sleep(0.1)  # the trap is set
    trainings.stop()
    assert trainings.state().running
    assert "Stopping" in trainings.state().said
    trainings.stop()
    _ended(trainings)


def test_what_could_not_begin_says_why_and_leaves_its_name_free(trainings: Trainings, acting: Acting) -> None:
    acting("echo 'reading' >&2; echo \"error: There is no file 'a.jsonl'.\" >&2; echo '  what to do: look' >&2; exit 2")
    name = trainings.start(ORDER)
    state = _ended(trainings)
    assert (state.status, state.resumable) == ("refused", False)
    assert state.said == "There is no file 'a.jsonl'.\n  what to do: look"
    assert trainings.start(ORDER) == name


def test_a_crash_says_why(trainings: Trainings, acting: Acting) -> None:
    acting("echo 'failed: ValueError: a number is wrong' >&2; exit 1")
    name = trainings.start(ORDER)
    _run(trainings, name, status="failed", error="ValueError: a number is wrong")
    state = _ended(trainings)
    assert (state.status, state.said, state.resumable) == ("failed", "ValueError: a number is wrong", True)


@pytest.mark.parametrize("again", [False, True])
def test_a_process_that_was_killed_is_said_to_be(trainings: Trainings, acting: Acting, again: bool) -> None:
    """Also to a server that did not start it, which has the run that says it goes on and a lock that nobody holds."""
    acting("kill -9 $$")
    name = trainings.start(ORDER)
    _run(trainings, name, status="running")
    _ended(trainings)
    state = (Trainings(trainings.runs) if again else trainings).state()
    assert (state.status, state.resumable) == ("killed", True)
    assert "memory" in state.said


def test_a_run_that_finished_says_so(trainings: Trainings, acting: Acting) -> None:
    name = trainings.start(ORDER)
    _run(trainings, name, status="finished")
    assert _ended(trainings) == State(name, False, "finished")


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (Order("no-such-recipe"), "no built-in recipe"),
        (Order("missing.yaml"), "missing.yaml"),
        (Order("default"), "names no model"),
        (Order("default", model="gpt2"), "names no data"),
        (Order("quickstart", steps=0), "max_steps"),
        (Order("quickstart", name="../outside"), "cannot be the name"),
        (Order("quickstart", name=".hidden"), "cannot be the name"),
        (Order("quickstart", name="a/b"), "cannot be the name"),
        (Order("quickstart", name="x" * 81), "cannot be the name"),
        (Order("quickstart", name="taken"), "already"),
    ],
)
def test_what_cannot_be_ordered_is_refused_before_anything_starts(
    trainings: Trainings, acting: Acting, order: Order, says: str
) -> None:
    (trainings.runs / "taken").mkdir(parents=True)
    with pytest.raises(InputError, match=says):
        trainings.start(order)
    assert trainings.state() == State()


def test_an_order_keeps_what_the_recipe_says_beside_it() -> None:
    assert ordered(ORDER).data.source == "bundled:preferences"
    assert ordered(Order("quickstart", data=" a.jsonl ")).data.max_length == 256


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": "../x", "process": 1}', '{"run": "x"}', '{"process": 2}'])
def test_a_damaged_note_is_as_if_there_were_none(trainings: Trainings, text: str) -> None:
    folder = trainings.runs / ".page-training"
    folder.mkdir(parents=True)
    (folder / "last.json").write_text(text)
    assert trainings.state() == State()
    trainings.stop()


def test_a_number_that_now_belongs_to_another_process_is_not_signalled(trainings: Trainings, acting: Acting) -> None:
    acting("exec sleep 60")
    trainings.start(ORDER)
    note = trainings.runs / ".page-training" / "last.json"
    known = json.loads(note.read_text())
    with subprocess.Popen(["sleep", "60"]) as other:
        note.write_text(json.dumps({**known, "process": other.pid}))
        trainings.stop()
        time.sleep(0.1)
        alive = other.poll() is None
        other.kill()
    note.write_text(json.dumps(known))
    assert alive
    assert trainings.state().running
