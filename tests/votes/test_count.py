"""Votes counted one at a time: the same as all at once, whatever changed since, and no more work for more votes."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from tests.votes.made import START, answer, compared, vote
from tiebreak.votes import open_votes
from tiebreak.votes.count import Count, RunningCount, prompt_digest, tally
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import VERDICTS, EarlierVersion, Vote

_BEFORE = (EarlierVersion("left", None, None, START, None),)


@st.composite
def _votes(draw: st.DrawFn) -> Vote:
    number = draw(st.integers(0, 9))
    return vote(
        number,
        prompt=(("user", draw(st.sampled_from("PQ"))),),
        left=answer(draw(st.sampled_from("ab")), draw(st.sampled_from(("m", "n")))),
        right=answer(draw(st.sampled_from("ab")), draw(st.sampled_from(("m", "o")))),
        verdict=draw(st.sampled_from(VERDICTS)),
        voter=draw(st.sampled_from(("ann", "bob", "cid"))),
        time=START + timedelta(seconds=draw(st.integers(0, 3))),
        withdrawn=draw(st.booleans()),
        corrections=draw(st.sampled_from(((), _BEFORE))),
    )


@given(st.lists(_votes(), max_size=30), st.booleans())
def test_a_running_count_says_what_a_new_count_of_the_last_versions_says(votes: list[Vote], corrected: bool) -> None:
    running = Count(corrected=corrected)
    for each in votes:
        running.put(each)
    last = {each.id: each for each in votes}
    found, expected = running.tally(), tally(last.values(), corrected=corrected)
    assert found.to_json() == expected.to_json()
    for voter in ("ann", "bob", "cid"):
        theirs = [each for each in last.values() if each.voter == voter and not each.withdrawn]
        if corrected:
            assert running.prompts_of(voter) == {prompt_digest(each.prompt) for each in theirs}


def test_votes_corrected_after_the_models_were_named_are_left_out_unless_asked_for() -> None:
    votes = [compared("left", "ann"), replace(compared("right", "bob", 1), corrections=_BEFORE)]
    plain, asked = tally(votes), tally(votes, corrected=True)
    assert (plain.votes, plain.corrected, plain.standings[0].wins) == (1, 1, 1)
    assert (asked.votes, asked.corrected) == (2, 0)


def test_position_and_voters_are_seen_in_the_tally() -> None:
    votes = [compared("left", f"voter-{number % 4}", number, f"{number}") for number in range(80)]
    votes += [compared("right", "stuffer", 100 + number, f"{number}") for number in range(20)]
    votes += [compared("tie", "voter-0", 200), compared("left", "voter-0", 201, "same", "same")]
    found = tally(votes)
    assert (found.position.left, found.position.right, found.position.share) == (80, 20, 0.8)
    assert found.position.low == pytest.approx(0.7112, abs=1e-4)  # Wilson's interval of 80 in 100
    assert found.position.high == pytest.approx(0.8666, abs=1e-4)
    assert (found.voters.voters, found.voters.top[0]) == (5, ("voter-0", 22))
    assert found.voters.top_share == 22 / 102
    assert found.voters.top_three_share == 62 / 102
    assert tally([]).position.share is tally([]).voters.top_share is None


def test_a_vote_costs_as_much_with_many_votes_there_as_with_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the votes that are counted and the statements that are run, not by the clock."""
    put, counted, statements = Count.put, [], []

    def counting(self: Count, each: Vote) -> None:
        counted.append(each.id)
        put(self, each)

    monkeypatch.setattr(Count, "put", counting)
    work: list[int] = []
    with open_votes(str(tmp_path / "votes.db")) as store:
        event.listen(store._database._engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
        running = RunningCount(store)
        for number in (80, 1200):
            store.add_all(vote(10_000 * number + each, prompt=(("user", str(each)),)) for each in range(number))
            running.tally()
            counted.clear()
            statements.clear()
            store.add(vote(number, voter="new"), a_minute=30)
            assert running.tally().votes == store.count()
            assert counted == [vote(number).id]
            work.append(len(statements))
    assert work[0] == work[1]


def test_two_counts_of_two_stores_on_one_database_see_all_that_both_write(url: str) -> None:
    with open_votes(url) as one, open_votes(url) as other:
        counts = RunningCount(one), RunningCount(other)

        def cast(store: VoteStore, part: int) -> None:
            for number in range(12):
                store.add(vote(part * 100 + number, voter=f"voter-{part}"))
                counts[part].tally()

        threads = [threading.Thread(target=cast, args=(store, part)) for part, store in enumerate((one, other))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.withdraw(vote(3).id)
        one.correct(vote(104).id, verdict="right")
        expected = tally(one.every()).to_json()
        assert expected["votes"] == 22
        assert [count.tally().to_json() for count in counts] == [expected] * 2
