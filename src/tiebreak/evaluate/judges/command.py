"""A judge that is a program: it reads JSON lines on its standard input and writes a line for each on its output.

A line in is `{"prompt": [{"role": …, "content": …}, …], "answer": …}`, a line out `{"score": 0.3}` or `{"pass": true}`,
in the same order. The program is started once and ends with its input. No shell is between.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Any

from tiebreak.data.reading.rows import quoted
from tiebreak.errors import InputError, RunError
from tiebreak.evaluate.judges.judge import Asked, OnProgress, PointwiseJudge, Score, is_score

_TOLD = 600  # characters of what the program wrote on stderr
_GRACE = 5.0  # seconds to end by itself after its input has ended


def command_judge(command: str, *, timeout: float = 60.0, where: str = "evaluate.judge") -> PointwiseJudge:
    """A judge that calls a program.

    Args:
        command: the program with its arguments, in quotes where a shell would want them.
        timeout: seconds that it may take for one answer.
        where: what names it, for errors.
    Raises:
        InputError: the command is none.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"The command cannot be read: {error}.", where=where, fix="close the quotes") from None
    if not words:
        raise InputError("The command is empty.", where=where, fix="name a program")

    def score(asked: Sequence[Asked], progress: OnProgress) -> tuple[list[Score], Mapping[str, int]]:
        found = _called(words, asked, timeout, progress, where) if asked else []
        missing = sum(each is None for each in found)
        return found, {"answers without a score": missing} if missing else {}

    return PointwiseJudge(command, score, {"command": command})


def _called(words: list[str], asked: Sequence[Asked], timeout: float, progress: OnProgress, where: str) -> list[Score]:
    found: list[Score] = []
    with tempfile.TemporaryFile() as errors:
        try:
            program = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
        except OSError as error:
            raise InputError(
                f"The judge's program cannot be started: {error.strerror or error}.",
                where=f"{where}: {words[0]}",
                fix="check its name, and that it may be run",
            ) from None
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        assert program.stdin is not None
        assert program.stdout is not None
        threading.Thread(target=_written, args=(program.stdin, asked), daemon=True).start()
        threading.Thread(target=_read, args=(program.stdout, lines), daemon=True).start()

        def failed(what: str, fix: str) -> RunError:
            _end(program)
            said = _told(errors)
            return RunError(f"{what}{f' It wrote: {said}' if said else ''}", where=f"{where}: {words[0]}", fix=fix)

        try:
            for number in range(len(asked)):
                try:
                    line = lines.get(timeout=timeout)
                except queue.Empty:
                    raise failed(
                        f"The judge's program said nothing for {timeout:g} seconds at answer {number + 1}.",
                        "let it flush its output after each line, or raise timeout",
                    ) from None
                if line is None:
                    code = program.wait()
                    raise failed(
                        f"The judge's program ended with code {code} after {number} of {len(asked)} answers.",
                        "let it write one line for each line that it reads",
                    )
                score = _score(line)
                if isinstance(score, str):
                    raise failed(f"The judge's program wrote {score} for answer {number + 1}.", _HOW)
                found.append(score[0])
                progress(number + 1)
            try:
                extra, code = lines.get(timeout=min(timeout, _GRACE)), 0
                code = program.wait(timeout=_GRACE) if extra is None else 0
            except (queue.Empty, subprocess.TimeoutExpired):
                extra, code = None, 0  # every answer has its score: it may go on for itself, and is ended
            if extra is not None:
                raise failed("The judge's program wrote more lines than it read.", _HOW)
            if code:
                raise failed(f"The judge's program ended with code {code}.", "let it end with code 0")
        finally:
            _end(program)
    return found


_HOW = 'write {"score": NUMBER} or {"pass": true} on a line of its own for each line that was read'


def _score(line: bytes) -> tuple[Score] | str:
    """The score in a line, or what stands there instead."""
    text = line.decode("utf-8", errors="replace").strip()
    try:
        value = json.loads(text)
    except ValueError:
        return f"no JSON ({quoted(text)})"
    if not isinstance(value, dict):
        return f"no object ({quoted(text)})"
    for key, kinds in (("score", (int, float, bool, type(None))), ("pass", (bool, type(None)))):
        if key in value:
            given = value[key]
            good = isinstance(given, kinds) and (given is None or is_score(given))
            return (given,) if good else f"a {key} that is none ({quoted(text)})"
    return f"neither score nor pass ({quoted(text)})"


def _written(stdin: IO[bytes], asked: Sequence[Asked]) -> None:
    try:
        with stdin:
            for prompt, answer in asked:
                line = json.dumps({"prompt": [turn.to_row() for turn in prompt], "answer": answer})
                stdin.write(f"{line}\n".encode())
                stdin.flush()
    except (BrokenPipeError, ValueError):
        pass  # the program has ended; who reads its output says so


def _read(stdout: IO[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    with stdout:
        for line in stdout:
            if line.strip():
                lines.put(line)
    lines.put(None)


def _told(errors: IO[bytes]) -> str:
    errors.seek(0)
    return " ".join(errors.read().decode("utf-8", errors="replace").split())[-_TOLD:]


def _end(program: subprocess.Popen[Any]) -> None:
    """End the program and whatever it started; it has a session of its own."""
    if program.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
