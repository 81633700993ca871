"""How far models have moved from their reference, as a section of a page: a table, and win rates against it."""

from __future__ import annotations

from collections.abc import Iterator

from tiebreak.errors import InputError
from tiebreak.formatting.numbers import hundredths
from tiebreak.report.evaluation_page import Picture, Row, Section, Table
from tiebreak.report.frontier import frontier_svg
from tiebreak.workflow.frontier import frontier
from tiebreak.workflow.judged import AnswersEvaluation
from tiebreak.workflow.kl import MeasuredKl

_HEADINGS = ("model", "measured from", "KL, nats an answer", "standard error", "answers", "cut off", "left out")


def kl_sections(found: AnswersEvaluation) -> Iterator[Section]:
    """The section; none where KL was not measured.

    Args:
        found: of all models.
    """
    if not found.kl:
        return
    note = "On answers drawn at temperature 1, one to each prompt. Near zero the estimate may come out below zero."
    pictures: tuple[Picture, ...] = ()
    if len(found.compared) > 1:
        try:
            drawn = frontier(found)
        except InputError as error:
            note = f"{note} No picture: {error.what}"
        else:
            svg = frontier_svg(drawn.points, reference=drawn.reference, against=drawn.against)
            pictures = (Picture("Win rate against KL", svg, "Up and to the left is better. Bars are 95% intervals."),)
    rows = tuple(map(_row, found.kl))
    yield Section("How far the models have moved", note, (Table(_HEADINGS, rows, sortable=True),), pictures)


def _row(one: MeasuredKl) -> Row:
    kl = one.found
    if kl is None:
        return Row(one.model, (one.reference, "no answer", "–", "0", "–", f"{one.left_out:,}"))
    value = f"{hundredths(kl.value.value)} ({hundredths(kl.value.low)} to {hundredths(kl.value.high)})"
    error = "–" if kl.standard_error is None else hundredths(kl.standard_error)
    return Row(one.model, (one.reference, value, error, f"{kl.answers:,}", f"{one.cut:,}", f"{one.left_out:,}"))
