"""What happens to a vote in the store, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.votes.made import START, answer, vote
from tiebreak.errors import InputError
from tiebreak.votes import open_votes
from tiebreak.votes.checks import MAX_ANSWER_CHARS, MAX_REASON_CHARS
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import OPERATOR, EarlierVersion, Vote, counts, new_id

FULL = vote(
    5,
    prompt=(("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello."), ("user", "And now?")),
    left=answer(sampling={"temperature": 0.7, "top_k": 40, "stop": "\n", "penalty": None}, seed=2**63 - 1),
    right=answer("", "other", fingerprint="", sampling={}, seed=None),
    verdict="both_bad",
    reason="neither says when",
    edited="Tomorrow.",
)


def test_a_vote_comes_back_as_it_was_given(store: VoteStore) -> None:
    assert store.add(FULL)
    assert store.get(FULL.id) == FULL
    assert Vote.from_row(FULL.to_row()) == FULL


def test_a_vote_that_is_cast_twice_is_kept_once(store: VoteStore) -> None:
    assert store.add(FULL)
    assert not store.add(vote(5, verdict="right"))
    assert store.count() == 1
    assert store.get(FULL.id) == FULL


def test_an_unknown_id_is_no_vote(store: VoteStore) -> None:
    assert store.get(new_id()) is None


@pytest.mark.parametrize("id", ["", "a\0", "x" * 5000, "\ud800", "'"])
def test_what_is_no_id_is_refused_everywhere(store: VoteStore, id: str) -> None:
    for call in (store.get, store.history, store.withdraw, store.correct, lambda after: store.votes(after=after)):
        with pytest.raises(InputError):
            call(id)


def test_a_time_of_another_zone_is_kept_as_the_same_moment(store: VoteStore) -> None:
    there = datetime(2026, 3, 1, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    store.add(vote(1, time=there))
    kept = store.get(vote(1).id)
    assert kept is not None
    assert kept.time == there
    assert kept.time.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "\x01\x1b[31mred\x7f\x85\u202e right to left \ufffe",
        "emoji \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 and combining e\u0301",
        "'; DROP TABLE votes; -- %s :name {} \\ \"",
        "<script>alert(1)</script>\r\n\ttext",
        "ä" * MAX_ANSWER_CHARS,
    ],
    ids=["controls", "emoji", "sql", "markup", "a-million-letters"],
)
def test_hostile_text_comes_back_letter_for_letter(store: VoteStore, text: str) -> None:
    given = vote(1, left=answer(text), prompt=(("user", text),), edited=text, reason=text[:MAX_REASON_CHARS])
    store.add(given)
    assert store.get(given.id) == given


def test_any_text_without_nul_comes_back(store: VoteStore) -> None:
    letters = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(letters, letters)
    def comes_back(text: str, reason: str) -> None:
        cast = vote(1, id=new_id(), right=answer(text), reason=reason)
        store.add(cast)
        assert store.get(cast.id) == cast
        assert cast in store.votes(VoteFilter(contains=text), limit=1000)

    comes_back()


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_neither_skip_nor_repeat_while_votes_come_in(store: VoteStore, newest_first: bool) -> None:
    for number in range(25):  # all at the same moment: the id decides
        store.add(vote(number, time=START))
    seen: list[str] = []
    after = None
    passed = START + timedelta(seconds=1 if newest_first else -1)  # before the pages that were read
    while page := store.votes(limit=7, after=after, newest_first=newest_first):
        assert len(page) <= 7
        seen += [each.id for each in page]
        after = page[-1].id
        store.add(vote(100 + len(seen), time=passed))
        store.withdraw(after)  # the one that the next page begins after
    assert seen == sorted((vote(number).id for number in range(25)), reverse=newest_first)


def test_a_page_out_of_bounds_or_after_nothing_is_refused(store: VoteStore) -> None:
    for limit in (0, 1001):
        with pytest.raises(InputError):
            store.votes(limit=limit)
    with pytest.raises(InputError):
        store.votes(after=new_id())


def test_every_vote_is_read_across_pages(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.store.MAX_PAGE", 3)
    for number in range(8):
        store.add(vote(number))
    assert list(store.every()) == [vote(number) for number in range(8)]


def test_a_correction_keeps_what_was_said_before(store: VoteStore) -> None:
    store.add(FULL)
    first = store.correct(FULL.id, verdict="right", reason=None)
    assert (first.verdict, first.reason, first.edited) == ("right", None, "Tomorrow.")
    second = store.correct(FULL.id, edited="Soon.")
    assert store.get(FULL.id) == second
    assert [(old.verdict, old.reason, old.edited) for old in store.history(FULL.id)] == [
        ("both_bad", "neither says when", "Tomorrow."),
        ("right", None, "Tomorrow."),
    ]
    store.correct(FULL.id, edited="Soon.")
    assert len(store.history(FULL.id)) == 2


def test_a_correction_of_nothing_or_to_nonsense_is_refused(store: VoteStore) -> None:
    store.add(FULL)
    with pytest.raises(InputError, match="no vote"):
        store.correct(new_id(), verdict="tie")
    for changes in ({"verdict": "up"}, {"reason": "\0"}, {"edited": "\ud800"}):
        with pytest.raises(InputError):
            store.correct(FULL.id, **changes)  # type: ignore[arg-type]
    store.withdraw(FULL.id)
    with pytest.raises(InputError, match="withdrawn"):
        store.correct(FULL.id, verdict="tie")


def test_withdrawing_erases_the_texts_and_their_earlier_versions(store: VoteStore) -> None:
    store.add(FULL)
    store.correct(FULL.id, reason="said in haste")
    assert store.withdraw(FULL.id)
    assert not store.withdraw(FULL.id)
    kept = store.get(FULL.id)
    assert kept is not None
    assert (kept.withdrawn, kept.reason, kept.edited) == (True, None, None)
    assert [(old.reason, old.edited) for old in store.history(FULL.id)] == [(None, None)]
    assert store.count() == 0
    assert store.votes() == []
    assert not store.add(FULL)  # a repeated write brings nothing back
    with pytest.raises(InputError):
        store.withdraw(new_id())


def test_a_voter_withdraws_all_of_their_own_votes_and_no_other(store: VoteStore) -> None:
    for number in range(6):
        store.add(vote(number, voter="ann" if number % 2 else "bob", reason="mine"))
    store.withdraw(vote(1).id)
    assert store.withdraw_voter("ann") == 2
    assert store.withdraw_voter("ann") == 0
    assert store.withdraw_voter("nobody") == 0
    assert {each.voter for each in store.every()} == {"bob"}
    assert all(each.reason is None for each in store.votes(VoteFilter(withdrawn=True)))


def test_erased_texts_stand_nowhere_in_the_files_of_sqlite(tmp_path: Path) -> None:
    with open_votes(str(tmp_path / "votes.db")) as store:
        secret = "a text that must be gone " * 400
        store.add(vote(1, edited=secret, reason="the reason that must be gone"))
        store.correct(vote(1).id, reason="another that must be gone")
        assert any(b"must be gone" in path.read_bytes() for path in tmp_path.iterdir())
        store.withdraw(vote(1).id)
        assert not any(b"must be gone" in path.read_bytes() for path in tmp_path.iterdir())


def test_the_fingerprint_changes_with_every_change_and_with_nothing_else(store: VoteStore) -> None:
    seen = [store.fingerprint()]
    store.add(vote(1, reason="why"))
    seen.append(store.fingerprint())
    store.add(vote(2))
    seen.append(store.fingerprint())
    store.correct(vote(1).id, verdict="tie")
    seen.append(store.fingerprint())
    store.withdraw(vote(2).id)
    seen.append(store.fingerprint())
    assert len(set(seen)) == 5
    store.add(vote(2))
    store.withdraw(vote(2).id)
    store.correct(vote(1).id, verdict="tie")
    assert store.fingerprint() == seen[-1]


def test_many_threads_use_one_store(store: VoteStore) -> None:
    added: list[bool] = []

    def work(part: int) -> None:
        for number in range(10):
            added.append(store.add(vote(part // 2 * 10 + number)))  # two threads cast each vote
            store.votes(limit=3)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(added), len(added), store.count()) == (40, 80, 40)


def test_a_store_that_is_opened_again_has_its_votes(url: str) -> None:
    with open_votes(url) as store:
        store.add(FULL)
    with open_votes(url, create=False) as store:
        assert store.get(FULL.id) == FULL


def test_a_correction_says_who_and_when_and_marks_a_verdict_that_is_no_longer_the_blind_one(store: VoteStore) -> None:
    store.add(vote(1))
    begun = datetime.now(UTC)
    changed = store.correct(vote(1).id, verdict="right", by="v-steward")
    (earlier,) = changed.corrections
    assert (earlier.verdict, earlier.by) == ("left", "v-steward")
    assert begun <= earlier.until <= datetime.now(UTC)
    assert changed.unblind
    assert Vote.from_row(changed.to_row()) == changed
    assert not store.correct(vote(1).id, verdict="left").unblind
    store.add(vote(2))
    assert not store.correct(vote(2).id, reason="words only").unblind
    store.withdraw(vote(1).id, by=OPERATOR)
    kept = store.get(vote(1).id)
    assert kept is not None
    assert (kept.withdrawn_by, counts(kept), counts(kept, corrected=True)) == (OPERATOR, False, False)


def test_votes_of_a_voter_are_limited_by_the_minute_and_of_others_not(store: VoteStore) -> None:
    start = START.timestamp()
    for number, second in enumerate((0, 20, 40)):
        store.add(vote(number, time=datetime.fromtimestamp(start + second, UTC)), a_minute=3)
    late = vote(3, time=datetime.fromtimestamp(start + 59, UTC))
    with pytest.raises(InputError, match="more than 3 votes in a minute"):
        store.add(late, a_minute=3)
    assert not store.add(vote(2), a_minute=3)  # said again, not a new one
    assert store.add(replace(late, voter="another"), a_minute=3)
    assert store.add(vote(4, time=datetime.fromtimestamp(start + 61, UTC)), a_minute=3)
    assert store.count() == 5


def test_votes_are_added_together_or_not_at_all(store: VoteStore) -> None:
    given = [vote(1), store_vote := vote(2, left=answer(before=(("assistant", "One."), ("user", "And?"))))]
    assert store.add_all(given) == 2
    assert store.get(store_vote.id) == store_vote
    with pytest.raises(InputError):
        store.add_all([vote(3), vote(4, verdict="up")])
    assert store.add_all([*given, vote(5, corrections=(EarlierVersion("tie", "why", None, START, "v-x"),))]) == 1
    assert store.count() == 3
    assert [earlier.reason for earlier in store.history(vote(5).id)] == ["why"]


def test_changes_are_read_once_in_their_order(store: VoteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiebreak.votes.store.MAX_PAGE", 3)
    store.add_all(vote(number) for number in range(5))
    seen: list[str] = []
    after = None
    while page := store.changes(after):
        seen += [each.id for _, each in page]
        after = page[-1][0]
    assert seen == [vote(number).id for number in range(5)]
    store.add(vote(7, time=START - timedelta(days=1)))
    store.correct(vote(3).id, verdict="tie")
    store.withdraw(vote(0).id)
    assert [each.id for _, each in store.changes(after)] == [vote(7).id, vote(3).id, vote(0).id]
    assert store.models() == ["base", "tuned"]


@pytest.mark.parametrize(
    "before",
    [
        (("user", "u"), ("user", "v")),
        (("assistant", "a"),),
        (("assistant", "a"), ("robot", "u")),
        (("assistant", "\0"), ("user", "u")),
    ],
)
def test_turns_of_a_side_that_are_none_are_refused(store: VoteStore, before: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(InputError):
        store.add(vote(1, right=answer(before=before)))
