"""The Data page without a browser: what arrives late does not win."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import gradio as gr
import pytest

from tests.serve.pages.engine_double import EngineDouble
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.data import DataPage
from tiebreak.serve.settings import PageSettings
from tiebreak.votes import Answer, Vote, open_votes
from tiebreak.votes.vote import new_id
from tiebreak.votes.voters import stewards_of, voter_of

ANY = ("", "", "", False)


STEWARD, OWNER, STRANGER = "the-steward-key", "the-owner-key", "a-strangers-key"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[DataPage]:
    with open_votes(str(tmp_path / "votes.db")) as votes, gr.Blocks():
        context = PageContext(
            EngineDouble(), votes, tmp_path, PageSettings(stewards=stewards_of((STEWARD,))), Random(0)
        )
        yield DataPage(context, gr.State(Session()), gr.BrowserState(None), votes)


def _kept(page: DataPage) -> Vote:
    answer = Answer("An answer.", "plover", "c2", {}, 1)
    name = voter_of(OWNER)
    vote = Vote(new_id(), (("user", "Hi"),), answer, answer, "tie", None, None, name, datetime.now(UTC))
    page.store.add(vote)
    return vote


def _save(page: DataPage, id: str, key: object, verdict: str = "left") -> str:
    """Choose a vote and save another verdict, as a request does that knows its id; gives what the page says."""
    return str(page.save(Session(chosen=id), key, *ANY, verdict, "", "")[1])


@pytest.mark.parametrize("key", [STRANGER, None, voter_of(OWNER), voter_of(STEWARD), "' OR 1=1", {"a": 1}, OWNER + "x"])
def test_nobody_changes_a_vote_of_somebody_else_whatever_key_is_sent(page: DataPage, key: object) -> None:
    vote = _kept(page)
    assert "Only who voted, or a steward" in _save(page, vote.id, key)
    assert "Only who voted, or a steward" in str(page.withdraw(Session(chosen=vote.id), key, *ANY)[1])
    assert "vote is withdrawn" not in str(page.withdraw_all(Session(), key, *ANY, key)[1])
    assert page.store.get(vote.id) == vote
    assert "data-pick" not in page.first(Session(), key, *ANY)[0]


@pytest.mark.parametrize("key", [OWNER, STEWARD])
def test_the_owner_and_a_steward_correct_and_withdraw_and_it_is_said_who_did(page: DataPage, key: str) -> None:
    vote = _kept(page)
    assert "data-pick" in page.first(Session(), key, *ANY)[0]
    assert "The vote is corrected." in _save(page, vote.id, key)
    kept = page.store.get(vote.id)
    assert kept is not None
    assert [earlier.by for earlier in kept.corrections] == [voter_of(key)]
    shown = page.first(Session(), STRANGER, *ANY)[0]
    assert "not in scores" in shown
    assert ("its voter" if key == OWNER else voter_of(STEWARD)) in shown
    assert key not in shown
    page.withdraw(Session(chosen=vote.id), key, *ANY)
    gone = page.store.get(vote.id)
    assert gone is not None
    assert (gone.withdrawn, gone.withdrawn_by) == (True, voter_of(key))


def test_a_browser_takes_another_key_but_no_name(page: DataPage) -> None:
    found = page.use_key(Session(), STRANGER, *ANY, f" {STEWARD} ")
    assert found[0] == STEWARD
    assert "You may correct all votes." in found[1]
    assert page.use_key(Session(), STRANGER, *ANY, voter_of(STEWARD))[0] == gr.skip()


def test_an_older_question_that_arrives_later_changes_nothing(page: DataPage) -> None:
    _kept(page)
    session = Session()
    shown = page.filter(session, None, "", "tie", "", False, 200.0)
    assert "An answer." in shown[0]
    assert page.filter(session, None, "", "left", "", False, 100.0) == (gr.skip(),) * 3
    assert "No votes here." in page.filter(session, None, "", "left", "", False, 300.0)[0]


def test_a_browser_that_does_not_say_when_it_asked_is_answered(page: DataPage) -> None:
    assert "No votes here." in page.filter(Session(), None, *ANY, None)[0]
