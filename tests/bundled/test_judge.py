import pytest

from tests.bundled.judged_by_hand import BAD, GOOD
from tiebreak.bundled.judge import judge
from tiebreak.data.preference import Message


def ask(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


@pytest.mark.parametrize(("request_text", "answer"), GOOD)
def test_good_answers_pass(request_text: str, answer: str) -> None:
    verdict = judge(ask(request_text), answer)
    assert verdict.passed, verdict.reasons
    assert verdict.reasons == ()


@pytest.mark.parametrize(("request_text", "answer", "reason"), BAD)
def test_bad_answers_fail_for_the_right_reason(request_text: str, answer: str, reason: str) -> None:
    verdict = judge(ask(request_text), answer)
    assert not verdict.passed
    assert reason in verdict.reasons


def test_the_last_user_turn_counts() -> None:
    prompt = (
        Message("system", "You know every capital."),
        Message("user", "What is the capital of Spain?"),
        Message("assistant", "It is Madrid."),
        Message("user", "What is the capital of France?"),
    )
    assert judge(prompt, "It is Paris.").passed
    assert not judge(prompt, "It is Madrid.").passed


def test_two_faults_give_two_reasons() -> None:
    verdict = judge(ask("What is 3 plus 4?"), "8, obviously.")
    assert set(verdict.reasons) == {"wrong number", "rude"}


def test_a_prompt_without_a_user_turn_cannot_pass() -> None:
    assert judge((Message("system", "Be kind."),), "Hello!").reasons == ("request not understood",)
