"""Logs in JSON: metrics.jsonl of a run, `trainer_state.json` of `transformers` and TRL, and lists of rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.reading.names import STEP, named_columns
from tiebreak.doctor.reading.rows import LoggedRows
from tiebreak.errors import InputError
from tiebreak.metrics import LOSS

_HISTORY = "log_history"


def json_log(text: str, path: Path) -> TrainingLog:
    """The log in a text of JSON: one value, or one a line.

    Raises:
        InputError: it is no JSON, or no log.
    """
    first, _, rest = text.lstrip().partition("\n")
    if rest.strip() and _is_row(first):
        return rows_log(
            _of_lines(text.splitlines(), path), str(path), "lines of metrics", where=lambda i: f"{path}:{i + 1}"
        )
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise InputError(f"The file is no JSON: {error}.", where=str(path), fix="is it cut off?") from None
    if isinstance(whole, dict) and isinstance(whole.get(_HISTORY), list):
        return _state_log(whole, path)
    if isinstance(whole, dict) and _HISTORY not in whole:
        whole = [whole]
    if isinstance(whole, list) and all(isinstance(row, dict) for row in whole):
        return rows_log(whole, str(path), "list of metrics")
    raise InputError("The JSON is no log of a training.", where=str(path), fix=f"`trainer_state.json` has '{_HISTORY}'")


def rows_log(
    rows: Sequence[Mapping[str, Any]],
    source: str,
    kind: str,
    *,
    where: Callable[[int], str] | None = None,
    planned: float | None = None,
) -> TrainingLog:
    """The log of rows by metric, as `Trainer.state.log_history` has them.

    Args:
        rows: a mapping for each logged row.
        source, kind, planned: as of `TrainingLog`.
        where: what errors call a row, by its index.
    Raises:
        InputError: they are no log of one run.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    summaries = [row for row in rows if "train_runtime" in row]
    if summaries:  # its train_loss is the mean of the whole run
        rows = [row for row in rows if "train_runtime" not in row]
    names = named_columns(str(column) for column in columns if column != "train_loss" or not summaries)
    unread = [str(column) for column in columns if column not in names]
    logged = LoggedRows(rows, names, source, kind, where or (lambda index: f"{source}, row {index + 1}"), math.nan)
    mean = summaries[-1].get("train_loss") if summaries else None
    if isinstance(mean, int | float) and not any(LOSS.name in row for row in rows):
        return _with_mean(logged, float(mean), summaries[-1], unread, planned)
    return logged.log(unread=unread, planned=planned)


def _with_mean(
    logged: LoggedRows, mean: float, summary: Mapping[str, Any], unread: list[str], planned: float | None
) -> TrainingLog:
    """A log whose training loss is known as the mean of the run alone."""
    if not any(set(row) & set(logged.names) - {STEP, "epoch"} for row in logged.rows):
        row = {"loss": mean, **{name: summary[name] for name in (STEP, "epoch") if name in summary}}
        names = {name: name for name in row}
        return LoggedRows([row], names, logged.source, logged.kind, logged.where).log(unread=unread, planned=planned)
    log = logged.log(unread=unread, planned=planned)
    curves = {**log.curves, LOSS.name: Curve((log.last,), (mean,))}
    return replace(log, curves=curves)


def _state_log(state: Mapping[str, Any], path: Path) -> TrainingLog:
    rows = state[_HISTORY]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"'{_HISTORY}' holds something else than rows.", where=str(path))
    if not rows:
        raise InputError(f"'{_HISTORY}' is empty: nothing was logged yet.", where=str(path))
    planned = state.get("max_steps")
    return rows_log(
        rows,
        str(path),
        "state of a Trainer",
        where=lambda index: f"{path}, {_HISTORY}[{index}]",
        planned=planned if isinstance(planned, int) and planned > 0 else None,
    )


def _is_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _of_lines(lines: Sequence[str], path: Path) -> list[dict[str, Any]]:
    """The rows of JSON lines; a last one that a kill cut off is dropped."""
    written = [(number, line) for number, line in enumerate(lines, 1) if line and not line.isspace()]
    rows: list[dict[str, Any]]
    try:
        rows = json.loads(f"[{','.join(line for _, line in written)}]")  # at once, since a log may be long
    except ValueError:
        rows = []
        for number, line in written:
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                if number == written[-1][0]:
                    break
                raise InputError(f"The line is no JSON: {error}.", where=f"{path}:{number}") from None
    for (number, _), row in zip(written, rows, strict=False):
        if not isinstance(row, dict):
            raise InputError("The line holds no row: it has to be a JSON object.", where=f"{path}:{number}")
    return rows
