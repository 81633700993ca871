"""What the commands in the documents find in their folder: comparisons, votes, and the small model for any model."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest

from tiebreak.votes import Answer, Vote, open_votes

_VERDICTS: tuple[Literal["left", "tie"], ...] = ("left", "tie")


def _votes(count: int) -> Iterator[Vote]:
    for number in range(count):
        yield Vote(
            id=uuid.UUID(int=number).hex,
            prompt=(("user", f"What is two plus {number}?"),),
            left=Answer(f"It is {2 + number}.", "base", fingerprint="0" * 8, sampling={"temperature": 0.7}, seed=1),
            right=Answer("I cannot say.", "mine", fingerprint="1" * 8, sampling={"temperature": 0.7}, seed=2),
            verdict=_VERDICTS[number % len(_VERDICTS)],
            reason=None,
            edited=None,
            voter="KEY",
            time=datetime(2026, 3, 1, tzinfo=UTC),
        )


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of somebody who reads the documents, in which commands run."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"prompt": f"What is two plus {n}?", "chosen": f"It is {2 + n}.", "rejected": "That is a silly thing to ask."}
        for n in range(40)
    ]
    (tmp_path / "prefs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_votes(tmp_path, 2)
    return tmp_path


def write_votes(folder: Path, count: int) -> None:
    """Write a new `votes.db` in which every other vote is a tie."""
    (folder / "votes.db").unlink(missing_ok=True)
    with open_votes(str(folder / "votes.db")) as store:
        for vote in _votes(count):
            store.add(vote)
