"""Which votes are asked for, and the same as a condition of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from tiebreak.votes.rows import microseconds
from tiebreak.votes.tables import corrections, turns, votes
from tiebreak.votes.vote import Verdict


@dataclass(frozen=True)
class VoteFilter:
    """Which votes are asked for; what is None asks for nothing.

    Attributes:
        model: one of the two answers is by this model.
        verdict: the verdict.
        voter: the voter's key.
        contains: text that stands in a turn of the prompt, an answer, the reason or the edited answer; case is ignored.
        since, until: cast at this time or later; cast before this time.
        withdrawn: False is those that count, True those that were withdrawn, None is both.
    """

    model: str | None = None
    verdict: Verdict | None = None
    voter: str | None = None
    contains: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    withdrawn: bool | None = False


def conditions(wanted: VoteFilter, *, sqlite: bool) -> list[ColumnElement[bool]]:
    """A filter as conditions that all must hold."""
    found: list[ColumnElement[bool]] = []
    if wanted.model is not None:
        found.append(or_(votes.c.left_model == wanted.model, votes.c.right_model == wanted.model))
    if wanted.verdict is not None:
        found.append(votes.c.verdict == wanted.verdict)
    if wanted.voter is not None:
        found.append(votes.c.voter == wanted.voter)
    if wanted.since is not None:
        found.append(votes.c.time >= microseconds(wanted.since))
    if wanted.until is not None:
        found.append(votes.c.time < microseconds(wanted.until))
    if wanted.withdrawn is not None:
        found.append(votes.c.withdrawn.is_(wanted.withdrawn))
    if wanted.contains:
        found.append(_contains(wanted.contains, sqlite))
    return found


def counted() -> ColumnElement[bool]:
    """The rule of `votes.vote.counts` as a condition on a row of `votes`, for where votes are only numbered."""
    first = (corrections.c.vote == votes.c.id, corrections.c.number == 0)
    before = select(corrections.c.verdict).where(*first).scalar_subquery()
    return and_(votes.c.withdrawn.is_(False), or_(before.is_(None), before == votes.c.verdict))


def _contains(text: str, sqlite: bool) -> ColumnElement[bool]:
    position = func.instr if sqlite else func.strpos
    lower = func.unicode_lower if sqlite else func.lower  # SQLite's own lower() knows only ASCII

    def stands_in(column: ColumnElement[str | None]) -> ColumnElement[bool]:
        return position(lower(column), lower(text)) > 0

    texts = (votes.c.left_text, votes.c.right_text, votes.c.reason, votes.c.edited)
    prompt = select(turns.c.vote).where(turns.c.vote == votes.c.id, stands_in(turns.c.content)).exists()
    return or_(prompt, *(stands_in(column) for column in texts))
