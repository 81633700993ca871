"""Votes counted one at a time, and taken out again when they change: a new vote costs the same however many there are.

Which votes count is `votes.vote.counts`; what the counts say is in `votes.tally`. No text of a vote is held.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tiebreak.votes.comparisons import Agreement, compared_in, said_by
from tiebreak.votes.tally import Games, Player, Tally, busiest, position, standings
from tiebreak.votes.vote import Answer, Turn, Verdict, Vote, counts

if TYPE_CHECKING:  # counting needs no database
    from tiebreak.votes.store import Cursor, VoteStore


def tally(votes: Iterable[Vote], *, corrected: bool = False) -> Tally:
    """Count games, fit scores, measure agreement, and see who voted and whether voters lean to a side.

    Args:
        votes: all of them.
        corrected: count also those whose verdict was corrected after the models were named.
    """
    count = Count(corrected=corrected)
    for vote in votes:
        count.put(vote)
    return count.tally()


def prompt_digest(prompt: Iterable[Turn]) -> bytes:
    """The same for the same prompt, whatever system message stands before it."""
    return _digest([[role, content.strip()] for role, content in prompt if role != "system"])


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is kept of a vote that counts."""

    players: tuple[Player, Player]
    verdict: Verdict
    voter: str
    time: datetime
    prompt: bytes
    compared: bytes
    outcome: str
    same_text: bool


@dataclass(slots=True)
class _Comparison:
    """The votes on the same two answers: of each voter by id, with time; and how many voters last said what."""

    of_voters: dict[str, dict[str, tuple[datetime, str]]] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    def agreement(self) -> tuple[int, int, int]:
        """Pairs of voters who agree, all pairs, and 1 where two or more voters saw it."""
        voters = len(self.of_voters)
        return sum(math.comb(number, 2) for number in self.said.values()), math.comb(voters, 2), int(voters > 1)

    def change(self, vote: _Counted, id: str, *, gone: bool) -> None:
        """Take a vote in or out; a voter who voted twice counts with the last vote."""
        theirs = self.of_voters.setdefault(vote.voter, {})
        if theirs:
            self.said[_last(theirs)] -= 1
        if gone:
            del theirs[id]
        else:
            theirs[id] = (vote.time, vote.outcome)
        if theirs:
            self.said[_last(theirs)] += 1
        else:
            del self.of_voters[vote.voter]


class Count:
    """A running count of votes.

    Args:
        corrected: count also votes whose verdict was corrected after the models were named.
    """

    def __init__(self, *, corrected: bool = False) -> None:
        self._corrected = corrected
        self._counted: dict[str, _Counted] = {}
        self._left_out: set[str] = set()
        self._games: Counter[tuple[Player, Player, Verdict]] = Counter()
        self._sides: Counter[Verdict] = Counter()
        self._voters: Counter[str] = Counter()
        self._prompts: dict[str, Counter[bytes]] = {}
        self._comparisons: dict[bytes, _Comparison] = {}
        self._agreement = [0, 0, 0]
        self._same_model = 0

    def put(self, vote: Vote) -> None:
        """Count a vote, in place of what it was when it came before."""
        before = self._counted.pop(vote.id, None)
        if before is not None:
            self._add(before, -1)
            self._compare(before, vote.id, gone=True)
        self._left_out.discard(vote.id)
        if counts(vote, corrected=self._corrected):
            counted = self._counted[vote.id] = _counted(vote)
            self._add(counted, 1)
            self._compare(counted, vote.id, gone=False)
        elif not vote.withdrawn:
            self._left_out.add(vote.id)

    @property
    def games(self) -> Games:
        """The votes between two models."""
        return self._games

    def prompts_of(self, voter: str) -> frozenset[bytes]:
        """The prompts that a voter has voted on, as digests."""
        return frozenset(self._prompts.get(voter, ()))

    def tally(self) -> Tally:
        """What the votes say that were counted so far."""
        agreed, pairs, seen = self._agreement
        return Tally(
            standings=standings(self._games),
            agreement=Agreement(agreed / pairs if pairs else None, pairs, seen),
            votes=len(self._counted),
            same_model=self._same_model,
            corrected=len(self._left_out),
            position=position(self._sides["left"], self._sides["right"]),
            voters=busiest(self._voters),
        )

    def _add(self, vote: _Counted, by: int) -> None:
        one, other = vote.players
        if one == other:
            self._same_model += by
        else:
            _count(self._games, (one, other, vote.verdict), by)
        if not vote.same_text:
            self._sides[vote.verdict] += by
        _count(self._voters, vote.voter, by)
        theirs = self._prompts.setdefault(vote.voter, Counter())
        _count(theirs, vote.prompt, by)
        if not theirs:
            del self._prompts[vote.voter]

    def _compare(self, vote: _Counted, id: str, *, gone: bool) -> None:
        if vote.same_text:
            return
        comparison = self._comparisons.setdefault(vote.compared, _Comparison())
        before = comparison.agreement()
        comparison.change(vote, id, gone=gone)
        after = comparison.agreement()
        self._agreement = [total + new - old for total, new, old in zip(self._agreement, after, before, strict=True)]
        if not comparison.of_voters:
            del self._comparisons[vote.compared]


class RunningCount:
    """The count of a store, which reads only what has changed since it was asked last. Any thread may ask.

    Args:
        store: the votes, to which other programs may write as well.
    """

    def __init__(self, store: VoteStore) -> None:
        self._store, self._count, self._lock = store, Count(), threading.Lock()
        self._after: Cursor | None = None
        self._tally: Tally | None = None

    def tally(self) -> Tally:
        """What the votes say now."""
        with self._lock:
            self._read()
            if self._tally is None:
                self._tally = self._count.tally()
            return self._tally

    def prompts_of(self, voter: str) -> frozenset[bytes]:
        """The prompts that a voter has voted on, as digests."""
        with self._lock:
            self._read()
            return self._count.prompts_of(voter)

    def games(self) -> Games:
        """The votes between two models."""
        with self._lock:
            self._read()
            return dict(self._count.games)

    def _read(self) -> None:
        while changed := self._store.changes(self._after):
            for self._after, vote in changed:
                self._count.put(vote)
            self._tally = None


def _counted(vote: Vote) -> _Counted:
    compared = compared_in(vote)
    _, first, second = compared
    better = {"left": vote.left, "right": vote.right}.get(vote.verdict)
    outcome = vote.verdict if better is None else "first" if said_by(better) == first else "second"
    return _Counted(
        players=(_player(vote.left), _player(vote.right)),
        verdict=vote.verdict,
        voter=vote.voter,
        time=vote.time,
        prompt=prompt_digest(vote.prompt),
        compared=_digest(compared),
        outcome=outcome,
        same_text=first == second,
    )


def _last(votes: dict[str, tuple[datetime, str]]) -> str:
    """What the last of a voter's votes said; of two at one moment, the one with the greater id."""
    return max((time, id, outcome) for id, (time, outcome) in votes.items())[2]


def _player(answer: Answer) -> Player:
    return answer.model, answer.fingerprint


def _count(counter: Counter[Any], key: Any, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]


def _digest(value: object) -> bytes:
    return hashlib.sha256(json.dumps(value).encode()).digest()[:16]
