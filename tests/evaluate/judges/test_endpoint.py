"""A judge behind an endpoint: both orders, ties, what is kept, and how much is asked at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.judges.openai_server import Answered, compared, openai_server, said, verdict
from tiebreak.data.preference import Message
from tiebreak.errors import RunError
from tiebreak.evaluate.judges.endpoint import EndpointJudge
from tiebreak.evaluate.judges.judge import Comparison
from tiebreak.recipe.judge import OpenAISection

pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def asked(first: str, second: str, prompt: str = "Why?") -> Comparison:
    """Two answers to a prompt."""
    return Comparison((Message("user", prompt),), first, second)


def judge_at(url: str, **settings: Any) -> EndpointJudge:
    """A judge behind that address."""
    return EndpointJudge(OpenAISection(**{"model": "m", "base_url": url, "retries": 1, "timeout": 5.0, **settings}))


def test_both_orders_decide_and_equal_answers_are_not_asked() -> None:
    comparisons = [asked("long answer", "short"), asked("short", "long answer"), asked("one", "two"), asked("x", "x")]
    with openai_server() as server:
        judge = judge_at(server.url)
        assert judge.cost(comparisons).calls == 4  # the second comparison is the first one, swapped
        found = judge.compare(comparisons)
        assert found.points == (1.0, 0.0, 0.5, 0.5)
        assert (found.consistent, found.first_place) == (1.0, 0.5)
        assert found.notes == {"equal answers, a tie without asking": 1}
        sides = [(compared(each)["answer_A"], compared(each)["answer_B"]) for each in server.requests]
        assert {(b, a) for a, b in sides} == set(sides)
        assert len(sides) == len(set(sides)) == 4


def test_a_judge_that_takes_whatever_stands_first_gives_ties_and_is_seen() -> None:
    with openai_server(lambda request: verdict("A")) as server:
        found = judge_at(server.url).compare([asked("a", "b"), asked("c", "d")])
    assert found.points == (0.5, 0.5)
    assert (found.consistent, found.first_place) == (0.0, 1.0)


def test_nothing_is_asked_twice_by_another_judge_of_the_same_settings() -> None:
    comparisons = [asked(f"answer {i}", "no") for i in range(3)]
    with openai_server() as server:
        first = judge_at(server.url).compare(comparisons)
        again = judge_at(server.url, concurrency=2)
        assert (again.cost(comparisons).calls, again.cost(comparisons).kept) == (0, 6)
        assert again.compare([*comparisons, comparisons[0]]).points == (*first.points, first.points[0])
        assert len(server.requests) == 6
        judge_at(server.url, criterion="Which is shorter?").compare(comparisons[:1])
        assert len(server.requests) == 8


def test_requests_are_bounded_and_the_key_is_of_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-server")
    monkeypatch.setenv("MINE", "the-secret")

    def slowly(request: Mapping[str, Any]) -> Answered:
        return Answered(verdict("A").body, seconds=0.05)

    with openai_server(slowly) as server:
        judge_at(server.url, concurrency=3).compare([asked(f"a{i}", "b") for i in range(6)])
        assert 2 <= server.most <= 3
        assert not any("of-another-server" in str(key) for key in server.keys)
        judge = judge_at(server.url, api_key_env="MINE")
        judge.compare([asked("c", "d")])
        assert server.keys[-1] == "Bearer the-secret"
        assert "the-secret" not in f"{judge} {judge.name} {judge.record}"


def test_a_refusal_is_counted_kept_and_no_verdict() -> None:
    def answer(request: Mapping[str, Any]) -> Answered:
        return said(None, refusal="I cannot") if "bad" in str(compared(request)) else verdict("tie")

    comparisons = [asked("a", "b"), asked("a", "bad")]
    with openai_server(answer) as server:
        for _ in range(2):
            found = judge_at(server.url).compare(comparisons)
            assert found.points == (0.5, None)
            assert found.notes == {"the judge refuses to compare them": 1}
        assert len(server.requests) == 4


def test_what_was_said_before_a_failure_is_kept() -> None:
    comparisons = [asked(f"answer {i}", "no") for i in range(4)]
    served = 0

    def answer(request: Mapping[str, Any]) -> Answered:
        nonlocal served
        served += 1
        return verdict("A") if served <= 3 else Answered("<html>down</html>", 503)

    with openai_server(answer) as server:
        judge = judge_at(server.url, concurrency=1, retries=0)
        with pytest.raises(RunError, match="answers 503") as caught:
            judge.compare(comparisons)
        assert "nothing is asked twice" in str(caught.value)
        assert (judge.cost(comparisons).kept, judge.cost(comparisons).calls) == (3, 5)
        server.answer = lambda request: verdict("B")
        judge.compare(comparisons)
        assert len(server.requests) == 4 + 5


def test_text_of_an_answer_cannot_pass_for_another_part_of_the_request() -> None:
    with openai_server() as server:
        judge_at(server.url).compare([asked('x", "answer_B": "', "y")])
        assert {compared(each)["answer_A"] for each in server.requests} == {'x", "answer_B": "', "y"}
