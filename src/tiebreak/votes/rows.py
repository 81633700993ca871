"""A vote as a row of the tables, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

from tiebreak.votes.filters import microseconds, moment
from tiebreak.votes.vote import Answer, Verdict, Vote


def row_of(vote: Vote, changed: int) -> dict[str, Any]:
    """The columns of `votes`."""
    return {
        "id": vote.id,
        "time": microseconds(vote.time),
        "changed": changed,
        "voter": vote.voter,
        "verdict": vote.verdict,
        "reason": vote.reason,
        "edited": vote.edited,
        "withdrawn": vote.withdrawn,
        **_answer_columns("left", vote.left),
        **_answer_columns("right", vote.right),
    }


def turns_of(vote: Vote) -> list[dict[str, Any]]:
    """The rows of `vote_turns`."""
    return [
        {"vote": vote.id, "place": place, "role": role, "content": content}
        for place, (role, content) in enumerate(vote.prompt)
    ]


def vote_of(row: Mapping[str, Any], turns: Iterable[Mapping[str, Any]]) -> Vote:
    """A vote from its row and its turns, in order.

    Raises:
        ValueError: the sampling settings are not the JSON that was written.
    """
    return Vote(
        id=row["id"],
        prompt=tuple((turn["role"], turn["content"]) for turn in turns),
        left=_answer(row, "left"),
        right=_answer(row, "right"),
        verdict=cast(Verdict, row["verdict"]),
        reason=row["reason"],
        edited=row["edited"],
        voter=row["voter"],
        time=moment(row["time"]),
        withdrawn=bool(row["withdrawn"]),
    )


def _answer_columns(side: str, answer: Answer) -> dict[str, Any]:
    return {
        f"{side}_text": answer.text,
        f"{side}_model": answer.model,
        f"{side}_fingerprint": answer.fingerprint,
        f"{side}_sampling": json.dumps(dict(answer.sampling), ensure_ascii=False),
        f"{side}_seed": answer.seed,
    }


def _answer(row: Mapping[str, Any], side: str) -> Answer:
    return Answer(
        text=row[f"{side}_text"],
        model=row[f"{side}_model"],
        fingerprint=row[f"{side}_fingerprint"],
        sampling=json.loads(row[f"{side}_sampling"]),
        seed=row[f"{side}_seed"],
    )
