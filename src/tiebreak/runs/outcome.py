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


class ChangeRecord(Record):
    """A trait of the answers, or of the model, before and after (see `evaluate.changes.Change`)."""

    name: str
    before: float
    after: float
    difference: EstimateRecord
    share: bool
    unit: str | None = None


class AnswersRecord(Record):
    """What the sampled answers are like, before and after training, to so many held-out prompts.

    `changes` has each trait with the interval of its difference, the perplexity of plain text among them.
    """

    prompts: int
    before: AnswerStats
    after: AnswerStats
    changes: tuple[ChangeRecord, ...] = ()


class KlRecord(Record):
    """How far the model has moved from the one that training started from, on its own answers at temperature 1.

    Attributes:
        measured_from: the name of that model.
        answers: that it was measured on.
        value: nats an answer; None where no prompt leaves room for one.
        standard_error: of the mean; None of a single answer.
        tokens: of an answer on average.
        cut: answers that the length limit cut.
        left_out: prompts that leave no room for an answer.
    """

    measured_from: str
    answers: int
    value: EstimateRecord | None = None
    standard_error: float | None = None
    tokens: float | None = None
    cut: int = 0
    left_out: int = 0


class ScoreRecord(Record):
    """A figure of a benchmark and its standard error."""

    value: float
    error: float | None = None


class BenchmarkRecord(Record):
    """One metric of one task, after training and before it (see `evaluate.harness.scores.HarnessRow`)."""

    task: str
    metric: str
    filter: str
    shots: int | None
    documents: int
    higher_is_better: bool | None
    after: ScoreRecord
    before: ScoreRecord | None = None
    difference: ScoreRecord | None = None


class HarnessRecord(Record):
    """Benchmarks of lm-evaluation-harness after training, beside the model that it started from.

    Attributes:
        version: of the harness.
        task_versions: of each task.
        limit: documents of each task; None is all.
        chat: whether prompts went through the chat template.
        cut: texts that were longer than the model takes.
        rows: one a metric.
    """

    version: str
    task_versions: dict[str, str]
    limit: int | None
    chat: bool
    cut: int
    rows: tuple[BenchmarkRecord, ...]
