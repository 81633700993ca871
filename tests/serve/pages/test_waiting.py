"""Open comparisons on the Compare page, without a browser: offered blind, voted on once, and nothing is generated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import gradio as gr
import pytest

from tests.serve.pages.engine_double import EngineDouble
from tests.serve.pages.test_compare import FOLD
from tests.votes.made import EVALUATION, answer, answering, asked
from tiebreak.serve.pages.blind import standing_comparison, vote_on
from tiebreak.serve.pages.compare import ComparePage
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.waiting import waiting_html
from tiebreak.serve.settings import PageSettings
from tiebreak.votes import open_votes
from tiebreak.votes.checks import check_vote
from tiebreak.votes.open_comparison import points_for, votes_that_count
from tiebreak.votes.open_comparisons import Waiting
from tiebreak.votes.store import VoteStore
from tiebreak.votes.voters import new_voter, voter_of

KEY = new_voter()
SECRET = ("tuned", "base", EVALUATION, asked(0).id, asked(1).id)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VoteStore]:
    with open_votes(str(tmp_path / "votes.db")) as opened:
        opened.open_comparisons.add_all([asked(0), asked(1)])
        yield opened


def _page(
    store: VoteStore | None, folder: Path, engine: EngineDouble | None = None, seed: int = 0, **settings: Any
) -> ComparePage:
    with gr.Blocks():
        context = PageContext(engine or EngineDouble(), store, folder, PageSettings(**settings), Random(seed))
        return ComparePage(context, gr.State(Session()), gr.BrowserState(None))


def _show(page: ComparePage, session: Session, key: Any = KEY) -> dict[Any, Any]:
    return asyncio.run(page.show_waiting(session, key))


def _vote(page: ComparePage, session: Session, verdict: Any = "left", key: Any = KEY) -> dict[Any, Any]:
    return asyncio.run(page.vote(session, verdict, key, "because", None))


def _said(shown: dict[Any, Any]) -> str:
    return json.dumps([str(value) for value in shown.values()])


def test_a_comparison_is_shown_blind_voted_on_and_linked_and_nothing_is_generated(
    store: VoteStore, tmp_path: Path
) -> None:
    engine = EngineDouble()
    page, session = _page(store, tmp_path, engine), Session()
    opened = page.open(session, KEY)
    assert opened[page.waiting.row]["visible"] is True
    assert (
        "2 comparisons from evaluations wait for your vote; nobody has voted on them yet." in opened[page.waiting.words]
    )
    shown = _show(page, session)
    assert shown[page.ballot]["visible"] is True
    assert shown[page.on]["visible"] is False
    assert "It is Tuesday." in shown[page.answers]
    assert [secret for secret in SECRET if secret in _said(opened) + _said(shown)] == []
    voted = _vote(page, session, "right")
    assert "Thank you" in voted[page.word]
    assert "tuned" in voted[page.answers]
    assert "1 comparison from evaluations waits for your vote" in voted[page.waiting.words]
    (kept,) = store.votes()
    check_vote(kept)
    assert kept.comparison in (asked(0).id, asked(1).id)
    assert (kept.verdict, kept.reason, kept.voter) == ("right", "because", voter_of(KEY))
    assert {(side.text, side.model, side.fingerprint) for side in (kept.left, kept.right)} == {
        ("It is Tuesday.", "tuned", "tuned-1"),
        ("I do not know.", "base", "base-1"),
    }
    assert engine.requests == []


def test_which_answer_stands_left_is_drawn_at_each_showing_and_the_verdict_follows_the_answer() -> None:
    draws, left = Random(0), []
    for number in range(400):
        shown = standing_comparison(asked(), draws)
        assert shown.left is not None
        left.append(shown.left.model)
        vote = vote_on(shown, "left", "", "", f"voter-{number}")
        better = points_for(asked().first, votes_that_count(asked(), [vote]))
        assert better == float(shown.left.model == "tuned")
        assert [draft.text for draft in shown.drafts] == [vote.left.text, vote.right.text]
    assert 160 < left.count("tuned") < 240


def test_a_voter_is_not_shown_again_what_they_voted_on_also_after_it_was_withdrawn(
    store: VoteStore, tmp_path: Path
) -> None:
    page, session = _page(store, tmp_path), Session()
    for _ in range(2):
        _show(page, session)
        assert "Thank you" in _vote(page, session)[page.word]
    assert store.count() == 2
    done = _show(page, Session())
    assert "No comparison waits for your vote" in done[page.word]
    assert page.answers not in done
    store.withdraw(store.votes()[0].id)
    assert "No comparison waits" in _show(page, Session())[page.word]
    assert "not kept" in _vote(page, Session())[page.word]
    assert page.open(Session(), KEY)[page.waiting.row]["visible"] is False
    other = page.open(Session(), new_voter())
    assert "nobody has voted on 1 of them yet" in other[page.waiting.words]


def test_two_windows_of_one_voter_give_one_vote_and_both_show_what_was_kept(store: VoteStore, tmp_path: Path) -> None:
    store.open_comparisons.close(EVALUATION)
    store.open_comparisons.add_all([asked(0)])
    first, second = Session(), Session()
    pages = [_page(store, tmp_path, seed=seed) for seed in range(8)]
    _show(pages[0], first)
    assert first.comparison is not None
    for page in pages:  # until the sides are the other way round
        second = Session()
        _show(page, second)
        assert second.comparison is not None
        if second.comparison.left != first.comparison.left:
            break
    assert second.comparison is not None
    assert second.comparison.left == first.comparison.right
    _vote(pages[0], first, "left")
    late = _vote(page, second, "left")
    (kept,) = store.votes()
    assert "“left is better” is kept" in late[page.word]
    assert f"Left was {kept.left.model}," in late[page.word]
    assert second.comparison.left == kept.left
    text = late[page.answers]
    assert text.index(kept.left.text) < text.index(kept.right.text)


def test_going_past_one_shows_the_other(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path), Session()
    seen = []
    for _ in range(4):
        _show(page, session)
        assert session.comparison is not None
        seen.append(session.comparison.open)
    assert seen[0] != seen[1]
    assert seen[2] != seen[3]
    assert store.count() == 0


def test_there_is_no_going_on_from_standing_answers_and_own_prompts_work_as_before(
    store: VoteStore, tmp_path: Path
) -> None:
    async def last(steps: Any) -> dict[Any, Any]:
        shown: dict[Any, Any] = {}
        async for step in steps:
            shown |= step
        return shown

    engine = EngineDouble()
    page, session = _page(store, tmp_path, engine), Session()
    _show(page, session)
    refused = asyncio.run(last(page.go_on(session, KEY, "And?")))
    assert "go on no further" in refused[page.word]
    assert engine.requests == []
    asyncio.run(last(page.ask(session, KEY, "chosen", "tern-run", "tern-base", "Hi", *FOLD)))
    assert len(engine.requests) == 2
    assert "Thank you" in _vote(page, session)[page.word]
    (kept,) = store.votes()
    assert kept.comparison is None
    assert store.open_comparisons.waiting(voter_of(KEY)) == Waiting(2, 2)


def test_while_answers_are_being_written_nothing_else_is_shown(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path), Session()
    session.compare_stop = asyncio.Event()
    assert "still being written" in _show(page, session)[page.word]
    assert session.comparison is None


def test_the_whole_prompt_is_shown_as_text(store: VoteStore, tmp_path: Path) -> None:
    store.open_comparisons.close(EVALUATION)
    prompt = (
        ("system", "Be <brief>."),
        ("user", "Hi"),
        ("assistant", "Hello *there*."),
        ("user", "line\n" * 200 + "<b>"),
    )
    hostile = answer("<script>alert(1)</script>", "tuned")
    store.open_comparisons.add_all([asked(prompt=prompt, first=hostile)])
    page, session = _page(store, tmp_path), Session()
    text = _show(page, session)[page.answers]
    assert "Be &lt;brief&gt;." in text
    assert "Hello <em>there</em>." in text
    assert text.count("line\n") == 200
    assert "&lt;b&gt;" in text
    assert "<script" not in text


def test_a_vote_limit_holds_here_too(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path, votes_per_minute=1), Session()
    _show(page, session)
    _vote(page, session)
    _show(page, session)
    assert "more than 1 votes in a minute" in _vote(page, session)[page.word]
    assert store.count() == 1


def test_where_no_votes_are_kept_or_can_be_read_nothing_waits(
    store: VoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiebreak.errors import RunError

    page = _page(None, tmp_path)
    assert page.open(Session(), KEY)[page.waiting.row]["visible"] is False
    assert "No comparison waits" in _show(page, Session())[page.word]

    def lost(*_: object) -> None:
        raise RunError("The connection was lost.")

    page = _page(store, tmp_path)
    monkeypatch.setattr(store.open_comparisons, "waiting", lost)
    monkeypatch.setattr(store.open_comparisons, "next", lost)
    assert page.open(Session(), KEY)[page.waiting.row]["visible"] is False
    assert "The connection was lost." in _show(page, Session())[page.word]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Waiting(0, 0), ""),
        (Waiting(1, 1), "1 comparison from evaluations waits for your vote; nobody has voted on it yet."),
        (Waiting(1, 0), "1 comparison from evaluations waits for your vote; others have voted on it."),
        (Waiting(1200, 1200), "1,200 comparisons from evaluations wait for your vote; nobody has voted on them yet."),
        (Waiting(3, 1), "3 comparisons from evaluations wait for your vote; nobody has voted on 1 of them yet."),
        (Waiting(3, 0), "3 comparisons from evaluations wait for your vote; others have voted on all of them."),
    ],
)
def test_the_line_says_how_many_wait(found: Waiting, says: str) -> None:
    text = waiting_html(found)
    assert says in text
    assert bool(text) == bool(says)


def test_votes_of_others_come_after_what_nobody_has_answered(store: VoteStore, tmp_path: Path) -> None:
    store.add(answering(asked(0), "left", "bob"))
    page = _page(store, tmp_path)
    for _ in range(5):
        session = Session()
        _show(page, session)
        assert session.comparison is not None
        assert session.comparison.open == asked(1).id
