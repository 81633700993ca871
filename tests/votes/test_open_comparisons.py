"""Open comparisons in the store, on both databases: written once, offered, answered, read back, closed."""

from __future__ import annotations

import multiprocessing
import threading
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from tests.votes.made import EVALUATION, START, answer, answering, asked, vote
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.address import parse_address
from tiebreak.votes.database import engine_for, writing
from tiebreak.votes.open_comparison import key_of, votes_that_count
from tiebreak.votes.open_comparisons import AskedEvaluation, Waiting
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import OPERATOR, Vote, counts

OTHER = key_of("another")


def test_a_comparison_comes_back_as_it_was_given(store: VoteStore) -> None:
    whole = asked(
        prompt=(("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "And \U0001f600\n'--?")),
        first=answer("", "other", fingerprint="", sampling={}, seed=None),
        second=answer("é <b>", seed=2**63 - 1, before=(("assistant", "a"), ("user", "b"))),
        made=START + timedelta(microseconds=7),
    )
    assert store.open_comparisons.add_all([whole]) == 1
    assert store.open_comparisons.next(None, set(), Random(0)) == whole


def test_writing_an_evaluation_twice_adds_nothing_and_a_larger_one_adds_what_is_new(store: VoteStore) -> None:
    board = store.open_comparisons
    assert board.add_all([asked(n) for n in range(3)]) == 3
    assert board.add_all([asked(n) for n in range(3)]) == 0
    assert board.add_all([asked(n, OTHER, made=START + timedelta(days=1)) for n in range(5)]) == 2
    assert board.add_all([]) == 0
    assert board.evaluations() == [
        AskedEvaluation(OTHER, START + timedelta(days=1), ("base", "tuned"), 2, 2, 0),
        AskedEvaluation(EVALUATION, START, ("base", "tuned"), 3, 3, 0),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"first": answer("NUL \0")},
        {"prompt": (("user", "half \ud800"),)},
        {"prompt": (("user", "Hi"), ("assistant", "the last"))},
        {"second": answer("b", "")},
        {"second": answer("b" * ((1 << 20) + 1))},
        {"made": START.replace(tzinfo=None)},
    ],
)
def test_what_no_vote_could_hold_is_refused_and_nothing_is_written(store: VoteStore, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        store.open_comparisons.add_all([asked(0), asked(1, **changes)])
    assert store.open_comparisons.waiting(None) == Waiting(0, 0)


def test_a_voter_is_offered_each_once_and_first_what_nobody_has_answered(store: VoteStore) -> None:
    board, draws = store.open_comparisons, Random(0)
    comparisons = {each.id: each for each in (asked(n) for n in range(4))}
    board.add_all(comparisons.values())
    ids = list(comparisons)
    store.add(answering(comparisons[ids[0]], "left", "bob"))
    assert (board.waiting("ann"), board.waiting("bob")) == (Waiting(4, 3), Waiting(3, 3))
    seen = []
    while (found := board.next("ann", set(), draws)) is not None:
        seen.append(found.id)
        store.add(answering(found, "tie", "ann"))
    assert sorted(seen) == sorted(ids)
    assert seen[-1] == ids[0]
    assert (board.waiting("ann"), board.waiting("bob"), board.waiting(None)) == (
        Waiting(0, 0),
        Waiting(3, 0),
        Waiting(4, 0),
    )


def test_people_who_vote_at_once_mostly_see_different_ones(store: VoteStore) -> None:
    store.open_comparisons.add_all([asked(n) for n in range(40)])
    draws = Random(0)
    firsts = [store.open_comparisons.next(f"voter-{n}", set(), draws) for n in range(12)]
    assert len({each.id for each in firsts if each is not None}) > 8


def test_what_was_gone_past_comes_again_only_when_nothing_else_is_left(store: VoteStore) -> None:
    store.open_comparisons.add_all([asked(n) for n in range(3)])
    passed: set[str] = set()
    for _ in range(3):
        found = store.open_comparisons.next("ann", passed, Random(0))
        assert found is not None
        assert found.id not in passed
        passed.add(found.id)
    again = store.open_comparisons.next("ann", passed, Random(0))
    assert again is not None
    assert passed == set()


def test_nobody_is_shown_again_what_they_withdrew_or_corrected_and_others_are(store: VoteStore) -> None:
    board = store.open_comparisons
    gone, corrected, kept = (asked(n) for n in range(3))
    board.add_all([gone, corrected, kept])
    for each in (gone, corrected, kept):
        store.add(answering(each, "left", "ann"))
    store.withdraw(answering(gone, "left", "ann").id)
    store.correct(answering(corrected, "left", "ann").id, verdict="right", by=OPERATOR)
    store.correct(answering(kept, "left", "ann").id, reason="words alone")
    assert board.waiting("ann") == Waiting(0, 0)
    assert board.waiting("bob") == Waiting(3, 2)
    (evaluation,) = board.evaluations()
    assert (evaluation.comparisons, evaluation.unanswered, evaluation.votes) == (3, 2, 1)
    found = board.votes_on([gone.id, corrected.id, kept.id])
    assert len(found) == 3
    assert [votes_that_count(each, found) for each in (gone, corrected)] == [(), ()]
    assert len(votes_that_count(kept, found)) == 1


def test_the_database_and_the_code_agree_on_which_votes_count(store: VoteStore) -> None:
    steps = [
        "",
        "withdraw",
        "right",
        "right left",
        "words",
        "right right",
        "right words",
        "words right",
        "tie right left",
    ]
    for number, changes in enumerate(steps):
        each = asked(number)
        store.open_comparisons.add_all([each])
        cast = answering(each, "left", "ann")
        store.add(cast)
        for change in changes.split():
            if change == "withdraw":
                store.withdraw(cast.id)
            elif change == "words":
                store.correct(cast.id, reason=f"{number}")
            else:
                store.correct(cast.id, verdict=change)  # type: ignore[arg-type]
    (found,) = store.open_comparisons.evaluations()
    by_rule = sum(counts(each) for each in store.open_comparisons.votes_on(asked(n).id for n in range(len(steps))))
    assert (found.votes, found.unanswered) == (by_rule, len(steps) - by_rule)
    assert by_rule == 4


def test_votes_are_read_by_comparison_also_many_and_after_it_was_closed(
    store: VoteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiebreak.votes.open_comparisons._AT_ONCE", 2)
    comparisons = [asked(n) for n in range(5)]
    store.open_comparisons.add_all(comparisons)
    cast = [answering(each, "left", voter) for each in comparisons for voter in ("ann", "bob")]
    store.add_all([*cast, vote(99)])
    ids = [each.id for each in comparisons]

    def found() -> list[Vote]:
        return sorted(store.open_comparisons.votes_on([*ids, *ids]), key=lambda each: each.id)

    assert found() == sorted(cast, key=lambda each: each.id)
    assert store.open_comparisons.close(EVALUATION) == 5
    assert store.open_comparisons.close(EVALUATION) == 0
    assert store.open_comparisons.waiting(None) == Waiting(0, 0)
    assert len(found()) == 10
    assert store.open_comparisons.votes_on([]) == []
    assert store.count() == 11


def test_votes_on_open_comparisons_are_votes_as_others_in_and_out_of_files(store: VoteStore) -> None:
    cast = answering(asked(), "left", "ann")
    store.add(cast)
    assert store.get(cast.id) == cast
    assert Vote.from_row(cast.to_row()) == cast
    older = {key: value for key, value in vote(1).to_row().items() if key != "comparison"}
    assert Vote.from_row(older) == vote(1)
    with pytest.raises(InputError):
        store.add(vote(2, comparison="no id"))


def test_what_is_no_evaluation_or_voter_is_refused(store: VoteStore) -> None:
    with pytest.raises(InputError):
        store.open_comparisons.close("'; DROP TABLE votes; --")
    with pytest.raises(InputError):
        store.open_comparisons.waiting("ann@example.org")


def test_a_row_that_no_store_writes_is_a_damaged_store(url: str) -> None:
    with open_votes(url) as store:
        store.open_comparisons.add_all([asked()])
        engine = engine_for(parse_address(url))
        with writing(engine) as connection:
            connection.execute(text("UPDATE open_comparisons SET prompt = '[1'"))
        engine.dispose()
        with pytest.raises(InputError, match="damaged"):
            store.open_comparisons.next(None, set(), Random(0))


def test_a_writer_that_fails_half_way_leaves_nothing(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiebreak.votes import open_comparisons as module

    written, whole = [], module._add

    def breaks(*given: object) -> int:
        written.append(1)
        if len(written) == 3:
            raise KeyboardInterrupt
        return whole(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(module, "_add", breaks)
        with pytest.raises(KeyboardInterrupt):
            store.open_comparisons.add_all([asked(n) for n in range(5)])
    assert len(written) == 3
    assert store.open_comparisons.waiting(None) == Waiting(0, 0)
    assert store.open_comparisons.add_all([asked(n) for n in range(5)]) == 5


def _write(url: str, gate: Barrier, results: Queue[int | str]) -> None:
    try:
        with open_votes(url) as store:
            gate.wait()
            results.put(store.open_comparisons.add_all([asked(n) for n in range(200)]))
    except BaseException as error:  # noqa: BLE001  the parent reads it
        results.put(repr(error))


def test_processes_that_write_the_same_evaluation_at_once_write_it_once(url: str) -> None:
    open_votes(url).close()
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(3)
    results: Queue[int | str] = context.Queue()
    children = [context.Process(target=_write, args=(url, gate, results)) for _ in range(3)]
    for child in children:
        child.start()
    added = [results.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert sorted(added, key=str) == [0, 0, 200]
    with open_votes(url, create=False) as store:
        assert store.open_comparisons.waiting(None) == Waiting(200, 200)


def test_a_voter_in_two_windows_has_one_vote(store: VoteStore) -> None:
    each = asked()
    store.open_comparisons.add_all([each])
    kept: list[bool] = []
    windows = [
        threading.Thread(target=lambda verdict=verdict: kept.append(store.add(answering(each, verdict, "ann"))))
        for verdict in ("left", "right", "tie")
    ]
    for window in windows:
        window.start()
    for window in windows:
        window.join()
    assert sorted(kept) == [False, False, True]
    assert len(store.open_comparisons.votes_on([each.id])) == 1
