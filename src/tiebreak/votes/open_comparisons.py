"""The open comparisons of a store: written by evaluations, offered to voters, read back with their votes.

Knows what may happen to one: asked, answered by votes, closed. What their votes say is in `votes.open_comparison`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tiebreak.votes.checks import check_compared, check_id, check_time, check_voter
from tiebreak.votes.filters import counted
from tiebreak.votes.open_comparison import OpenComparison
from tiebreak.votes.opened import OpenDatabase
from tiebreak.votes.rows import answer_columns, answer_in, microseconds, moment
from tiebreak.votes.tables import open_comparisons, votes
from tiebreak.votes.vote import Vote, turn_rows

_AT_ONCE = 500  # ids of one query


@dataclass(frozen=True)
class Waiting:
    """What waits for a voter.

    Attributes:
        comparisons: open ones that the voter has not voted on.
        unanswered: those of them that nobody has a vote on that counts.
    """

    comparisons: int
    unanswered: int


@dataclass(frozen=True)
class AskedEvaluation:
    """The open comparisons of one evaluation.

    Attributes:
        key: of the evaluation.
        made: when it asked first.
        models: names of those whose answers are compared.
        comparisons: that are open.
        unanswered: those of them without a vote that counts.
        votes: that count, on all of them.
    """

    key: str
    made: datetime
    models: tuple[str, ...]
    comparisons: int
    unanswered: int
    votes: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**vars(self), "made": self.made.isoformat(), "models": list(self.models)}


class OpenComparisons:
    """The open comparisons of a store. Any thread may call any method.

    Args:
        database: of the store.
    """

    def __init__(self, database: OpenDatabase) -> None:
        self._database = database

    def add_all(self, new: Iterable[OpenComparison]) -> int:
        """Keep comparisons, all of them or none; returns how many were not there already.

        Several programs may write the same ones at once: each is kept once.

        Raises:
            InputError: a comparison holds what cannot be kept (see `check_compared`).
        """
        given = sorted(new, key=lambda each: each.id)  # in one order, so that two writers never wait for each other
        for each in given:
            check_id(each.id)
            check_id(each.evaluation)
            check_compared(each.prompt, each.first, each.second)
            check_time(each.made)
        with self._database.writing() as connection:
            return sum(_add(connection, each) for each in given)

    def next(self, voter: str | None, passed: set[str], draws: Random) -> OpenComparison | None:
        """A comparison for a voter: one with the fewest votes, so that each has one before any has two.

        Which of those is drawn, so that people who vote at once mostly see different ones. Nobody is shown what they
        voted on, nor what they withdrew or corrected their vote on: they know by then whose answers these are.

        Args:
            voter: as it stands with the votes; None is somebody new.
            passed: ids of those that the voter went past; emptied where nothing else is left, so that they come again.
            draws: draws it.
        """
        with self._database.reading() as connection:
            waiting = _waiting(connection, voter)
            if waiting and passed.issuperset(waiting):
                passed.clear()
            left = {id: number for id, number in waiting.items() if id not in passed}
            if not left:
                return None
            fewest = min(left.values())
            chosen = draws.choice([id for id, number in left.items() if number == fewest])
            row = connection.execute(select(open_comparisons).where(open_comparisons.c.id == chosen)).mappings().one()
        return self._read(dict(row))

    def waiting(self, voter: str | None) -> Waiting:
        """How many comparisons wait for a voter, who is named as of `next`."""
        with self._database.reading() as connection:
            found = _waiting(connection, voter)
        return Waiting(len(found), sum(number == 0 for number in found.values()))

    def votes_on(self, ids: Iterable[str]) -> list[Vote]:
        """All votes that answer comparisons, withdrawn ones too, in any order.

        Args:
            ids: of the comparisons, which need not be open any more.
        """
        wanted = list(dict.fromkeys(ids))
        found: list[Vote] = []
        with self._database.reading() as connection:
            for start in range(0, len(wanted), _AT_ONCE):
                some = select(votes).where(votes.c.comparison.in_(wanted[start : start + _AT_ONCE]))
                found += self._database.whole(connection, connection.execute(some).mappings().all())
        return found

    def evaluations(self) -> list[AskedEvaluation]:
        """What is open, by the evaluation that asked it first; the newest first."""
        table = open_comparisons.c
        asked = select(
            table.evaluation, table.made, table.first_model, table.second_model, _answers().label("answers")
        ).order_by(table.id)
        found: dict[str, list[Mapping[str, Any]]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(asked).mappings():
                found.setdefault(row["evaluation"], []).append(dict(row))
        evaluations = [_evaluation(key, rows) for key, rows in found.items()]
        return sorted(evaluations, key=lambda each: (each.made, each.key), reverse=True)

    def close(self, evaluation: str) -> int:
        """Ask nobody any more about the comparisons of an evaluation; votes on them stay, and are read back as before.

        Returns:
            How many were open.
        """
        check_id(evaluation)
        with self._database.writing() as connection:
            gone = delete(open_comparisons).where(open_comparisons.c.evaluation == evaluation)
            return int(connection.execute(gone.execution_options(preserve_rowcount=True)).rowcount)

    def _read(self, row: Mapping[str, Any]) -> OpenComparison:
        try:
            return OpenComparison(
                id=row["id"],
                evaluation=row["evaluation"],
                prompt=tuple((turn["role"], turn["content"]) for turn in json.loads(row["prompt"])),
                first=answer_in(row, "first"),
                second=answer_in(row, "second"),
                made=moment(row["made"]),
            )
        except (ValueError, TypeError, KeyError):
            raise self._database.damaged() from None


def _add(connection: Connection, asked: OpenComparison) -> int:
    """Write a comparison; 0, and nothing is written, where its id is there already."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {
        "id": asked.id,
        "evaluation": asked.evaluation,
        "made": microseconds(asked.made),
        "prompt": json.dumps(turn_rows(asked.prompt), ensure_ascii=False),
        **answer_columns("first", asked.first),
        **answer_columns("second", asked.second),
    }
    adding = add(open_comparisons).values(row).on_conflict_do_nothing(index_elements=["id"])
    return int(connection.execute(adding.execution_options(preserve_rowcount=True)).rowcount)


def _waiting(connection: Connection, voter: str | None) -> dict[str, int]:
    """The ids of the comparisons that wait for a voter, in their order, each with how many others have answered it."""
    asked = select(open_comparisons.c.id, _answers()).order_by(open_comparisons.c.id)
    if voter is not None:
        check_voter(voter)
        theirs = select(votes.c.id).where(votes.c.comparison == open_comparisons.c.id, votes.c.voter == voter)
        asked = asked.where(~theirs.exists())
    return {str(id): int(number) for id, number in connection.execute(asked).tuples()}


def _answers() -> ColumnElement[int]:
    """How many votes on an open comparison count."""
    on_it = select(func.count()).select_from(votes).where(votes.c.comparison == open_comparisons.c.id, counted())
    return on_it.scalar_subquery()


def _evaluation(key: str, rows: Sequence[Mapping[str, Any]]) -> AskedEvaluation:
    models = dict.fromkeys(sorted(row[side] for row in rows for side in ("first_model", "second_model")))
    return AskedEvaluation(
        key=key,
        made=moment(min(row["made"] for row in rows)),
        models=tuple(models),
        comparisons=len(rows),
        unanswered=sum(row["answers"] == 0 for row in rows),
        votes=sum(row["answers"] for row in rows),
    )
