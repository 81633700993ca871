"""One pass over a source: recognise the format, convert every row, keep the account.

Knows the order of things; files, formats and the cache are elsewhere. Holds the first rows, then one at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from tiebreak.data.account import Ledger, LoadReport
from tiebreak.data.preference import Kind
from tiebreak.data.problems import LeftOut, RowProblem
from tiebreak.data.recognise import Recognition, first_match, named, recognise
from tiebreak.data.rows import Row
from tiebreak.data.schemas import Schema
from tiebreak.data.sources import OnProgress, Source
from tiebreak.errors import InputError

_LOOK = 64
_EMPTY = "an empty ending, kept: the assistant says nothing (data.min_chars: 1 leaves it out)"


class Reading:
    """One pass over a source, made to be read once: first `rows`, to the end, then `facts`.

    Args:
        source: where the rows come from.
        kind: what the rows are to serve as.
        schema: the name of a format, or `auto`.
        skip_bad_rows: note what cannot be read and go on.
        max_rows: stop after so many rows.
        on_progress: told the share that was read.
    """

    def __init__(
        self,
        source: Source,
        kind: Kind,
        *,
        schema: str,
        skip_bad_rows: bool,
        max_rows: int | None,
        on_progress: OnProgress,
    ) -> None:
        self._source = source
        self._kind = kind
        self._named = schema
        self._ledger = Ledger(skip_bad_rows)
        self._max_rows = max_rows
        self._on_progress = on_progress
        self._recognition: Recognition | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Canonical rows, as they are written."""
        ledger = self._ledger
        rows = itertools.islice(self._source.rows(ledger.on_bad, self._on_progress), self._max_rows)
        head = list(itertools.islice(rows, _LOOK))
        if not head:
            raise self._nothing()
        self._recognition = self._recognise(head)
        schema = named(self._recognition.schema, self._kind)
        for row in itertools.chain(head, rows):
            for made in self._converted(schema, row):
                ledger.made += 1
                yield made
        if not ledger.made:
            raise self._nothing()

    def _recognise(self, head: list[Row]) -> Recognition:
        if self._named != "auto":
            return Recognition(self._named, "named by the user")
        return recognise([row.values for row in head], self._source.name, self._kind)

    def _converted(self, schema: Schema, row: Row) -> Iterator[dict[str, Any]]:
        try:
            made = schema.convert(row.values)
        except LeftOut as left_out:
            self._ledger.rows += 1
            self._ledger.leave_out(left_out.reason, row.where)
            return
        except RowProblem as problem:
            self._ledger.on_bad(self._explained(problem, schema, row))
            return
        self._ledger.rows += 1
        for each in made:
            values = each.to_row()
            if not (values.get("chosen", "-") and values.get("rejected", "-") and values.get("completion", "-")):
                self._ledger.note(_EMPTY, row.where)
            if values["id"] is not None and values["id"].startswith("#"):
                values["id"] = f"row-{row.number}{values['id']}"
            yield values

    def _explained(self, problem: RowProblem, schema: Schema, row: Row) -> InputError:
        error = problem.at(row.where)
        other = first_match(row.values, self._kind)
        if other is None or other.name == schema.name or self._named != "auto":
            return error
        return InputError(
            f"The source mixes formats: it is read as '{schema.name}', but this row looks like '{other.name}'. "
            f"{error.what}",
            where=error.where,
            fix="keep one format a source, or leave such rows out with --skip-bad-rows",
        )

    def _nothing(self) -> InputError:
        ledger = self._ledger
        reasons = [f"{reason} ({tally.count})" for reason, tally in ledger.left_out.items()]
        if ledger.bad.count:
            reasons.append(f"bad rows ({ledger.bad.count}), the first at {ledger.bad.examples[0]}")
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
        ledger = self._ledger
        report = LoadReport(
            source=self._source.name,
            rows=ledger.rows,
            made=ledger.made,
            left_out=ledger.left_out,
            bad=ledger.bad,
            notes=ledger.notes,
            splits=self._source.splits,
        )
        recognition = {"schema": self._recognition.schema, "why": self._recognition.why}
        return {"recognition": recognition, "report": report.to_json()}
