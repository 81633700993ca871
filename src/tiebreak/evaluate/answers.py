"""What answers are like, whatever they say: how long they are, and how much of them is said again."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.runs.outcome import AnswerStats


def repetition(answer: str, *, words: int = 3) -> float:
    """The share of an answer's runs of so many words that stood in it before: 0 in ordinary prose, near 1 in a loop."""
    said = answer.split()
    runs = list(zip(*(said[i:] for i in range(words)), strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def answer_stats(answers: Sequence[str], tokens: Sequence[int]) -> AnswerStats:
    """Means over answers.

    Args:
        answers: at least one.
        tokens: how many each has.
    """
    return AnswerStats(
        tokens=sum(tokens) / len(answers), repetition=sum(repetition(answer) for answer in answers) / len(answers)
    )
