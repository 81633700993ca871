"""Benchmarks on the terminal: a table a model, before beside after, the parts of a group left out."""

from __future__ import annotations

from collections.abc import Iterator

from tiebreak.evaluate.harness.scores import written
from tiebreak.workflow.harness import HarnessComparison, HarnessEvaluation


def harness_lines(found: HarnessEvaluation) -> Iterator[str]:
    """The lines for people."""
    for number, one in enumerate(found.models):
        if number:
            yield ""
        limit = "" if found.limit is None else f", the first {found.limit:,} documents of each task"
        chat = ", by the chat template" if found.chat else ""
        beside = "" if one.against is None else f" against {one.against}"
        yield f"lm-evaluation-harness {found.version}: {one.model}{beside}{limit}{chat}"
        yield from _table(one)
        hidden = len({row.task for row in one.rows if row.part})
        if hidden:
            yield f"in --json and --out alone: the tasks of groups, {hidden:,}"


def _table(one: HarnessComparison) -> Iterator[str]:
    compared = one.against is not None
    headings = ("task", "metric", "documents", *(("before", "after", "difference") if compared else ("value",)))
    cells = [headings]
    for row in one.rows:
        if row.part:
            continue
        better = "" if row.higher_is_better is not False else ", lower is better"
        figures = (written(row.before), written(row.after), written(row.difference, lead=True))
        cells.append((row.task, row.name + better, f"{row.documents:,}", *(figures if compared else figures[1:2])))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
