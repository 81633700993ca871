"""From a source to canonical rows that are memory-mapped: the way into the data room.

Knows what makes two readings the same; finding, reading, converting and keeping are elsewhere. No list of all rows is
ever held: 160,000 pairs need no more memory than 2,000.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiebreak.data import cache
from tiebreak.data.account import LoadReport
from tiebreak.data.preference import Kind
from tiebreak.data.reading import Reading
from tiebreak.data.recognise import Recognition, WrongKind, named
from tiebreak.data.sources import OnProgress, SourceSpec, open_source

if TYPE_CHECKING:
    from datasets import Dataset, Features

# Raised whenever the same source may give other rows than before.
_EDITION = 2


@dataclass(frozen=True)
class LoadedPreferences:
    """The canonical rows of a source, memory-mapped, and how they came about.

    Attributes:
        dataset: rows with the columns of `to_row` of a `Preference`, a `Demonstration` or a `LabelledCompletion`.
        recognition: the format, and how it was recognised.
        report: what was read, made and left out.
        fingerprint: differs when the rows may differ.
        spec: what was asked for.
        kind: what the rows are.
    """

    dataset: Dataset
    recognition: Recognition
    report: LoadReport
    fingerprint: str
    spec: SourceSpec
    kind: Kind = "preference"


def load_preferences(
    spec: SourceSpec,
    *,
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read the pairs of a source. A second reading of the same source is instant.

    Args:
        spec: which source.
        schema: the name of a format, or `auto` to recognise it.
        skip_bad_rows: go on at a row that cannot be read, and report it.
        max_rows: stop after so many rows.
        on_progress: told the share that was read.
    Returns:
        The pairs, their format, and the account.
    Raises:
        InputError: the source, its format or a row of it is wrong.
        RunError: the cache cannot be written.
    """
    return _load(spec, "preference", schema, skip_bad_rows, max_rows, on_progress)


def load_demonstrations(
    spec: SourceSpec,
    *,
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read rows for supervised training: supervised formats, or the chosen endings of preferences, or the good ones.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, with the columns of `Demonstration.to_row`.
    """
    return _load(spec, "supervised", schema, skip_bad_rows, max_rows, on_progress)


def load_labelled(
    spec: SourceSpec,
    *,
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read answers that are called good or bad: unpaired formats, or preferences, each split into its two endings.

    Args, Raises: as for `load_preferences`.
    Returns:
        The rows, with the columns of `LabelledCompletion.to_row`.
    """
    return _load(spec, "labelled", schema, skip_bad_rows, max_rows, on_progress)


def load_kind(
    spec: SourceSpec,
    kind: Kind,
    *,
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read the rows of a source as one kind; otherwise as `load_preferences`."""
    return _load(spec, kind, schema, skip_bad_rows, max_rows, on_progress)


def load_as_it_is(
    spec: SourceSpec,
    *,
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedPreferences:
    """Read a source as the kind that it has by itself; `kind` of what comes back tells which."""
    try:
        return _load(spec, "preference", schema, skip_bad_rows, max_rows, on_progress)
    except WrongKind as other:
        return _load(spec, other.found, schema, skip_bad_rows, max_rows, on_progress)


def preference_features() -> Features:
    """The columns of `Preference.to_row` and their types."""
    from datasets import Features, Value

    text, number = Value("string"), Value("float64")
    return Features(
        {
            "prompt": [{"role": text, "content": text}],
            "chosen": text,
            "rejected": text,
            "id": text,
            "weight": number,
            "chosen_score": number,
            "rejected_score": number,
        }
    )


def demonstration_features() -> Features:
    """The columns of `Demonstration.to_row` and their types."""
    from datasets import Features, Value

    text = Value("string")
    return Features(
        {"prompt": [{"role": text, "content": text}], "completion": text, "id": text, "weight": Value("float64")}
    )


def labelled_features() -> Features:
    """The columns of `LabelledCompletion.to_row` and their types."""
    from datasets import Features, Value

    text = Value("string")
    return Features(
        {
            "prompt": [{"role": text, "content": text}],
            "completion": text,
            "label": Value("bool"),
            "id": text,
            "weight": Value("float64"),
        }
    )


_FEATURES = {
    "preference": preference_features,
    "supervised": demonstration_features,
    "labelled": labelled_features,
}


def _load(
    spec: SourceSpec,
    kind: Kind,
    schema: str,
    skip_bad_rows: bool,
    max_rows: int | None,
    on_progress: OnProgress | None,
) -> LoadedPreferences:
    from datasets import Dataset

    if schema != "auto":
        named(schema, kind)
    source = open_source(spec)
    settings = f"{_EDITION}\0{kind}\0{source.name}\0{source.fingerprint}\0{schema}\0{skip_bad_rows}\0{max_rows}"
    fingerprint = hashlib.sha256(settings.encode()).hexdigest()[:32]
    found = cache.lookup(fingerprint)
    if found is None:
        reading = Reading(
            source,
            kind,
            schema=schema,
            skip_bad_rows=skip_bad_rows,
            max_rows=max_rows,
            on_progress=on_progress or (lambda _share: None),
        )
        found = cache.store(fingerprint, _FEATURES[kind](), reading.rows(), reading.facts)
    path, facts = found
    return LoadedPreferences(
        dataset=Dataset.from_file(str(path)),
        recognition=Recognition(**facts["recognition"]),
        report=LoadReport.from_json(facts["report"]),
        fingerprint=fingerprint,
        spec=spec,
        kind=kind,
    )
