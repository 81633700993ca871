"""The rows of any source as a `datasets.Dataset`, for Python programs: what a run on it would read.

Reading, forms and conversion are known to `data`; here a call with plain names becomes one of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from tiebreak.data.load import load_for
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.process.host import same_host
from tiebreak.tasks import TASKS, TaskName
from tiebreak.workflow.progress import Progress, progress_of

if TYPE_CHECKING:
    from datasets import Dataset


class ReadingOptions(TypedDict, total=False):
    """How a source is read, as the keys of a recipe's data section say it.

    Attributes:
        config, data_dir, split, revision: which part of a source; None is as a recipe's default.
        schema: the name of a form, or `auto`.
        columns: roles and the columns in which they stand, in place of a form.
        transform: `module:function` that every row goes through first.
        skip_bad_rows: go on at a row that cannot be read.
        limit: stop after so many rows.
        progress: True shows on stderr how far reading is, and what was dropped.
    """

    config: str | None
    data_dir: str | None
    split: str | None
    revision: str | None
    schema: str
    columns: Mapping[str, Any] | None
    transform: str | None
    skip_bad_rows: bool
    limit: int | None
    progress: Progress | bool | None


def load_preferences(source: SourceSpec | Path | str, **options: Unpack[ReadingOptions]) -> Dataset:
    """Pairs of any source that Tiebreak reads. A second reading of the same source is instant.

    Args:
        source: Hub id, file, folder, pattern, address, `votes:URL`, or `bundled:preferences`.
        options: which part of it and how it is read, see `ReadingOptions`.
    Returns:
        The pairs, memory-mapped: `prompt` (messages), `chosen`, `rejected`, and the other columns of `Preference`.
    Raises:
        InputError: the source, its form or a row of it is wrong.
        RunError: the cache cannot be written.
    """
    return _load(source, "preference", options)


def load_unpaired(source: SourceSpec | Path | str, **options: Unpack[ReadingOptions]) -> Dataset:
    """Completions that are called good or bad: unpaired ones, or pairs, each split into its two completions.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, memory-mapped: `prompt`, `completion`, `label`, and the other columns of `UnpairedCompletion`.
    """
    return _load(source, "unpaired", options)


def load_demonstrations(source: SourceSpec | Path | str, **options: Unpack[ReadingOptions]) -> Dataset:
    """Completions to imitate: demonstrations, the chosen completions of pairs, or the good unpaired ones.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, memory-mapped: `prompt`, `completion`, and the other columns of `Demonstration`.
    """
    return _load(source, "supervised", options)


def _load(source: SourceSpec | Path | str, task: TaskName, options: ReadingOptions) -> Dataset:
    unknown = options.keys() - ReadingOptions.__annotations__.keys()
    if unknown:
        raise InputError(
            f"There is no option '{min(unknown)}'.", fix=f"there are: {', '.join(ReadingOptions.__annotations__)}"
        )
    spec = source if isinstance(source, SourceSpec) else _spec(str(source), options)
    progress = progress_of(options.get("progress"))
    with same_host():
        with progress.share(f"reading {spec.source}") as update:
            found = load_for(
                spec,
                task,
                schema=options.get("schema", "auto"),
                columns=options.get("columns"),
                transform=options.get("transform"),
                skip_bad_rows=options.get("skip_bad_rows", False),
                max_rows=options.get("limit"),
                on_progress=update,
            )
        report = found.report
        progress.say(f"data    {spec.source}: {len(found.dataset):,} {TASKS[task].examples}")
        for reason, seen in report.dropped.items():
            progress.say(f"        dropped: {reason}: {seen.count:,}")
        return found.dataset


def _spec(source: str, options: ReadingOptions) -> SourceSpec:
    return SourceSpec(
        source,
        config=options.get("config"),
        data_dir=options.get("data_dir"),
        split=options.get("split"),
        revision=options.get("revision"),
    )
