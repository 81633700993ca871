"""What a vote may hold."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.votes.made import answer, vote
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.checks import MAX_ANSWER_CHARS, MAX_PROMPT_CHARS, MAX_REASON_CHARS
from tiebreak.votes.filters import VoteFilter


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": "abc"}, "id"),
        ({"id": "A" * 32}, "id"),
        ({"voter": "someone@example.org"}, "voter"),
        ({"voter": "192.168.0.1"}, "voter"),
        ({"voter": "2001:db8::1"}, "voter"),
        ({"voter": ""}, "voter"),
        ({"prompt": ()}, "prompt"),
        ({"prompt": (("user", "  "),)}, "prompt"),
        ({"prompt": (("user", "Hi"), ("assistant", "Hello"))}, "prompt"),
        ({"prompt": (("tool", "Hi"),)}, "turn 1"),
        ({"prompt": (("user", "a" * MAX_PROMPT_CHARS), ("user", "b"))}, "prompt"),
        ({"verdict": "up"}, "verdict"),
        ({"time": datetime(2026, 1, 1)}, "time"),
        ({"time": datetime.max.replace(tzinfo=UTC)}, "time"),
        ({"withdrawn": True}, "withdrawn"),
        ({"reason": "a\0b"}, "reason"),
        ({"reason": "a" * (MAX_REASON_CHARS + 1)}, "reason"),
        ({"edited": "half \ud83d of one"}, "edited"),
        ({"left": answer("\udc00")}, "left.text"),
        ({"left": answer("a" * (MAX_ANSWER_CHARS + 1))}, "left.text"),
        ({"right": answer(model=" ")}, "right.model"),
        ({"right": answer(model="a\0")}, "right.model"),
        ({"right": answer(seed=2**63)}, "right.seed"),
        ({"right": answer(seed=-1)}, "right.seed"),
        ({"right": answer(sampling={"temperature": float("nan")})}, "right.sampling"),
        ({"right": answer(sampling={"a": "\ud800"})}, "right.sampling"),
        ({"right": answer(sampling={str(i): 1.0 for i in range(2000)})}, "right.sampling"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_its_field(tmp_path: Path, changes: dict[str, object], where: str) -> None:
    with open_votes(str(tmp_path / "votes.db")) as store:
        with pytest.raises(InputError) as refused:
            store.add(vote(1, **changes))
        assert where in str(refused.value.where)
        assert store.count(VoteFilter(withdrawn=None)) == 0
