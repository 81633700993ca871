"""A vote in the tables: written as rows, read back, corrected, erased.

Knows columns; whoever calls holds the transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tiebreak.errors import InputError
from tiebreak.votes.checks import check_id
from tiebreak.votes.tables import clock, corrections, turns, votes
from tiebreak.votes.vote import Answer, EarlierVersion, Verdict, Vote, now, turn_rows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_revision(connection: Connection) -> int:
    """The revision of a change; until the transaction ends, nobody else gets one."""
    connection.execute(update(clock).values(revision=clock.c.revision + 1))
    return int(connection.execute(select(clock.c.revision)).scalar_one())


def row_of(vote: Vote, changed: int, revision: int) -> dict[str, Any]:
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
        "withdrawn_by": vote.withdrawn_by,
        "revision": revision,
        "comparison": vote.comparison,
        **answer_columns("left", vote.left),
        **answer_columns("right", vote.right),
    }


def turns_of(vote: Vote) -> list[dict[str, Any]]:
    """The rows of `vote_turns`."""
    return [
        {"vote": vote.id, "place": number, "role": role, "content": content}
        for number, (role, content) in enumerate(vote.prompt)
    ]


def add_vote(connection: Connection, vote: Vote, revision: int) -> bool:
    """Write a vote into all tables; False, and nothing is written, where its id is there already."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = row_of(vote, microseconds(now()), revision)
    adding = add(votes).values(row).on_conflict_do_nothing(index_elements=["id"])
    if connection.execute(adding.execution_options(preserve_rowcount=True)).rowcount == 0:
        return False
    connection.execute(insert(turns), turns_of(vote))
    if vote.corrections:
        connection.execute(insert(corrections), corrections_of(vote))
    return True


def is_too_fast(connection: Connection, vote: Vote, a_minute: int) -> bool:
    """Whether a vote is new, and its voter has cast so many in the minute before it."""
    since = microseconds(vote.time - timedelta(minutes=1))
    recent = select(func.count()).where(votes.c.voter == vote.voter, votes.c.time > since)
    there = select(votes.c.id).where(votes.c.id == vote.id)
    return connection.execute(recent).scalar_one() >= a_minute and connection.execute(there).first() is None


def whole_votes(connection: Connection, rows: Sequence[RowMapping]) -> list[Vote]:
    """Votes from their rows, with what stands in the other tables.

    Raises:
        ValueError, TypeError: a row holds what `row_of` does not write.
    """
    ids = [row["id"] for row in rows]
    prompts: dict[str, list[dict[str, Any]]] = {id: [] for id in ids}
    earlier: dict[str, list[dict[str, Any]]] = {id: [] for id in ids}
    asked = select(turns).where(turns.c.vote.in_(ids)).order_by(turns.c.vote, turns.c.place)
    for turn in connection.execute(asked).mappings():
        prompts[turn["vote"]].append(dict(turn))
    before = select(corrections).where(corrections.c.vote.in_(ids)).order_by(corrections.c.number)
    for row in connection.execute(before).mappings():
        earlier[row["vote"]].append(dict(row))
    return [vote_of(dict(row), prompts[row["id"]], earlier[row["id"]]) for row in rows]


def corrections_of(vote: Vote) -> list[dict[str, Any]]:
    """The rows of `vote_corrections`."""
    return [
        {**vars(earlier), "vote": vote.id, "number": number, "until": microseconds(earlier.until)}
        for number, earlier in enumerate(vote.corrections)
    ]


def earlier_of(row: Mapping[str, Any]) -> EarlierVersion:
    """An earlier version from its row."""
    said = (cast(Verdict, row["verdict"]), row["reason"], row["edited"])
    return EarlierVersion(*said, moment(row["until"]), row["by"])


