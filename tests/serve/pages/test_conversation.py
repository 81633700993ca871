"""Conversations go to the browser and come back the same; what is none is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serve.pages.engine_double import BASE, OTHER, RUN
from tests.serve.pages.reading import Read
from tiebreak.errors import InputError
from tiebreak.serve.pages.context import Exchange
from tiebreak.serve.pages.conversation import kept_html, new_id, restored
from tiebreak.serve.pages.streaming import Draft

ID = "abcdefgh1234"
_TEXTS = st.text().map(lambda text: text.replace("\0", "").replace("\r", ""))


def _back(kept: object, *, turns: int = 10, chars: int = 10_000) -> tuple[str, str, list[Exchange]]:
    return restored(kept, [RUN, BASE], turns=turns, chars=chars)


def _kept(*exchanges: Exchange, system: str = "") -> str:
    return _text(kept_html(ID, system, exchanges))


def _text(html: str) -> str:
    return dict(Read(html).attributes)["data-kept"] or ""


@given(_TEXTS, _TEXTS, _TEXTS)
def test_a_conversation_comes_back_as_it_was(question: str, answer: str, system: str) -> None:
    exchanges = [
        Exchange(question, RUN, Draft(answer, True, "stop")),
        Exchange("Two", RUN, Draft("after", True, "length"), BASE, Draft("before", True, None, error="Busy.")),
    ]
    kept = kept_html(ID, system, exchanges)
    assert Read(kept).tags == ["div"]
    assert _back(_text(kept)) == (ID, system, exchanges)


def test_a_model_that_is_no_longer_served_keeps_its_name() -> None:
    _, _, (exchange,) = _back(_kept(Exchange("One", OTHER, Draft("answer", True, "stop"))))
    assert (exchange.model.name, exchange.model.title) == ("plover", "Plover")


def test_an_answer_that_was_cut_off_counts_as_stopped() -> None:
    _, _, (exchange,) = _back(_kept(Exchange("One", RUN, Draft("half an ans"))))
    assert exchange.answer.done
    assert exchange.answer.finish is None


@pytest.mark.parametrize(
    "kept",
    [
        None,
        7,
        {"id": ID, "exchanges": []},
        "",
        "{",
        "[]",
        '{"id": "../../etc", "exchanges": []}',
        f'{{"id": "{ID}"}}',
        f'{{"id": "{ID}", "exchanges": [{{"question": 3}}]}}',
        f'{{"id": "{ID}", "exchanges": [{{"question": "x", "answer": {{"model": "m", "title": "t"}}}}]}}',
        f'{{"id": "{ID}", "exchanges": [{{"question": "x", "answer": {{"model": "m", "title": "t", "text": "x", '
        '"finish": "soon"}}]}}',
        json.dumps(
            {"id": ID, "exchanges": [{"question": "x" * 300_000, "answer": {"model": "", "title": "", "text": ""}}]}
        ),
    ],
)
def test_what_is_no_conversation_is_refused(kept: object) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        _back(kept)


def test_a_conversation_too_long_for_the_server_is_refused() -> None:
    two = _kept(Exchange("One", RUN), Exchange("Two", RUN))
    with pytest.raises(InputError, match="too long"):
        _back(two, turns=1)
    with pytest.raises(InputError, match="too long"):
        _back(two, chars=2)
    with pytest.raises(InputError, match="too long"):
        _back(_kept(Exchange("a", RUN), system="long"), chars=2)


def test_every_conversation_has_an_id_of_its_own_that_comes_back() -> None:
    ids = {new_id() for _ in range(50)}
    assert len(ids) == 50
    for id in ids:
        assert _back(_text(kept_html(id, "", [])))[0] == id
