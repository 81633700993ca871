"""What the page says of a training."""

from __future__ import annotations

import pytest

from tests.serve.pages.reading import Read
from tiebreak.serve.pages.train import training_html
from tiebreak.serve.pages.trainings import State


def test_before_the_first_training_nothing_is_said() -> None:
    assert training_html(State()) == ""


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State("a", True, "running", "reading"), "“a” is being trained. reading"),
        (State("a", False, "finished"), "“a” is trained."),
        (State("a", False, "interrupted"), "“a” was stopped."),
        (State("a", False, "refused", "No file."), "“a” could not begin. No file."),
        (State("a", False, "failed", "No memory."), "“a” ended before its end. No memory."),
        (State("a", False, "killed", "SIGKILL."), "“a” ended before its end. SIGKILL."),
    ],
)
def test_each_end_has_its_sentence_and_its_reason(state: State, words: str) -> None:
    assert Read(training_html(state)).text.startswith(words)


def test_what_a_process_said_stays_text() -> None:
    assert Read(training_html(State("a", False, "failed", "<img src=x onerror=1>"))).tags == ["p"]
