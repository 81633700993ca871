"""What a judge's verdicts say of a model, with intervals, as the manifest has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tiebreak.evaluate.bootstrap import Estimate
from tiebreak.evaluate.judges import Comparison, Judge, PointwiseJudge, Prompt, Score, Verdicts
from tiebreak.evaluate.judges.judge import OnProgress, pass_fail, quiet
from tiebreak.evaluate.win_rate import longer_by, win_rate
from tiebreak.formatting.numbers import wilson
from tiebreak.runs.manifest import JudgeRecord, RateRecord, WinRateRecord


def pass_rate(passed: Sequence[bool]) -> Estimate:
    """Share of answers that passed, with Wilson's interval."""
    share = sum(passed) / len(passed)
    return Estimate(share, *wilson(share, len(passed)))


def judge_answers(
    judge: Judge,
    prompts: Sequence[Prompt],
    before: Sequence[str],
    after: Sequence[str],
    progress: OnProgress = quiet,
) -> tuple[Verdicts, JudgeRecord]:
    """A judge's verdicts on two models' answers to the same prompts, and their record.

    Args:
        judge: whose verdicts they are.
        prompts: at least one.
        before, after: the answers; the first answer of a comparison is that of the model after.
        progress: called with the number judged so far.
    """
    asked = [Comparison(*each) for each in zip(prompts, after, before, strict=True)]
    verdicts = judge.compare(asked, progress)
    return verdicts, judged(judge, verdicts, longer_by(after, before))


def judged(judge: Judge, verdicts: Verdicts, longer: Sequence[int]) -> JudgeRecord:
    """Verdicts as the manifest has them: pass rates where the judge says pass or fail, and the win rate.

    Args:
        judge: whose verdicts they are.
        verdicts: on comparisons whose first answer is that of the model after.
        longer: characters that it has more.
    """
    wins = win_rate(verdicts.points, longer)
    both = pass_fail(verdicts.first) and pass_fail(verdicts.second)
    return JudgeRecord(
        name=judge.name,
        prompts=len(verdicts.points),
        before=_rate(verdicts.second) if both else None,
        after=_rate(verdicts.first) if both else None,
        win_rate=None
        if wins is None
        else WinRateRecord(value=wins.value.value, interval=(wins.value.low, wins.value.high)),
        judge=dict(judge.record),
        not_judged=len(verdicts.points) - verdicts.judged,
        consistent=verdicts.consistent,
    )


def judged_alone(judge: PointwiseJudge, scores: Sequence[Score]) -> JudgeRecord:
    """A judge's scores of one model's answers: the pass rate, where it says pass or fail."""
    return JudgeRecord(
        name=judge.name,
        prompts=len(scores),
        after=_rate(scores) if pass_fail(scores) else None,
        judge=dict(judge.record),
        not_judged=sum(score is None for score in scores),
    )


def _rate(scores: Sequence[Score] | None) -> RateRecord:
    share = pass_rate(cast(Sequence[bool], scores))
    return RateRecord(pass_rate=share.value, interval=(share.low, share.high))
