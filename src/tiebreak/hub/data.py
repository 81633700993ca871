"""`push_data`: a source in the canonical form to a data set repository of the Hub, or into a folder that shows it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tiebreak.data.convert import write_rows
from tiebreak.data.load import LoadedPreferences, load_preferences
from tiebreak.data.sources import OnProgress, SourceSpec
from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.hub.data_card import Part, data_card
from tiebreak.hub.models import Pushed
from tiebreak.hub.refusals import logged_in
from tiebreak.hub.staged import Staged, check_out, keep, staged, staging_folder
from tiebreak.hub.upload import Target, check_repo, upload
from tiebreak.report.hub_ids import last_part

_SHARD = 500 << 20  # bytes in memory: what the Hub's viewer reads in one go
_SPLIT = re.compile(r"\w+(\.\w+)*")
_OURS = ("data/*.parquet",)


def push_data(
    source: str | SourceSpec,
    repo: str,
    *,
    splits: Sequence[str] = (),
    schema: str = "auto",
    skip_bad_rows: bool = False,
    max_rows: int | None = None,
    private: bool = False,
    license: str | None = None,
    revision: str | None = None,
    dry_run: bool = False,
    out: Path | str | None = None,
    say: Callable[[str], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Pushed:
    """Upload preferences in the canonical form: Parquet files and a card, in one commit.

    Args:
        source: Hub id, file, folder of shards, or `bundled:preferences`.
        repo: `owner/name`; the repository is made if it is missing.
        splits: splits of the source, uploaded under their names; none is its train split, or the only one, as `train`.
        schema, skip_bad_rows, max_rows, on_progress: as for `load_preferences`.
        private: make it private.
        license: of the data, for the card; None is unknown.
        revision: branch to upload to; made if it is missing.
        dry_run: write what would be uploaded into a folder; needs no network, unless the source does.
        out: that folder; None is `NAME-dry-run` in the working directory.
        say: told what the user should know; None is nobody.
    Raises:
        InputError: the source is wrong, or the Hub refuses.
        RunError: the Hub failed or the connection was lost.
        Interrupted: somebody stopped it.
    """
    check_repo(repo)
    spec = SourceSpec(source) if isinstance(source, str) else source
    wanted: list[str | None] = [*splits] or [spec.split]
    for split in wanted:
        if split is not None and not _SPLIT.fullmatch(split):
            raise InputError(f"The Hub has no splits called '{split}'.", where="--split", fix="letters, digits and _")
    folder = Path(out) if out is not None else Path(f"{repo.split('/')[1]}-dry-run")
    if dry_run:
        check_out(folder)
    elif out is not None:
        raise InputError("--out is for --dry-run.", where="--out", fix="leave it out, or add --dry-run")
    else:
        logged_in()  # reading takes minutes, and should not have been for nothing
    parts = {
        split or "train": load_preferences(
            spec.of_split(split) if split else spec,
            schema=schema,
            skip_bad_rows=skip_bad_rows,
            max_rows=max_rows,
            on_progress=on_progress,
        )
        for split in wanted
    }
    with staging_folder() as place:
        what = stage_data(parts, place, spec.source, repo, license_=license)
        if dry_run:
            return Pushed(repo, what.files, folder=keep(what, folder).folder)
        target = Target(repo, "dataset", private, revision)
        message = f"Upload {last_part(spec.source)} with Tiebreak"
        done = upload(what, target, message=message, ours=_OURS, say=say or (lambda _text: None))
    return Pushed(repo, what.files, committed=done)


def stage_data(
    parts: dict[str, LoadedPreferences], to: Path, source: str, repo: str, *, license_: str | None
) -> Staged:
    """Put everything that is uploaded into a folder.

    Args:
        parts: the rows of each split, by the name that it gets.
        to: an empty folder.
        source, repo, license_: as for `data_card`.
    Raises:
        InputError: a split has no rows.
        RunError: the disk does not take it.
    """
    (to / "data").mkdir()
    written = []
    for name, loaded in parts.items():
        rows = len(loaded.dataset)
        if not rows:
            raise InputError(f"The split '{name}' of '{source}' holds no pair.", where=source)
        count = min(rows, -(-loaded.dataset.data.nbytes // _SHARD) or 1)
        size = 0
        for i in range(count):
            file = to / "data" / f"{name}-{i:05d}-of-{count:05d}.parquet"
            write_rows(loaded.dataset.shard(count, i, contiguous=True) if count > 1 else loaded.dataset, file)
            size += file.stat().st_size
        written.append(Part(name, loaded, size))
    write_text(to / "README.md", data_card(written, source, repo, license_=license_))
    return staged(to)
