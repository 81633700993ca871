"""Curves that are already apart, as trackers keep them, to a log."""

from __future__ import annotations

from collections.abc import Mapping

from tiebreak.doctor.log import Curve, TrainingLog
from tiebreak.doctor.reading.names import EPOCH, STEP, named_columns
from tiebreak.doctor.reading.rows import epochs_of, examples_of, with_shares, without_speed
from tiebreak.errors import InputError


def log_of_points(curves: Mapping[str, Curve], *, source: str, kind: str) -> TrainingLog:
    """The log of curves over steps.

    Args:
        curves: by the name that the tracker has for each.
        source, kind: as of `TrainingLog`.
    Raises:
        InputError: none of them is a metric of a training.
    """
    names = named_columns(curves)
    found = {name: curves[column] for column, name in names.items() if name not in (STEP, EPOCH) and curves[column]}
    if not found:
        seen = f" Their names are: {', '.join(list(curves)[:12])}." if curves else ""
        raise InputError(f"There is no metric of a training in it.{seen}", where=source)
    epochs = next((curves[column] for column, name in names.items() if name == EPOCH), Curve()).finite
    return TrainingLog(
        source=source,
        kind=kind,
        curves=with_shares(without_speed(found), source),
        epochs=epochs_of(epochs.at, epochs.values),
        held_out=examples_of(found),
        unread=tuple(column for column in curves if column not in names),
    )
