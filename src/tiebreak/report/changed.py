"""What else changed, in plain words: traits of the answers, plain text, how far the model has moved, benchmarks.

The rows that the page, the terminal and the model card show; what they mean stands in the docs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiebreak.evaluate.harness.scores import Score, written
from tiebreak.formatting.changes import written_change
from tiebreak.formatting.numbers import DASH, hundredths
from tiebreak.formatting.text import one_line
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.outcome import BenchmarkRecord, KlRecord, ScoreRecord

if TYPE_CHECKING:
    from rich.table import Table

_LONGEST = 80


@dataclass(frozen=True)
class ChangedRow:
    """One line: what it is, before, after, and the difference with its interval or standard error."""

    label: str
    before: str
    after: str
    difference: str


def changed_rows(manifest: Manifest) -> list[ChangedRow]:
    """All that was measured; empty where nothing was."""
    found = []
    if manifest.answers is not None:
        found += [ChangedRow(each.name, *written_change(each)) for each in manifest.answers.changes]
    if manifest.kl is not None:
        found.append(_kl(manifest.kl))
    if manifest.harness is not None:
        found += [_benchmark(row) for row in manifest.harness.rows]
    return found


def changed_notes(manifest: Manifest) -> Iterator[str]:
    """How to read the rows, in a sentence each."""
    answers, kl, harness = manifest.answers, manifest.kl, manifest.harness
    if answers is not None and answers.changes:
        yield f"Answers to {answers.prompts:,} held-out prompts; 95% intervals by prompts, of plain text by paragraphs."
    if kl is not None and kl.value is not None:
        cut = f" {kl.cut:,} were cut at the length limit and count as far as they go." if kl.cut else ""
        base = one_line(kl.measured_from, _LONGEST)
        yield f"KL is that from {base}, on {kl.answers:,} answers of its own, drawn at temperature 1.{cut}"
    if kl is not None and kl.left_out:
        yield f"{kl.left_out:,} prompts leave no room for an answer and are left out of the KL."
    if harness is not None:
        first = "" if harness.limit is None else f" Only the first {harness.limit:,} documents of each task."
        cut = f" {harness.cut:,} texts were longer than the model takes, and cut from the left." if harness.cut else ""
        yield f"Benchmarks by lm-evaluation-harness {harness.version}; ± is the standard error.{first}{cut}"


def changed_table(manifest: Manifest) -> Table | None:
    """The rows for the terminal; None where there are none."""
    from rich.table import Table
    from rich.text import Text

    rows = changed_rows(manifest)
    if not rows:
        return None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("what else changed", no_wrap=True)
    for heading in ("before", "after", "difference"):
        table.add_column(heading, justify="right" if heading != "difference" else "left")
    for row in rows:
        table.add_row(*(Text(each) for each in (row.label, row.before, row.after, row.difference)))
    return table


def _kl(kl: KlRecord) -> ChangedRow:
    label = "KL, nats an answer"
    if kl.value is None:
        return ChangedRow(label, DASH, DASH, "no prompt leaves room for an answer")
    ends = f"({hundredths(kl.value.low)} to {hundredths(kl.value.high)})"
    return ChangedRow(label, DASH, hundredths(kl.value.value), ends)


def _benchmark(row: BenchmarkRecord) -> ChangedRow:
    name = row.metric if row.filter == "none" else f"{row.metric} ({row.filter})"
    lower = ", lower is better" if row.higher_is_better is False else ""
    label = one_line(f"{row.task}: {name}{lower}", _LONGEST)
    return ChangedRow(
        label, written(_score(row.before)), written(_score(row.after)), written(_score(row.difference), lead=True)
    )


def _score(record: ScoreRecord | None) -> Score | None:
    return None if record is None else Score(record.value, record.error)
