"""From the rows of a source to canonical rows, in one pass: recognise the form, convert every row, count what happens.

Knows the order of things; sources, forms and the cache are elsewhere. Holds the first rows, then one at a time.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tiebreak.data.forms.fields import Dropped, RowProblem
from tiebreak.data.forms.form import Form
from tiebreak.data.forms.guess import advice
from tiebreak.data.forms.recognise import Recognition, chosen_form, first_match
from tiebreak.data.forms.registry import forms_of
from tiebreak.data.forms.remarks import remarks
from tiebreak.data.forms.transform import Transform
from tiebreak.data.load_report import LoadReport, Tally
from tiebreak.data.preference import CanonicalRow
from tiebreak.data.reading.rows import NoPair, OnProgress, PairSource, Row, Source
from tiebreak.errors import InputError
from tiebreak.tasks import TaskName

_LOOK = 64
_BAD_ROWS_NAMED = 100
_EMPTY = "an empty completion, kept: the assistant says nothing (data.min_chars: 1 drops it)"
# The form of pairs that are typed from the start, as it is named in reports.
_PAIRS = "tiebreak"


@dataclass
class _Counts:
    """The running counts of one pass; others see the frozen report made from them."""

    skip_bad_rows: bool
    rows: int = 0
    made: int = 0
    dropped: dict[str, Tally] = field(default_factory=dict)
    notes: dict[str, Tally] = field(default_factory=dict)
    unused: Counter[str] = field(default_factory=Counter)
    bad: Tally = field(default_factory=Tally)

    def on_bad(self, error: InputError) -> None:
        """Stop at a bad row, or note it, as the user asked."""
        if not self.skip_bad_rows:
            raise error
        self.bad = self.bad.add(f"{error.where or 'somewhere'}: {error.what}", _BAD_ROWS_NAMED)

    def drop(self, reason: str, where: str) -> None:
        """Count a sound row that makes no canonical row."""
        self.rows += 1
        self.dropped[reason] = self.dropped.get(reason, Tally()).add(where)

    def note(self, remark: str, where: str) -> None:
        """Count a row that is kept but that its owner should know of."""
        self.notes[remark] = self.notes.get(remark, Tally()).add(where)


class Reading:
    """One pass over a source, made to be read once: first `rows`, to the end, then `facts`.

    Args:
        source: where the rows come from.
        task: the task that the rows are to serve.
        schema: the name of a form, or `auto`.
        columns: the user's columns by role, in place of a form.
        transform: what rows go through before their form is looked at.
        skip_bad_rows: note what cannot be read and go on.
        max_rows: stop after so many rows.
        on_progress: called with the share that was read.
    """

    def __init__(
        self,
        source: Source | PairSource,
        task: TaskName,
        *,
        schema: str,
        skip_bad_rows: bool,
        max_rows: int | None,
        on_progress: OnProgress,
        columns: Mapping[str, object] | None = None,
        transform: Transform | None = None,
    ) -> None:
        self._source = source
        self._task = task
        self._named = schema
        self._columns = columns
        self._transform = transform
        self._head: list[Row] = []
        self._counts = _Counts(skip_bad_rows)
        self._max_rows = max_rows
        self._on_progress = on_progress
        self._recognition: Recognition | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Canonical rows, as they are written.

        Raises:
            InputError: a row is wrong, no form is known, or nothing comes of the source.
        """
        source = self._source
        made = self._of_pairs(source) if isinstance(source, PairSource) else self._of_rows(source)
        for values in made:
            self._counts.made += 1
            yield values
        if not self._counts.made:
            raise self._nothing()

    def _of_rows(self, source: Source) -> Iterator[dict[str, Any]]:
        rows: Iterator[Row] = itertools.islice(source.rows(self._counts.on_bad, self._on_progress), self._max_rows)
        if self._transform is not None:
            rows = self._transform.rows(rows, self._counts)
        head = list(itertools.islice(rows, _LOOK))
        if not head:
            return
        self._head = head
        form = self._form(head)
        for row in itertools.chain(head, rows):
            yield from self._converted(form, row)

    def _form(self, head: list[Row]) -> Form[CanonicalRow]:
        values = [row.values for row in head]
        self._recognition, form = chosen_form(
            values, self._source.name, self._task, schema=self._named, columns=self._columns
        )
        try:
            fitted, why = form.fitted(values)
        except RowProblem as problem:
            raise problem.at(head[0].where, values[0]) from None
        if why:
            self._recognition = Recognition(self._recognition.schema, f"{self._recognition.why}; direction: {why}")
        return fitted

    def _converted(self, form: Form[CanonicalRow], row: Row) -> Iterator[dict[str, Any]]:
        for name in form.unused(row.values):
            self._counts.unused[name] += 1
        if row.remark is not None:
            self._counts.note(row.remark, row.where)
        try:
            made = form.convert(row.values)
        except Dropped as dropped:
            self._counts.drop(dropped.reason, row.where)
            return
        except RowProblem as problem:
            self._counts.on_bad(self._explained(problem, form, row))
            return
        self._counts.rows += 1
        for each in made:
            values = self._written(each, row.where)
            if values["id"] is not None and values["id"].startswith("#"):
                values["id"] = f"row-{row.number}{values['id']}"
            yield values

    def _of_pairs(self, source: PairSource) -> Iterator[dict[str, Any]]:
        if self._columns or self._transform:
            raise InputError(
                f"{source.name} has pairs, not rows with columns.",
                where="columns" if self._columns else "transform",
                fix="leave columns and transform out",
            )
        if self._named not in ("auto", _PAIRS):
            raise InputError(
                f"{source.name} has pairs, not rows of the schema '{self._named}'.",
                where="schema",
                fix="leave the schema out",
            )
        self._recognition = Recognition(_PAIRS, "the source has pairs and nothing else")
        from_pair = forms_of(self._task).from_pair
        for pair in itertools.islice(source.pairs(self._on_progress), self._max_rows):
            if isinstance(pair, NoPair):
                self._counts.drop(pair.reason, pair.where)
                continue
            try:
                made = from_pair(pair.preference)
            except Dropped as dropped:
                self._counts.drop(dropped.reason, pair.where)
                continue
            self._counts.rows += 1
            for each in made:
                yield self._written(each, pair.where)

    def _written(self, made: CanonicalRow, where: str) -> dict[str, Any]:
        values = made.to_row()
        for remark in remarks(values):
            self._counts.note(remark, where)
        if not (values.get("chosen", "-") and values.get("rejected", "-") and values.get("completion", "-")):
            self._counts.note(_EMPTY, where)
        return values

    def _explained(self, problem: RowProblem, form: Form[CanonicalRow], row: Row) -> InputError:
        error = problem.at(row.where, row.values)
        other = first_match(row.values, self._task) if self._named == "auto" and self._columns is None else None
        if other is None or other.name == form.name:
            if problem.fix is None and not any(_converts(form, each) for each in self._head):
                # To skip such rows would be to skip them all.
                fix = advice([each.values for each in self._head], problem.column, columns=self._columns)
                return InputError(error.what, where=error.where, fix=fix)
            return error
        return InputError(
            f"The source mixes forms: it is read as '{form.name}', but this row looks like '{other.name}'. "
            f"{error.what}",
            where=error.where,
            fix="keep one form a source, or skip such rows with --skip-bad-rows",
        )

    def _nothing(self) -> InputError:
        counts = self._counts
        reasons = [f"{reason} ({tally.count})" for reason, tally in counts.dropped.items()]
        if counts.bad.count:
            reasons.append(f"bad rows ({counts.bad.count}), the first at {counts.bad.examples[0]}")
        if not reasons:
            return InputError("The source is empty: it has no rows.", where=self._source.name)
        return InputError(
            f"No row of the source could be used: {'; '.join(reasons)}.",
            where=self._source.name,
            fix="check that the schema is the right one: `tiebreak data inspect` shows what was seen",
        )

    def facts(self) -> dict[str, Any]:
        """What the cache keeps beside the rows."""
        assert self._recognition is not None
        counts = self._counts
        report = LoadReport(
            source=self._source.name,
            rows=counts.rows,
            made=counts.made,
            dropped=counts.dropped,
            bad=counts.bad,
            notes=counts.notes,
            unused=dict(counts.unused.most_common()),
            passed_over=self._source.passed_over if isinstance(self._source, Source) else (),
            transform=None if self._transform is None else self._transform.record(),
            splits=self._source.splits,
        )
        recognition = {"schema": self._recognition.schema, "why": self._recognition.why}
        return {"recognition": recognition, "report": report.to_json()}


def _converts(form: Form[CanonicalRow], row: Row) -> bool:
    try:
        form.convert(row.values)
    except Dropped:
        return True
    except RowProblem:
        return False
    return True
