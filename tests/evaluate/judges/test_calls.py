"""What a server may do instead of answering: a sentence each, and another try where that may help."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any

import pytest

from tests.evaluate.judges.openai_server import Answered, failure, openai_server, said, verdict
from tiebreak.errors import InputError, RunError
from tiebreak.evaluate.judges.calls import Endpoint, Reply, check_endpoint
from tiebreak.recipe.judge import OpenAISection

pytest.importorskip("openai", reason='pip install "tiebreak[judge]"')

ASKED = [{"role": "user", "content": "{}"}]
Answers = Callable[[Mapping[str, Any]], Answered]


def endpoint(url: str, **settings: Any) -> Endpoint:
    """A client of that address which does not try for long."""
    return Endpoint(
        OpenAISection(**{"model": "m", "base_url": url, "retries": 1, "timeout": 5.0, **settings}), "--judge"
    )


def in_turn(*answers: Answered) -> Answers:
    """Answers one after the other; the last one from then on."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_a_failure_that_may_pass_is_tried_again() -> None:
    for first in (failure(500, "oops"), failure(503, "busy"), failure(429, "slow", headers={"Retry-After": "0"})):
        with openai_server(in_turn(first, verdict("B"))) as server:
            assert endpoint(server.url).ask(ASKED) == Reply("B")
            assert len(server.requests) == 2


@pytest.mark.parametrize("told", ["0.4", "date"])
def test_a_rate_limit_is_waited_for_as_long_as_the_server_says(told: str) -> None:
    header = formatdate(time.time() + 2, usegmt=True) if told == "date" else told
    limited = failure(429, "slow down", headers={"Retry-After": header})
    with openai_server(in_turn(limited, verdict("A"))) as server:
        began = time.monotonic()
        assert endpoint(server.url).ask(ASKED) == Reply("A")
        assert 0.35 < time.monotonic() - began < 3


def test_a_wait_of_an_hour_ends_it() -> None:
    with (
        openai_server(lambda request: failure(429, "no", headers={"Retry-After": "3600"})) as server,
        pytest.raises(RunError, match=r"asks to wait 3,600 seconds"),
    ):
        endpoint(server.url).ask(ASKED)


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (failure(401, "Incorrect API key provided: the-secret."), InputError, r"refuses the key \(401\)"),
        (failure(404, "The model m does not exist"), InputError, "does not know 'm'"),
        (failure(429, "quota", code="insufficient_quota"), RunError, "is used up: quota"),
        (failure(400, "nothing is right"), InputError, r"refuses the request \(400\): nothing is right"),
        (failure(429, "slow", headers={"Retry-After": "0"}), RunError, "limits its rate, 2 times"),
        (Answered("<html>", 502), RunError, "answers 502, 2 times"),
    ],
)
def test_each_refusal_is_a_sentence_without_the_key(
    answer: Answered, kind: type[Exception], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINE", "the-secret")
    with openai_server(lambda request: answer) as server, pytest.raises(kind, match=sentence) as caught:
        endpoint(server.url, api_key_env="MINE").ask(ASKED)
    assert "the-secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_server_that_is_not_there_and_one_that_is_slow() -> None:
    with openai_server() as server:
        gone = server.url
    with pytest.raises(RunError, match="cannot be reached, 1 times"):
        endpoint(gone, retries=0).ask(ASKED)
    slow = Answered(verdict("A").body, seconds=0.5)
    with (
        openai_server(lambda request: slow) as server,
        pytest.raises(RunError, match=r"not answer within 0\.1 seconds"),
    ):
        endpoint(server.url, timeout=0.1, retries=0).ask(ASKED)


@pytest.mark.parametrize(
    "refused", ["response_format", "max_tokens", "temperature"], ids=["no schema", "other limit", "no temperature"]
)
def test_a_server_that_takes_another_form_of_request_is_asked_in_that(refused: str) -> None:
    def answer(request: Mapping[str, Any]) -> Answered:
        return failure(400, f"{refused} is not supported") if refused in request else verdict("tie")

    with openai_server(answer) as server:
        client = endpoint(server.url)
        assert client.ask(ASKED) == Reply("tie")
        count = len(server.requests)
        assert client.ask(ASKED) == Reply("tie")
        assert len(server.requests) == count + 1


def test_a_prompt_that_is_too_long_costs_one_comparison() -> None:
    too_long = failure(400, "This model's maximum context length is 8 tokens", code="context_length_exceeded")
    with openai_server(in_turn(too_long, verdict("A"))) as server:
        client = endpoint(server.url)
        assert client.ask(ASKED) == Reply(None, "the answers are longer than the judge takes")
        assert client.ask(ASKED) == Reply("A")


def test_nonsense_is_asked_again_once_and_ends_it_where_there_is_nothing_else() -> None:
    with openai_server(in_turn(said("I like A"), verdict("A"))) as server:
        assert endpoint(server.url).ask(ASKED) == Reply("A")
    for each in (said('{"verdict": "C"}'), Answered({"object": "list", "data": []})):
        with openai_server(in_turn(each)) as server:
            client = endpoint(server.url)
            for _ in range(9):
                reply = client.ask(ASKED)
                assert (reply.choice, reply.keep) == (None, False)
            with pytest.raises(RunError, match="no verdict in its first 10 replies"):
                client.ask(ASKED)


def test_a_reply_that_is_no_json_at_all_is_a_failure() -> None:
    broken = Answered("{", headers={"Content-Type": "application/json"})
    with openai_server(lambda request: broken) as server, pytest.raises(RunError, match="gives no JSON, 1 times"):
        endpoint(server.url, retries=0).ask(ASKED)
    pages: tuple[Any, ...] = (
        Answered("<html>Welcome</html>", headers={"Content-Type": "text/html"}),
        Answered({"choices": ["A"]}),
        Answered({"choices": [{"message": None}]}),
        Answered({"choices": [{"message": {"content": ["A"]}}]}),
        Answered([1]),
    )
    for page in pages:
        with openai_server(in_turn(page)) as server:
            assert endpoint(server.url).ask(ASKED) == Reply(None, "the reply is empty", keep=False)


def test_whoever_waits_is_ended() -> None:
    limited = failure(429, "wait", headers={"Retry-After": "60"})
    with openai_server(lambda request: limited) as server:
        client = endpoint(server.url)
        found: list[BaseException] = []

        def ask() -> None:
            try:
                client.ask(ASKED)
            except RunError as error:
                found.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        client.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert len(found) == 1


def test_a_key_that_is_not_there_is_said_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(InputError, match="OPENAI_API_KEY is not set"):
        check_endpoint(OpenAISection(model="m"), "--judge")
    with pytest.raises(InputError, match="MINE is not set"):
        check_endpoint(OpenAISection(model="m", base_url="http://here/v1", api_key_env="MINE"), "--judge")
    assert check_endpoint(OpenAISection(model="m", base_url="http://here/v1"), "--judge") == "none"
