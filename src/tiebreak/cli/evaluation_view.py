"""An evaluation on the terminal and as JSON: models on pairs, what they are ahead, answers, benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tiebreak.cli.answers_view import answer_lines
from tiebreak.cli.harness_view import harness_lines
from tiebreak.evaluate.compare import Difference
from tiebreak.formatting.numbers import signed
from tiebreak.workflow.evaluation import Evaluation, ahead_of
from tiebreak.workflow.harness import HarnessEvaluation
from tiebreak.workflow.judged import AnswersEvaluation


def evaluation_lines(
    found: Sequence[Evaluation],
    against: str | None,
    answers: AnswersEvaluation | None,
    benchmarks: HarnessEvaluation | None,
) -> Iterator[str]:
    """Everything for people, an empty line between the parts.

    Args:
        found: the models on pairs.
        against: the name of the one that the others are compared with.
        answers, benchmarks: where there are any.
    """
    for one in found:
        if len(found) > 1:
            yield f"{one.model}\n"
        for label, value in (*one.rows(), *one.breakdown_rows()):
            yield f"{label:36} {value}".rstrip()
        if len(found) > 1:
            yield ""
    for one, lead in ahead_of(found, against):
        yield f"{one.model} against {against}: {_said(lead)}"
    if answers is not None:
        yield from ("",) if found else ()
        yield from answer_lines(answers)
    if benchmarks is not None:
        yield from ("",) if found or answers is not None else ()
        yield from harness_lines(benchmarks)


def evaluation_json(
    found: Sequence[Evaluation],
    against: str | None,
    answers: AnswersEvaluation | None,
    benchmarks: HarnessEvaluation | None,
) -> dict[str, Any]:
    """One model as it is; several under `models`, with what they are ahead under `differences`; the rest beside it.

    Args:
        found, against, answers, benchmarks: as of `evaluation_lines`.
    """
    said: dict[str, Any] = {}
    if len(found) == 1:
        said = found[0].to_json()
    elif found:
        leads = [
            {"model": one.model, "against": against, **(asdict(lead) if lead else {"pairs": 0})}
            for one, lead in ahead_of(found, against)
        ]
        said = {"models": [one.to_json() for one in found], "differences": leads}
    if answers is not None:
        said |= {"answers": answers.to_json()}
    return said if benchmarks is None else said | {"harness": benchmarks.to_json()}


def _said(lead: Difference | None) -> str:
    if lead is None:
        return "no pair was measured on both"
    points = lead.accuracy
    said = (
        f"accuracy {signed(100 * points.value, 1)} points ({signed(100 * points.low, 1)} to "
        f"{signed(100 * points.high, 1)}) on {lead.pairs:,} pairs of {lead.prompts:,} prompts"
    )
    if lead.loss is None:
        return f"{said}; losses of two objectives are not compared"
    return f"{said}; loss {signed(lead.loss.value, 4)} ({signed(lead.loss.low, 4)} to {signed(lead.loss.high, 4)})"
