"""What a run is measured on where no data is named: the pairs that it held out, which lie in its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tiebreak.errors import InputError
from tiebreak.runs import RunFolder
from tiebreak.tasks import TASKS


def held_out_pairs_of(models: Sequence[str | os.PathLike[str]], *, where: str = "--data") -> str:
    """The source of the held-out pairs of the runs among some models.

    Args:
        models: that are measured.
        where: what names the data, for errors.
    Returns:
        The file of the first run that has one; the other runs have the same pairs.
    Raises:
        InputError: no run has held-out pairs, or two runs have different ones, so that one of them may have been
            trained on those of the other.
    """
    runs = [run for run in (RunFolder(Path(model)) for model in models) if run.recipe_path.is_file()]
    pairs = [run for run in runs if run.held_out_rows_path.is_file() and TASKS[run.load_manifest().task].pairs]
    if not pairs:
        raise InputError(
            "There is nothing to measure on.",
            where=where,
            fix="add --data SOURCE, --prompts FILE for answers alone, or --harness TASKS for benchmarks",
        )
    first = pairs[0].held_out_rows_path.read_bytes()
    other = next((run for run in pairs[1:] if run.held_out_rows_path.read_bytes() != first), None)
    if other is not None or len(pairs) < len(runs):
        named = other or next(run for run in runs if run not in pairs)
        raise InputError(
            f"'{named.path}' has not held out the same pairs as '{pairs[0].path}': it may have been trained on them.",
            where=where,
            fix="name pairs that no run was trained on: --data SOURCE",
        )
    return str(pairs[0].held_out_rows_path)