def vote_of(
    row: Mapping[str, Any], turns: Iterable[Mapping[str, Any]], earlier: Iterable[Mapping[str, Any]] = ()
) -> Vote:
    """A vote from its row, its turns and its corrections, both in order.

    Raises:
        ValueError: the sampling settings are not the JSON that was written.
    """
    return Vote(
        id=row["id"],
        prompt=tuple((turn["role"], turn["content"]) for turn in turns),
        left=answer_in(row, "left"),
        right=answer_in(row, "right"),
        verdict=cast(Verdict, row["verdict"]),
        reason=row["reason"],
        edited=row["edited"],
        voter=row["voter"],
        time=moment(row["time"]),
        withdrawn=bool(row["withdrawn"]),
        corrections=tuple(earlier_of(each) for each in earlier),
        withdrawn_by=row["withdrawn_by"],
        comparison=row["comparison"],
    )


def locked(connection: Connection, id: str) -> RowMapping:
    """The row of a vote, which nobody else changes before the transaction ends.

    Raises:
        InputError: there is no such vote.
    """
    check_id(id)
    found = connection.execute(select(votes).where(votes.c.id == id).with_for_update()).mappings().first()
    if found is None:
        raise InputError(f"There is no vote with the id '{id}'.")
    return found


def change(connection: Connection, old: RowMapping, changes: Mapping[str, Any], by: str | None) -> None:
    """Change columns of a vote and keep what they were; where nothing would change, nothing happens."""
    if all(old[name] == value for name, value in changes.items()):
        return
    revision = next_revision(connection)
    stamp = _later_than(old)
    before = select(func.count()).select_from(corrections).where(corrections.c.vote == old["id"])
    earlier = {
        "vote": old["id"],
        "number": connection.execute(before).scalar_one(),
        "until": stamp,
        "by": by,
        **{name: old[name] for name in ("verdict", "reason", "edited")},
    }
    connection.execute(insert(corrections), earlier)
    connection.execute(update(votes).where(votes.c.id == old["id"]).values(**changes, changed=stamp, revision=revision))


def erase(connection: Connection, found: Sequence[RowMapping], by: str | None) -> None:
    """Withdraw votes: their texts go, also from earlier versions."""
    texts = {"reason": None, "edited": None}
    revision = next_revision(connection)
    for old in found:
        connection.execute(update(corrections).where(corrections.c.vote == old["id"]).values(texts))
        changed = {**texts, "withdrawn": True, "withdrawn_by": by, "changed": _later_than(old), "revision": revision}
        connection.execute(update(votes).where(votes.c.id == old["id"]).values(changed))


def microseconds(time: datetime) -> int:
    """A time as the tables keep it; one without a zone is taken as UTC."""
    return ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """A time from how the tables keep it."""
    return _EPOCH + timedelta(microseconds=value)


def answer_columns(side: str, answer: Answer) -> dict[str, Any]:
    """The columns of an answer, whose names begin with a side."""
    return {
        f"{side}_text": answer.text,
        f"{side}_model": answer.model,
        f"{side}_fingerprint": answer.fingerprint,
        f"{side}_sampling": json.dumps(dict(answer.sampling), ensure_ascii=False),
        f"{side}_seed": answer.seed,
        f"{side}_before": json.dumps(turn_rows(answer.before), ensure_ascii=False) if answer.before else None,
    }


def answer_in(row: Mapping[str, Any], side: str) -> Answer:
    """An answer from what `answer_columns` made.

    Raises:
        ValueError: what was written as JSON is none.
    """
    return Answer(
        text=row[f"{side}_text"],
        model=row[f"{side}_model"],
        fingerprint=row[f"{side}_fingerprint"],
        sampling=json.loads(row[f"{side}_sampling"]),
        seed=row[f"{side}_seed"],
        before=tuple((turn["role"], turn["content"]) for turn in json.loads(row[f"{side}_before"] or "[]")),
    )


def _later_than(old: RowMapping) -> int:
    """A stamp for a change: now, and later than the one before even if the clock went back."""
    return max(microseconds(now()), int(old["changed"]) + 1)
