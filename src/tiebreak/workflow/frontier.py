"""The models of an evaluation as points: how often their answers win, and how far they are from their reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tiebreak.errors import InputError
from tiebreak.formatting.hub_names import last_part
from tiebreak.report.frontier import FrontierPoint, is_finite
from tiebreak.workflow.judged import AnswersEvaluation
from tiebreak.workflow.judging import AnswersQuestion
from tiebreak.workflow.kl import check_one_reference, references


@dataclass(frozen=True)
class Frontier:
    """What the picture shows.

    Attributes:
        points: one a model.
        reference: what the KL of all is measured from.
        against: whose answers all are compared with.
    """

    points: tuple[FrontierPoint, ...]
    reference: str
    against: str


def check_frontier(question: AnswersQuestion) -> None:
    """Refuse a question whose answer could not be drawn, before anything is sampled.

    Args:
        question: what is asked.
    Raises:
        InputError: there is no judge or nothing to win against, or the models have different references.
    """
    what = "The picture shows how often answers win against those of another model"
    if question.against is None:
        raise InputError(f"{what}, and none is named.", where="--frontier-out", fix="add --against MODEL")
    if not question.judges:
        raise InputError(f"{what}, by a judge.", where="--frontier-out", fix="add --judge JUDGE")
    check_one_reference(references(question.models, question.reference, question.against))


def frontier(found: AnswersEvaluation) -> Frontier:
    """The points of an evaluation that has KL and a judge; of several judges the first counts.

    Args:
        found: of models that are measured from one reference.
    Raises:
        InputError: there is no KL or no win rate of a model, one is not finite, or the references are different.
    """
    if found.against is None or not found.kl:
        raise InputError(
            "The picture needs the KL of each model and its win rate.",
            where="frontier",
            fix="ask with kl=True, against=MODEL and a judge",
        )
    if len({each.fingerprint for each in found.kl}) > 1:
        said = ", ".join(f"{each.model} from {each.reference}" for each in found.kl)
        raise InputError(
            f"The KL of these models is measured from different references: {said}.",
            where="frontier",
            fix="name one for all: reference=MODEL",
        )
    models = [one.answers.model for one in found.compared]
    points = []
    for name, one, measured in zip(_short(models), found.compared, found.kl, strict=True):
        wins = one.judgements[0].win_rate if one.judgements else None
        point = (
            None if wins is None or measured.found is None else FrontierPoint(name, measured.found.value, wins.value)
        )
        if point is None or not is_finite(point):
            lacks = "win rate" if wins is None else "KL that is a number"
            raise InputError(
                f"'{one.answers.model}' has no {lacks}, so no place in the picture.",
                where="frontier",
                fix="leave it out, or name another judge or other prompts",
            )
        points.append(point)
    return Frontier(tuple(points), last_part(found.kl[0].reference), last_part(found.against.model))


def _short(names: Sequence[str]) -> list[str]:
    """The last parts of names, where that tells them apart."""
    short = [last_part(name) for name in names]
    return short if len(set(short)) == len(short) else list(names)
