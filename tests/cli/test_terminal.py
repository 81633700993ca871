"""What users type for this command, and where progress and results go."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tiebreak.cli.terminal import own_name, stderr_progress, stdout_console


def _program(folder: Path) -> Path:
    folder.mkdir(parents=True)
    program = folder / "tiebreak"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("called", "on_path", "expected"),
    [
        ("bin/tiebreak", "bin", "tiebreak"),
        ("work/.venv/bin/tiebreak", "bin", ".venv/bin/tiebreak"),
        ("elsewhere/tiebreak", "bin", "{tmp_path}/elsewhere/tiebreak"),
        ("work/.venv/bin/tiebreak", "empty", ".venv/bin/tiebreak"),
        ("work/pytest", "bin", "tiebreak"),
    ],
    ids=["on-path", "another-on-path", "outside", "not-on-path", "not-tiebreak"],
)
def test_the_name_leads_to_this_very_command(
    called: str, on_path: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("bin", "work/.venv/bin", "elsewhere"):
        _program(tmp_path / folder)
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("PATH", str(tmp_path / on_path))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / called)])
    assert own_name() == expected.format(tmp_path=tmp_path)


def test_results_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    stdout_console().print("a result")
    assert capsys.readouterr() == ("a result\n", "")


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    stderr_progress().console.print("a step")
    assert capsys.readouterr() == ("", "a step\n")
