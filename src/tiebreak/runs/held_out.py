"""held_out.jsonl: one JSON object a held-out pair, with what training did to it.

Knows the file's form; a line that cannot be read is passed over, for a report must not fail on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from tiebreak.files import without_nan, write_text
from tiebreak.runs.record import Record


class HeldOutPair(Record):
    """One held-out pair.

    Attributes:
        pair: its place among them, from 0.
        prompt: the last turn, shortened.
        before, after: log-prob of the chosen completion less that of the rejected one, in nats.
        moved: `better` or `worse`; None where nothing changed.
        flipped: `to chosen` or `to rejected`, where the likelier completion is another one now.
        rewards_before, rewards_after: of the chosen completion and of the rejected one, as the objective defines them;
            None in files of earlier versions. A model that is its own reference has zeros before.
    """

    pair: int
    prompt: str
    before: float
    after: float
    moved: str | None = None
    flipped: str | None = None
    rewards_before: tuple[float, float] | None = None
    rewards_after: tuple[float, float] | None = None

    @property
    def gain(self) -> float:
        """What the chosen completion gained on the rejected one, in nats."""
        return self.after - self.before

    @property
    def margin(self) -> float | None:
        """Reward of the chosen completion less that of the rejected one, after training; None where not recorded."""
        return None if self.rewards_after is None else self.rewards_after[0] - self.rewards_after[1]


def write_held_out(path: Path, pairs: Iterable[HeldOutPair]) -> None:
    """Replace held_out.jsonl at once."""
    lines = (json.dumps(without_nan(pair.model_dump()), ensure_ascii=False) for pair in pairs)
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_held_out(path: Path) -> tuple[HeldOutPair, ...]:
    """The pairs in a file; none where there is no file."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(HeldOutPair.model_validate_json(line))
        except ValidationError:
            continue
    return tuple(found)
