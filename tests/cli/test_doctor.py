"""`tiebreak doctor`: text, JSON, and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.doctor.made import QUICKSTART, TABLES, as_csv
from tiebreak.cli.main import app, run


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *words])


@pytest.fixture
def hot(tmp_path: Path) -> str:
    path = tmp_path / "table.csv"
    path.write_text(as_csv(TABLES["hot"]))
    return str(path)


def test_findings_are_printed_and_the_command_is_done(hot: str) -> None:
    result = call(hot)
    assert result.exit_code == 0
    assert "WARNING   memorising" in result.stdout


def test_json_is_only_json(hot: str) -> None:
    found = json.loads(call(hot, "--held-out", "300", "--objective", "dpo", "--json").stdout)
    assert (found["held_out"], found["objective"]) == (300, "sigmoid")
    assert [each["name"] for each in found["findings"]] == ["memorising", "likelihood-displacement"]


@pytest.mark.parametrize(("level", "code"), [("stop", 0), ("warning", 1), ("note", 1)])
def test_fail_on_exits_with_one_where_something_is_as_severe(level: str, code: int, hot: str) -> None:
    for words in ([hot], [hot, "--json"]):
        with pytest.raises(SystemExit) as ended:
            run(["doctor", *words, "--fail-on", level])
        assert ended.value.code == code


def test_fail_on_is_silent_where_nothing_is_found() -> None:
    result = call(str(QUICKSTART), "--recipe", "quickstart", "--fail-on", "note")
    assert (result.exit_code, "No finding in 291 steps." in result.stdout) == (0, True)


@pytest.mark.parametrize("words", [[], ["missing.jsonl"], ["--recipe", "none"], ["--fail-on", "all"]])
def test_wrong_input_exits_with_two(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(["doctor", *words])
    assert ended.value.code == 2


def test_nothing_large_is_loaded() -> None:
    program = (
        "import sys; from tiebreak.cli.main import app; from typer.testing import CliRunner\n"
        f"done = CliRunner().invoke(app, ['doctor', {str(QUICKSTART)!r}])\n"
        "assert done.exit_code == 0, done.output\n"
        "assert not {'torch', 'transformers', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
