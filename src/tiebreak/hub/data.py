"""`push_data`: a source in the canonical form to a data set repository of the Hub, or into a folder that shows it.

With it goes a card: what its rows are, where they come from, and what was dropped on the way. Its head lets the Hub
show the rows and `datasets` load them. Whatever came from names or data is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.data.convert import write_rows, written_features
from tiebreak.data.load import LoadedPreferences, load_preferences
from tiebreak.data.reading.rows import OnProgress
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.formatting.hub_names import HERE, hub_id, last_part, license_fields, public_name
from tiebreak.formatting.text import fenced, front_matter, inline, one_line, table
from tiebreak.hub.staging import Staged, staged, staging_folder
from tiebreak.hub.upload import Pushed, Target, check_repo, deliver, dry_run_folder
from tiebreak.tasks import TASKS

_SHARD = 500 << 20  # bytes in memory: what the Hub's viewer reads in one go
_SPLIT = re.compile(r"\w+(\.\w+)*")
_OURS = ("data/*.parquet",)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_COLUMNS = (
    ("prompt", "the conversation so far: a list of turns, each a `role` and a `content`"),
    ("chosen", "the better completion"),
    ("rejected", "the worse completion"),
    ("id", "the row's own id, where its source has one"),
    ("weight", "how much the pair counts, 1 where nothing else is said"),
    ("chosen_score", "score of the better completion, where there is one"),
    ("rejected_score", "score of the worse completion, where there is one"),
    ("tools", "the tools that could be called, as JSON, where rows have any"),
    ("chosen_turns", "the turns of a better completion that is more than one plain answer, where rows have any"),
    ("rejected_turns", "the same of the worse completion"),
    ("source", "where the pair is from, where rows say so"),
    ("category", "of what kind it is, where rows say so"),
)


@dataclass(frozen=True)
class Part:
    """A split: its name, its rows, and the size of its files in bytes."""

    name: str
    loaded: LoadedPreferences
    bytes: int

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return len(self.loaded.dataset)


def push_data(
    source: str | SourceSpec,
    repo: str,
    *,
    splits: Sequence[str] = (),
    schema: str = "auto",
    columns: Mapping[str, object] | None = None,
    transform: str | None = None,
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
        schema, columns, transform, skip_bad_rows, max_rows, on_progress: as for `load_preferences`.
        private: make it private.
        license: of the data, for the card; None is unknown.
        revision: branch to upload to; made if it is missing.
        dry_run: write what would be uploaded into a folder; needs no network, unless the source does.
        out: that folder; None is `NAME-dry-run` in the working directory.
        say: called with what the user should know; None is nobody.
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
    shown = dry_run_folder(repo, out, dry_run=dry_run)
    parts = {
        split or "train": load_preferences(
            spec.of_split(split) if split else spec,
            schema=schema,
            columns=columns,
            transform=transform,
            skip_bad_rows=skip_bad_rows,
            max_rows=max_rows,
            on_progress=on_progress,
        )
        for split in wanted
    }
    with staging_folder() as folder:
        what = stage_data(parts, folder, spec.source, repo, license_=license)
        message = f"Upload {last_part(spec.source)} with Tiebreak"
        target = Target(repo, "dataset", private, revision)
        return deliver(what, target, message=message, ours=_OURS, shown=shown, say=say)


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
    features = written_features([loaded.dataset for loaded in parts.values()])
    for name, loaded in parts.items():
        rows = len(loaded.dataset)
        if not rows:
            raise InputError(f"The split '{name}' of '{source}' holds no {TASKS[loaded.task].example}.", where=source)
        count = min(rows, -(-loaded.dataset.data.nbytes // _SHARD) or 1)
        size = 0
        for i in range(count):
            file = to / "data" / f"{name}-{i:05d}-of-{count:05d}.parquet"
            shard = loaded.dataset.shard(count, i, contiguous=True) if count > 1 else loaded.dataset
            write_rows(shard, file, features=features)
            size += file.stat().st_size
        written.append(Part(name, loaded, size))
    write_text(to / "README.md", data_card(written, source, repo, license_=license_))
    return staged(to)


def data_card(
    parts: Sequence[Part], source: str, repo: str, *, license_: str | None, roots: Sequence[Path] = HERE
) -> str:
    """The README.md of a data set.

    Args:
        parts: its splits, at least one.
        source: where it was read from, as the user named it.
        repo: the Hub id it gets.
        license_: as the user states it; None is unknown.
        roots: folders in which the source's name may be a path.
    """
    task = TASKS[parts[0].loaded.task]
    name, schema = public_name(source, roots), parts[0].loaded.recognition.schema
    sizes = [[inline(part.name), f"{part.rows:,}", f"{part.bytes:,}"] for part in parts]
    sections = [
        f"# {inline(last_part(name))} as preferences",
        f"Comparisons of two answers, read from {inline(name)} (format {inline(schema)}) and written in one form "
        "with Tiebreak. A row is a pair: what was asked, the answer that was preferred, and the one that was not.",
        f"## Size\n\n{table(['split', task.examples, 'bytes'], sizes)}",
        f"## Columns\n\n{table(['column', 'what it is'], [[f'`{column}`', what] for column, what in _COLUMNS])}",
        f"## What was dropped\n\n{_dropped(parts)}",
        f"## Use\n\n{_use(parts, repo)}",
        f"## License\n\n{_license(license_)}",
    ]
    return _head(parts, source, license_, roots) + "\n" + "\n\n".join(sections) + "\n"


def _head(parts: Sequence[Part], source: str, license_: str | None, roots: Sequence[Path]) -> str:
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from datasets.splits import SplitDict, SplitInfo
    from huggingface_hub import DatasetCardData

    total = sum(part.rows for part in parts)
    fields: dict[str, Any] = license_fields(one_line(license_)) if license_ else {"license": "unknown"}
    fields |= {
        "task_categories": ["text-generation"],
        "tags": [*TASKS[parts[0].loaded.task].tags, "tiebreak"],
        "size_categories": [next((word for limit, word in _SIZES if total < limit), "n>1M")],
    }
    if base := hub_id(source, roots):
        fields["source_datasets"] = [base]
    splits = SplitDict()
    for part in parts:
        splits.add(SplitInfo(part.name, num_bytes=part.loaded.dataset.data.nbytes, num_examples=part.rows))
    info = DatasetInfo(
        features=written_features([part.loaded.dataset for part in parts]),
        splits=splits,
        download_size=sum(part.bytes for part in parts),
        dataset_size=sum(part.loaded.dataset.data.nbytes for part in parts),
    )
    described = DatasetCardData()
    DatasetInfosDict({"default": info}).to_dataset_card_data(described)
    files = [{"split": part.name, "path": f"data/{part.name}-*"} for part in parts]
    fields |= {"dataset_info": described["dataset_info"], "configs": [{"config_name": "default", "data_files": files}]}
    return front_matter(fields)


def _dropped(parts: Sequence[Part]) -> str:
    rows = [[inline(part.name), inline(reason), f"{count:,}"] for part in parts for reason, count in _reasons(part)]
    if not rows:
        return "Nothing: every row of the source is here."
    return table(["split", "reason", "rows"], rows[:60])


def _reasons(part: Part) -> list[tuple[str, int]]:
    report = part.loaded.report
    counts: Mapping[str, int] = {reason: tally.count for reason, tally in report.dropped.items()}
    bad = [("could not be read", report.bad.count)] if report.bad.count else []
    return sorted(counts.items(), key=lambda item: -item[1]) + bad


def _use(parts: Sequence[Part], repo: str) -> str:
    task = TASKS[parts[0].loaded.task]
    split = next((part.name for part in parts if part.name == "train"), parts[0].name)
    option = "" if split == "train" else f" --set data.split={split}"
    python = f'from datasets import load_dataset\n\npairs = load_dataset("{repo}", split="{split}")\nprint(pairs[0])'
    return f"{fenced(python, 'python')}\n\n{fenced(f'tiebreak {task.command} --data {repo}{option}', 'sh')}"


def _license(license_: str | None) -> str:
    if license_ is None:
        return "Unknown: whoever uploaded it did not state one. The terms of the source hold."
    return f"{inline(license_)}, as stated by whoever uploaded it. The terms of the source hold too."
