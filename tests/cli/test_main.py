"""Errors become a message on stderr and an exit code; text of data cannot steer the terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tiebreak.cli.main import run
from tiebreak.errors import InputError, Interrupted, RunError
from tiebreak.version import __version__


def _run(*words: str) -> object:
    with pytest.raises(SystemExit) as done:
        run(list(words))
    return done.value.code


def _fail_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def app(words: list[str], prog_name: str, standalone_mode: bool) -> None:
        assert "--debug" not in words
        raise error

    monkeypatch.setattr("tiebreak.cli.main.app", app)


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--version") == 0
    assert capsys.readouterr().out == f"tiebreak {__version__}\n"


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("trian") == 2
    assert "trian" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (
            InputError("The file is empty.", where="a.jsonl", fix="add rows"),
            2,
            "error: The file is empty.\n  where: a.jsonl\n  what to do: add rows\n",
        ),
        (RunError("The disk is full."), 1, "error: The disk is full.\n"),
        (Interrupted("The run was stopped."), 130, "stopped: The run was stopped.\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (
            ValueError("one\ntwo"),
            1,
            "failed: ValueError: one\n  what to do: run it again with --debug for the traceback\n",
        ),
    ],
)
def test_an_error_is_a_message_and_an_exit_code(
    error: BaseException,
    code: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _fail_with(error, monkeypatch)
    assert _run("train") == code
    assert capsys.readouterr() == ("", printed)


@pytest.mark.parametrize("words", [("--debug", "train"), ("train", "--debug")])
@pytest.mark.parametrize("error", [InputError("no"), ValueError("no")])
def test_debug_prints_the_traceback_wherever_it_stands(
    error: Exception, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail_with(error, monkeypatch)
    assert _run(*words) == (2 if isinstance(error, InputError) else 1)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lr", "3"), "--set train.learning_rate=VALUE"),
        (("--per-device-train-batch-size", "3"), "train.batch_size"),
        (("--num_train_epochs=3",), "train.epochs"),
    ],
)
def test_a_flag_of_another_trainer_leads_to_ours(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("train", *words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("train", "--json", "--model", "bundled:base", "--data", "nothing.jsonl"), "input"),
        (("evaluate", "nowhere/at/all", "--data", "nothing.jsonl", "--json"), "input"),
        (("runs", "show", "nothing", "--json"), "input"),
        (("data", "inspect", "nothing.jsonl", "--json"), "input"),
        (("votes", "list", "nothing.db", "--json"), "input"),
        (("recipes", "keys", "nothing", "--json"), "input"),
        (("recipes", "objectives", "nothing", "--json"), "input"),
        (("loop", "--json", "--set", "nothing=1"), "input"),
        (("quickstart", "--json", "--out", "/proc/nowhere"), "input"),
        (("push", "nothing", "a/b", "--json"), "input"),
        (("evaluate", "--json"), "usage"),
        (("runs", "list", "--jsn", "--json"), "usage"),
    ],
)
def test_errors_are_json_where_results_are(
    words: tuple[str, ...],
    kind: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(*words) == 2
    printed = capsys.readouterr()
    error = json.loads(printed.out)["error"]
    assert error["kind"] == kind
    assert error["exit_code"] == 2
    assert error["what"].split()[0] in printed.err


def test_without_json_nothing_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("runs", "show", "nothing") == 2
    assert capsys.readouterr().out == ""


def test_control_characters_of_a_message_are_made_visible(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail_with(InputError("The row says '\x1b]0;title\x07'."), monkeypatch)
    assert _run("train") == 2
    assert capsys.readouterr().err == "error: The row says '\\x1b]0;title\\x07'.\n"


_IGNORING = """
import os, signal, sys
from tiebreak.cli.main import run
try:
    run(["--version"])
except SystemExit:
    print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
"""


@pytest.mark.parametrize(("leads", "ignores"), [(True, "False"), (False, "True")])
def test_a_command_that_leads_its_session_can_be_interrupted(leads: bool, ignores: str) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as of a script's jobs in the background
    try:
        done = subprocess.run(
            [sys.executable, "-c", _IGNORING], capture_output=True, text=True, check=True, start_new_session=leads
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.stdout.split()[-1] == ignores
