"""Values by key: there for others and later, from several processes at once, whole after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tiebreak.errors import RunError
from tiebreak.evaluate.kept import Kept, key_of


def test_what_was_put_is_there_for_another(tmp_path: Path) -> None:
    kept = Kept("things", "things", tmp_path)
    keys = [key_of("a", number) for number in range(1200)]
    assert len(set(keys)) == 1200
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: kept.put(keys[i], {"n": i, "text": "ü\ud800"}), range(0, 1200, 40)))
    found = Kept("things", "things", tmp_path).get([*keys, keys[0]])
    assert found == {keys[i]: {"n": i, "text": "ü\ud800"} for i in range(0, 1200, 40)}
    assert kept.get([]) == {}


def test_keys_go_by_value_and_order() -> None:
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("ab"), key_of(["a", "b"]), key_of("a", "\ud800")}) == 5


def test_a_killed_process_leaves_what_it_had_put(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tiebreak.evaluate.kept import Kept, key_of\n"
        "kept = Kept('things', 'things', Path(sys.argv[1]))\n"
        "for i in range(10**6):\n    kept.put(key_of(i), i)\n    print(i, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(20)]
        os.kill(program.pid, signal.SIGKILL)
    assert len(lines) == 20
    found = Kept("things", "things", tmp_path).get([key_of(i) for i in range(20)])
    assert found == {key_of(i): i for i in range(20)}


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "things.sqlite").write_text("no database, " * 200)
    with pytest.raises(RunError, match="The cache of things cannot be used"):
        Kept("things", "things", tmp_path)
