"""From the data section of a recipe to the rows of a run: which sources it names, read and selected.

Knows how the keys of the section name sources; reading and selecting are elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiebreak.data.load import LoadedPreferences, load_for
from tiebreak.data.preparing.select import Selection, select
from tiebreak.data.reading.rows import OnProgress
from tiebreak.data.reading.sources import BUNDLED, SourceSpec
from tiebreak.tasks import TaskName

if TYPE_CHECKING:
    from tiebreak.recipe import DataSection

_HELD_OUT = ("held_out", "test", "validation", "test_prefs", "eval")


def training_source(settings: DataSection) -> SourceSpec:
    """The source that a recipe trains on."""
    return SourceSpec(settings.source, settings.config, settings.data_dir, settings.split, settings.revision)


def held_out_source(settings: DataSection) -> SourceSpec | None:
    """The source of the held-out pairs; None where a share of the training source is held out, or nothing.

    The bundled preferences come with a held-out split, which is used unless the recipe holds nothing out.
    """
    if settings.eval_source is not None:
        return SourceSpec(settings.eval_source, split=settings.eval_split)
    if settings.eval_split is not None:
        return training_source(settings).of_split(settings.eval_split)
    if settings.source == BUNDLED and settings.split in (None, "train") and settings.eval_fraction > 0:
        return training_source(settings).of_split("held_out")
    return None


def split_beside(loaded: LoadedPreferences) -> SourceSpec | None:
    """The split of the same source that looks held out, if the source has one and it was not read itself."""
    names = [name for name in _HELD_OUT if name in loaded.report.splits]
    return loaded.spec.of_split(names[0]) if names and loaded.spec.split not in _HELD_OUT else None


def gather(
    settings: DataSection, *, task: TaskName = "preference", on_progress: OnProgress | None = None
) -> tuple[LoadedPreferences, Selection]:
    """Read and select the rows of a run.

    Args:
        settings: the data section of its recipe.
        task: the task of the run.
        on_progress: called with the share of a source that was read.
    Returns:
        The training source as it was read, and the selection.
    Raises:
        InputError: a source, a row or a setting is wrong, or nothing remains to train on.
    """

    def read(spec: SourceSpec) -> LoadedPreferences:
        return load_for(
            spec,
            task,
            schema=settings.schema_,
            columns=settings.columns,
            transform=settings.transform,
            skip_bad_rows=settings.skip_bad_rows,
            on_progress=on_progress,
        )

    loaded = read(training_source(settings))
    other = held_out_source(settings)
    return loaded, select(loaded, settings, held_out=read(other) if other else None)
