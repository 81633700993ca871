"""The Compare page without a browser: what is asked of it directly, by whoever does not use the buttons."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import gradio as gr
import pytest

from tests.serve.pages.engine_double import EngineDouble
from tiebreak.serve.pages.compare import ComparePage
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.settings import PageSettings
from tiebreak.votes import open_votes
from tiebreak.votes.store import VoteStore
from tiebreak.votes.voters import new_voter, voter_of

FOLD = (None, 0.7, 1.0, 40)
KEY = new_voter()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[VoteStore]:
    with open_votes(str(tmp_path / "votes.db")) as opened:
        yield opened


def _page(store: VoteStore, folder: Path, engine: EngineDouble | None = None, **settings: Any) -> ComparePage:
    with gr.Blocks():
        context = PageContext(engine or EngineDouble(), store, folder, PageSettings(**settings), Random(0))
        return ComparePage(context, gr.State(Session()), gr.BrowserState(None))


def _all(steps: AsyncGenerator[dict[Any, Any]]) -> dict[Any, Any]:
    """What the parts of the page hold at the end."""

    async def run() -> dict[Any, Any]:
        shown: dict[Any, Any] = {}
        async for step in steps:
            shown |= step
        return shown

    return asyncio.run(run())


def _ask(page: ComparePage, session: Session, text: str = "Hi", pairing: str = "chosen", fold: Any = FOLD) -> Any:
    return _all(page.ask(session, KEY, pairing, "tern-run", "tern-base", text, *fold))


def _vote(page: ComparePage, session: Session, verdict: Any = "left", key: Any = KEY) -> str:
    return str(asyncio.run(page.vote(session, verdict, key, None, None))[page.word])


def test_a_vote_again_after_it_was_withdrawn_is_refused_and_not_thanked_for(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path), Session()
    _ask(page, session)
    assert "Thank you" in _vote(page, session)
    assert "“left is better” is kept" in _vote(page, session, "right")  # the first one stands, and is what is said
    (kept,) = store.votes()
    store.withdraw(kept.id)
    again = _vote(page, session, "right")
    assert "Thank you" not in again
    assert "not kept" in again
    assert "withdrawn" in again
    assert store.count() == 0
    _ask(page, session)
    assert "Thank you" in _vote(page, session)
    assert store.count() == 1


def test_equal_answers_are_drawn_again_and_then_have_no_vote(store: VoteStore, tmp_path: Path) -> None:
    engine = EngineDouble()
    page, session = _page(store, tmp_path, engine), Session()
    engine.script["Hi"] = "always the same"
    shown = _ask(page, session)
    assert len(engine.requests) == 8
    assert len({request.seed for request in engine.requests}) == 8
    assert shown[page.ballot]["visible"] is False
    assert "the same" in shown[page.word]
    assert "not kept" in _vote(page, session)
    assert store.count() == 0
    engine.requests.clear()
    _ask(page, session, fold=(None, 0, 1.0, 40))  # greedy answers are the same each time
    assert len(engine.requests) == 2


def test_answers_that_differ_at_the_second_draw_are_voted_on(store: VoteStore, tmp_path: Path) -> None:
    class Twice(EngineDouble):
        def answer(self, request: Any) -> str:
            return "same" if len(self.requests) <= 2 else super().answer(request)

    page, session = _page(store, tmp_path, Twice()), Session()
    assert _ask(page, session)[page.ballot]["visible"] is True
    assert "Thank you" in _vote(page, session)


def test_a_seed_that_is_sent_along_is_not_used(store: VoteStore, tmp_path: Path) -> None:
    engine = EngineDouble()
    page = _page(store, tmp_path, engine)
    _ask(page, Session(), fold=(*FOLD, "7"))
    one, other = (request.seed for request in engine.requests)
    assert 7 not in (one, other)
    assert one != other


@pytest.mark.parametrize("pairing", ["uniform", "least-known"])
def test_a_pair_that_is_drawn_is_drawn_whatever_the_browser_asks_for(
    pairing: Any, store: VoteStore, tmp_path: Path
) -> None:
    engine = EngineDouble()
    page = _page(store, tmp_path, engine, pairing=pairing)
    assert not page.pairing.visible
    assert not any(part.visible for part in page.models)
    for number in range(12):
        _ask(page, Session(), f"Hi {number}")
    assert {request.model for request in engine.requests} == {"tern-run", "tern-base", "plover"}


def test_a_voter_may_have_the_pair_drawn(store: VoteStore, tmp_path: Path) -> None:
    engine = EngineDouble()
    page = _page(store, tmp_path, engine)
    for number in range(12):
        _ask(page, Session(), f"Hi {number}", "uniform")
    assert {request.model for request in engine.requests} == {"tern-run", "tern-base", "plover"}
    engine.requests.clear()
    _ask(page, Session(), "Hi", "nonsense")
    assert {request.model for request in engine.requests} == {"tern-run", "tern-base"}


def test_votes_are_limited_by_voter_and_said_in_a_sentence(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path, votes_per_minute=2), Session()
    said = []
    for number in range(3):
        _ask(page, session, f"Hi {number}")
        said.append(_vote(page, session))
    assert ["Thank you" in each for each in said] == [True, True, False]
    assert "more than 2 votes in a minute" in said[2]
    assert store.count() == 2
    assert "Thank you" in _vote(page, session, key=new_voter())


def test_keys_made_up_for_each_vote_do_not_escape_the_limit(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path, votes_per_minute=1), Session()
    for number in range(12):
        _ask(page, session, f"Hi {number}")
        said = _vote(page, session, key=None)
    assert "too many votes from this address" in said
    assert store.count() == 10


def test_the_name_of_a_voter_is_not_taken_for_the_voter(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path), Session()
    for key in (KEY, voter_of(KEY)):
        _ask(page, session, f"Hi {key}")
        _vote(page, session, key=key)
    mine, forged = store.votes()
    assert mine.voter == voter_of(KEY) != forged.voter


def test_a_conversation_goes_on_before_the_vote_and_after_it(store: VoteStore, tmp_path: Path) -> None:
    engine = EngineDouble()
    page, session = _page(store, tmp_path, engine), Session()
    assert "no two answers" in _all(page.go_on(session, KEY, "And?"))[page.word]
    _ask(page, session)
    assert "no message" in _all(page.go_on(session, KEY, " "))[page.word]
    _all(page.go_on(session, KEY, "And?"))
    assert "Thank you" in _vote(page, session)
    (kept,) = store.votes()
    assert [turn[0] for turn in kept.left.turns] == ["assistant", "user", "assistant"]
    shown = _all(page.go_on(session, KEY, "More?"))
    assert "tern" not in shown[page.answers]
    assert shown[page.ballot]["visible"] is True
    assert len({tuple(turn.content for turn in request.turns) for request in engine.requests[-2:]}) == 1
    assert "Thank you" in _vote(page, session, "tie")
    assert store.count() == 2


def test_a_conversation_ends_at_the_most_turns(store: VoteStore, tmp_path: Path) -> None:
    page, session = _page(store, tmp_path, max_turns=3), Session()
    _ask(page, session)
    _all(page.go_on(session, KEY, "And?"))
    assert "too long" in _all(page.go_on(session, KEY, "And?"))[page.word]


def test_the_prompts_of_a_file_come_one_after_the_other(store: VoteStore, tmp_path: Path) -> None:
    engine = EngineDouble()
    page = _page(store, tmp_path, engine, prompts=tuple((("user", f"P{n}"),) for n in range(2)))
    session = Session()
    for number in range(2):
        _all(page.ask_next(session, KEY, "chosen", "tern-run", "tern-base", *FOLD))
        assert engine.requests[-1].turns[-1].content == f"P{number}"
        _vote(page, session)
        assert f"{number + 1} of 2 prompts" in page.agenda.html(KEY)
    done = _all(page.ask_next(session, KEY, "chosen", "tern-run", "tern-base", *FOLD))
    assert "voted on all prompts" in done[page.word]
