"""A program of the user's: lines in and out, and each way in which it can fail."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tiebreak.data.preference import Message
from tiebreak.errors import InputError, RunError
from tiebreak.evaluate.judges.command import command_judge
from tiebreak.evaluate.judges.judge import Comparison, Score

PROMPT = (Message("user", "Why?"),)
READ = "import json, sys, time\nfor line in sys.stdin:\n    row = json.loads(line)\n"


def program(folder: Path, body: str) -> str:
    """A command that runs Python lines for each row."""
    path = folder / "a judge.py"
    path.write_text(READ + "".join(f"    {line}\n" for line in body.splitlines()))
    return shlex.join([sys.executable, "-S", str(path)])


@pytest.mark.parametrize("flush", ["True", "False"])
def test_a_program_scores_line_by_line_or_at_the_end(flush: str, tmp_path: Path) -> None:
    command = program(tmp_path, f'print(json.dumps({{"score": len(row["answer"])}}), flush={flush})')
    judge = command_judge(command)
    many = [Comparison(PROMPT, "x" * i, "yy") for i in range(40)]
    assert judge.compare(many).points == (0.0, 0.0, 0.5, *[1.0] * 37)
    assert judge.record == {"command": command}
    assert judge.compare([]).points == ()


@pytest.mark.parametrize(
    ("line", "score"), [('{"pass": true}', True), ('{"score": null}', None), ('{"score": 1e3, "why": "x"}', 1000.0)]
)
def test_what_a_line_may_be(line: str, score: Score, tmp_path: Path) -> None:
    found, _ = command_judge(program(tmp_path, f"print({line!r})")).scores([(PROMPT, "x")])
    assert found == [score]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("print('good')", "wrote no JSON"),
        ("print('[1]')", "wrote no object"),
        ("print('{}')", "wrote neither score nor pass"),
        ('print(\'{"score": "1"}\')', "wrote a score that is none"),
        ("print('{\"pass\": 1}')", "wrote a pass that is none"),
        ("print('{\"score\": NaN}')", "wrote a score that is none"),
        ("sys.exit('no model here')", r"ended with code 1 after 0 of 2 answers. It wrote: no model here"),
        ("break", "ended with code 0 after 0 of 2"),
        ('print(\'{"score": 1}\\n{"score": 1}\')', "more lines than it read"),
        ("raise KeyError('x')", "It wrote: .*KeyError"),
    ],
)
def test_each_fault_is_a_sentence(body: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=sentence):
        command_judge(program(tmp_path, body)).scores([(PROMPT, "x"), (PROMPT, "y")])


def test_a_program_that_says_nothing_is_ended(tmp_path: Path) -> None:
    command = program(tmp_path, "print('late', file=sys.stderr, flush=True)\ntime.sleep(60)")
    with pytest.raises(RunError, match=r"said nothing for 0\.5 seconds at answer 1. It wrote: late"):
        command_judge(command, timeout=0.5).scores([(PROMPT, "x")])


@pytest.mark.parametrize(
    ("command", "sentence"),
    [("no-such-program-here", "cannot be started"), ("'open", "cannot be read"), ("  ", "is empty")],
)
def test_a_command_that_is_none(command: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        command_judge(command).scores([(PROMPT, "x")])


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    command = f"{program(tmp_path, 'print(json.dumps({}))')} ; touch {tmp_path}/made"
    with pytest.raises(RunError):
        command_judge(command).scores([(PROMPT, "x")])
    assert not (tmp_path / "made").exists()
