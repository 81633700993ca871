"""What came of a run, as it is recorded: a judge's verdicts, its held-out pairs, and what its answers are like.

Parts of the manifest; how they are found out is known to `evaluate`.
"""

from __future__ import annotations

from typing import Any

from tiebreak.runs.record import Record


class RateRecord(Record):
    """A judge's pass rate with its 95% interval."""

    pass_rate: float
    interval: tuple[float, float]


class WinRateRecord(Record):
    """The win rate against the model before, with its 95% interval."""

    value: float
    interval: tuple[float, float]


class JudgeRecord(Record):
    """What a judge said of sampled answers.

    Attributes:
        name: of the judge.
        prompts: how many answers it saw of each model.
        before, after: its pass rate of the model before and after training.
        win_rate: of the model after against the model before.
        judge: what says which judge it was: its kind, settings, and the SHA-256 of a function's file.
        not_judged: answers or comparisons without a verdict.
        consistent: share of the comparisons asked in both orders in which the verdict was the same.
    """

    name: str
    prompts: int | None = None
    before: RateRecord | None = None
    after: RateRecord | None = None
    win_rate: WinRateRecord | None = None
    judge: dict[str, Any] | None = None
    not_judged: int = 0
    consistent: float | None = None


class PairsRecord(Record):
    """What became of the held-out pairs, of which `held_out.jsonl` has every one.

    Attributes:
        better, worse: pairs whose chosen completion gained on the rejected one, and lost on it.
        to_chosen, to_rejected: pairs whose likelier completion is another one now: the chosen one, or the rejected one.
    """

    better: int
    worse: int
    to_chosen: int
    to_rejected: int


class EstimateRecord(Record):
    """A mean with its 95% interval."""

    value: float
    low: float
    high: float


class SliceRecord(Record):
    """Held-out pairs that are alike: in what and how, how many, and the accuracy and loss on them."""

    by: str
    name: str
    pairs: int
    prompts: int
    accuracy: EstimateRecord
    loss: EstimateRecord | None = None


class RuleRecord(Record):
    """A rule that prefers one of two completions without reading them, and how often the chosen one."""

    name: str
    accuracy: EstimateRecord


class BreakdownRecord(Record):
    """What stands behind the held-out accuracy.

    Attributes:
        pairs, prompts: how many.
        measure: what says which completion the model prefers: its reward, or its log-prob.
        accuracy, loss: with intervals by prompts.
        length_controlled: the accuracy at equal lengths; None where one side is longer in every pair.
        slices, rules: pairs that are alike, and rules to compare with.
    """

    pairs: int
    prompts: int
    measure: str
    accuracy: EstimateRecord
    loss: EstimateRecord | None = None
    length_controlled: EstimateRecord | None = None
    slices: tuple[SliceRecord, ...] = ()
    rules: tuple[RuleRecord, ...] = ()


class AnswerStats(Record):
    """Means over answers: tokens, and the share of word triples that were there before in the same answer."""

    tokens: float
    repetition: float


class AnswersRecord(Record):
    """What the sampled answers are like, before and after training, to so many held-out prompts."""

    prompts: int
    before: AnswerStats
    after: AnswerStats
