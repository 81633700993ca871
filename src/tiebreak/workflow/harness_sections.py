"""Benchmarks as sections of a page: a table a model, intervals of differences drawn where metrics are shares."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tiebreak.evaluate.harness.scores import HarnessRow, Score, written
from tiebreak.formatting.numbers import signed
from tiebreak.report.evaluation_page import Interval, Row, Section, Table, Tone, around_zero
from tiebreak.workflow.harness import HarnessComparison, HarnessEvaluation

_TWO_SIDED = 1.959964


def harness_sections(found: HarnessEvaluation) -> Iterator[Section]:
    """The section of each model.

    Args:
        found: of all models.
    """
    for one in found.models:
        beside = "" if one.against is None else f" against {one.against}"
        yield Section(f"Benchmarks: {one.model}{beside}", note=_note(found, one), tables=(_table(one),))


def sentences(found: HarnessEvaluation) -> Iterator[str]:
    """What came out, in a sentence each: which metrics differ by more than their intervals.

    Args:
        found: of all models.
    """
    for one in found.models:
        sure = [row for row in one.rows if row.difference is not None and _tone(row)]
        compared = [row for row in one.rows if row.difference is not None and row.difference.error is not None]
        if compared:
            better = sum(_tone(row) == "better" for row in sure)
            yield (
                f"{one.model} against {one.against} on benchmarks: {better:,} of {len(compared):,} metrics better and "
                f"{len(sure) - better:,} worse by more than the 95% interval of the difference."
            )


def _note(found: HarnessEvaluation, one: HarnessComparison) -> str:
    parts = [f"lm-evaluation-harness {found.version}; ± is the standard error."]
    if one.against is not None:
        parts.append("Differences are taken document by document; drawn are 95% intervals of metrics that are shares.")
    if found.limit is not None:
        parts.append(f"Only the first {found.limit:,} documents of each task: figures of the whole tasks differ.")
    if found.chat:
        parts.append("Prompts went through the chat template.")
    if one.cut:
        parts.append(f"{one.cut:,} texts were longer than a model takes, and cut from the left.")
    return " ".join(parts)


def _table(one: HarnessComparison) -> Table:
    compared = one.against is not None
    rows = []
    for each in one.rows:
        lower = ", lower is better" if each.higher_is_better is False else ""
        name = f"{each.task}: {each.name}{lower}"
        figures: tuple[str, ...] = (written(each.after),)
        sort: tuple[float | None, ...] = (each.after.value,)
        if compared:
            figures = (written(each.before), written(each.after), written(each.difference, lead=True))
            sort = (_value(each.before), each.after.value, _value(each.difference))
        shots = "–" if each.shots is None else str(each.shots)
        sort = (each.documents, each.shots, *sort)
        rows.append(Row(name, (f"{each.documents:,}", shots, *figures), _interval(each), _tone(each), sort))
    scale = around_zero((row.interval for row in rows), lambda end: signed(end, 2))
    headings = (
        "task: metric",
        "documents",
        "examples",
        *(("before", "after", "difference") if compared else ("value",)),
    )
    return Table(headings, tuple(rows), scale=scale, sortable=True)


def _interval(row: HarnessRow) -> Interval | None:
    """Of the difference, for a metric that is a share; metrics of other sizes do not go on one scale."""
    lead = row.difference
    if lead is None or lead.error is None or row.before is None:
        return None
    if not all(0 <= score.value <= 1 for score in (row.before, row.after)):
        return None
    return Interval(lead.value, lead.value - _TWO_SIDED * lead.error, lead.value + _TWO_SIDED * lead.error)


def _tone(row: HarnessRow) -> Tone:
    """Whether the model is better or worse by more than the 95% interval of the difference."""
    lead = row.difference
    if lead is None or lead.error is None or row.higher_is_better is None:
        return ""
    if not math.isfinite(lead.value) or abs(lead.value) <= _TWO_SIDED * lead.error:
        return ""
    return "better" if (lead.value > 0) == row.higher_is_better else "worse"


def _value(score: Score | None) -> float | None:
    return None if score is None else score.value
