"""From a source to canonical rows that are memory-mapped: the way into the data room.

Knows when two readings are the same; finding, reading, converting and keeping are elsewhere. No list of all rows is
ever held: 160,000 pairs need no more memory than 2,000.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from tiebreak.data import cache
from tiebreak.data.canonical import Reading
from tiebreak.data.forms.brought import brought
from tiebreak.data.forms.recognise import Recognition, WrongTask, named
from tiebreak.data.forms.transform import open_transform
from tiebreak.data.load_report import LoadReport
from tiebreak.data.preference import row_class
from tiebreak.data.reading.rows import OnProgress, Source
from tiebreak.data.reading.sources import SourceSpec, open_source
from tiebreak.tasks import TaskName

if TYPE_CHECKING:
    from datasets import Dataset

# Raised whenever the same source may give other rows than before, or what is kept beside them has another form.
_EDITION = 6


@dataclass(frozen=True)
class LoadedPreferences:
    """The canonical rows of a source, memory-mapped, and how they came about.

    Attributes:
        dataset: rows with the columns of `to_row` of a `Preference`, a `Demonstration` or an `UnpairedCompletion`.
        recognition: the form of the source, and how it was recognised.
        report: what was read, made and dropped.
        fingerprint: differs when the rows may differ.
        spec: what was asked for.
        task: the task that the rows are for.
        commit: of the Hub's repository that they are from; None elsewhere.
    """

    dataset: Dataset
    recognition: Recognition
    report: LoadReport
    fingerprint: str
    spec: SourceSpec
    task: TaskName = "preference"
    commit: str | None = None


class LoadOptions(TypedDict, total=False):
    """How a source is read, as for `load_for`."""

    schema: str
    columns: Mapping[str, object] | None
    transform: str | None
    skip_bad_rows: bool
    max_rows: int | None
    on_progress: OnProgress | None


def load_preferences(spec: SourceSpec, **options: Unpack[LoadOptions]) -> LoadedPreferences:
    """Read the pairs of a source. A second reading of the same source is instant.

    Args:
        spec: which source.
        options: `schema`, the name of a form, else it is recognised; `columns`, by role, in place of a form;
            `transform`, `module:function` that rows go through first; `skip_bad_rows`, to go on at a row that cannot
            be read, and report it; `max_rows`, to stop after so many; `on_progress`, called with the share that was
            read.
    Returns:
        The pairs, their form, and the load report.
    Raises:
        InputError: the source, its form or a row of it is wrong.
        RunError: the cache cannot be written.
    """
    return load_for(spec, "preference", **options)


def load_demonstrations(spec: SourceSpec, **options: Unpack[LoadOptions]) -> LoadedPreferences:
    """Read rows for supervised training: demonstrations, the chosen completions of pairs, or the good unpaired ones.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, with the columns of `Demonstration.to_row`.
    """
    return load_for(spec, "supervised", **options)


def load_unpaired(spec: SourceSpec, **options: Unpack[LoadOptions]) -> LoadedPreferences:
    """Read completions that are called good or bad: unpaired ones, or pairs, each split into its two completions.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, with the columns of `UnpairedCompletion.to_row`.
    """
    return load_for(spec, "unpaired", **options)


def load_as_it_is(spec: SourceSpec, **options: Unpack[LoadOptions]) -> LoadedPreferences:
    """Read a source for the task that it suits by itself; `task` of what comes back is that task.

    Args, Raises: as for `load_preferences`.
    """
    try:
        return load_for(spec, "preference", **options)
    except WrongTask as other:
        return load_for(spec, other.found, **options)


def load_for(
    spec: SourceSpec,
    task: TaskName,
    *,
    schema: str = "auto",
    columns: Mapping[str, object] | None = None,
    transform: str | None = None,
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read the rows of a source for a task. A second reading of the same source is instant.

    Args:
        spec: which source.
        task: what the rows are for.
        schema: the name of a form, or `auto` to recognise it.
        columns: roles and where in a row they stand, in place of a form (see `data.forms.roles`).
        transform: `module:function` that every row goes through first.
        skip_bad_rows: go on at a row that cannot be read, and report it.
        max_rows: stop after so many rows.
        on_progress: called with the share that was read.
    Returns:
        The rows, with the columns of the task's canonical row, their form, and the load report.
    Raises:
        WrongTask: the rows are sound, and for another task.
        InputError: the source, its form or a row of it is wrong.
        RunError: the cache cannot be written.
    """
    from datasets import Dataset

    if schema != "auto":
        named(schema, task)
    named_source, columns = brought(spec, columns)
    source = open_source(named_source)
    function = None if transform is None else open_transform(transform)
    said = json.dumps(columns, sort_keys=True, ensure_ascii=False) if columns else ""
    how = "" if function is None else f"{function.name}\0{function.fingerprint}"
    settings = f"{_EDITION}\0{task}\0{source.name}\0{source.fingerprint}\0{schema}\0{skip_bad_rows}\0{max_rows}"
    fingerprint = hashlib.sha256(f"{settings}\0{said}\0{how}".encode()).hexdigest()[:32]
    found = cache.lookup(fingerprint)
    if found is None:
        reading = Reading(
            source,
            task,
            schema=schema,
            skip_bad_rows=skip_bad_rows,
            max_rows=max_rows,
            on_progress=on_progress or (lambda _share: None),
            columns=columns,
            transform=function,
        )
        found = cache.store(fingerprint, row_class(task).features(), reading.rows(), reading.facts)
    path, facts = found
    return LoadedPreferences(
        dataset=Dataset.from_file(str(path)),
        recognition=Recognition(**facts["recognition"]),
        report=LoadReport.from_json(facts["report"]),
        fingerprint=fingerprint,
        spec=spec,
        task=task,
        commit=source.commit if isinstance(source, Source) else None,
    )
