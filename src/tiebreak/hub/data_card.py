"""The card of a data set: what its rows are, where they come from, and what was left out on the way.

Its head lets the Hub show the rows and `datasets` load them. Whatever came from names or data is quoted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tiebreak.report.hub_ids import HERE, hub_id, last_part, public_name
from tiebreak.report.licenses import license_fields
from tiebreak.report.markdown import fenced, inline, table
from tiebreak.report.text import one_line

if TYPE_CHECKING:
    from tiebreak.data.load import LoadedPreferences

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_COLUMNS = (
    ("prompt", "the conversation so far: a list of turns, each a `role` and a `content`"),
    ("chosen", "the better ending"),
    ("rejected", "the worse ending"),
    ("id", "the row's own id, where its source has one"),
    ("weight", "how much the pair counts, 1 where nothing else is said"),
    ("chosen_score", "score of the better ending, where there is one"),
    ("rejected_score", "score of the worse ending, where there is one"),
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
    name, schema = public_name(source, roots), parts[0].loaded.recognition.schema
    sizes = [[inline(part.name), f"{part.rows:,}", f"{part.bytes:,}"] for part in parts]
    sections = [
        f"# {inline(last_part(name))} as preferences",
        f"Comparisons of two answers, read from {inline(name)} (format {inline(schema)}) and written in one form "
        "with Tiebreak. A row is a pair: what was asked, the answer that was preferred, and the one that was not.",
        f"## Size\n\n{table(['split', 'pairs', 'bytes'], sizes)}",
        f"## Columns\n\n{table(['column', 'what it is'], [[f'`{column}`', what] for column, what in _COLUMNS])}",
        f"## What was left out\n\n{_left_out(parts)}",
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
        "tags": ["preference", "dpo", "tiebreak"],
        "size_categories": [next((word for limit, word in _SIZES if total < limit), "n>1M")],
    }
    if base := hub_id(source, roots):
        fields["source_datasets"] = [base]
    splits = SplitDict()
    for part in parts:
        splits.add(SplitInfo(part.name, num_bytes=part.loaded.dataset.data.nbytes, num_examples=part.rows))
    info = DatasetInfo(
        features=parts[0].loaded.dataset.features,
        splits=splits,
        download_size=sum(part.bytes for part in parts),
        dataset_size=sum(part.loaded.dataset.data.nbytes for part in parts),
    )
    described = DatasetCardData()
    DatasetInfosDict({"default": info}).to_dataset_card_data(described)
    files = [{"split": part.name, "path": f"data/{part.name}-*"} for part in parts]
    fields |= {"dataset_info": described["dataset_info"], "configs": [{"config_name": "default", "data_files": files}]}
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n"


def _left_out(parts: Sequence[Part]) -> str:
    rows = [[inline(part.name), inline(reason), f"{count:,}"] for part in parts for reason, count in _reasons(part)]
    if not rows:
        return "Nothing: every row of the source is here."
    return table(["split", "reason", "rows"], rows[:60])


def _reasons(part: Part) -> list[tuple[str, int]]:
    report = part.loaded.report
    counts: Mapping[str, int] = {reason: tally.count for reason, tally in report.left_out.items()}
    bad = [("could not be read", report.bad.count)] if report.bad.count else []
    return sorted(counts.items(), key=lambda item: -item[1]) + bad


def _use(parts: Sequence[Part], repo: str) -> str:
    split = next((part.name for part in parts if part.name == "train"), parts[0].name)
    option = "" if split == "train" else f" --set data.split={split}"
    python = f'from datasets import load_dataset\n\npairs = load_dataset("{repo}", split="{split}")\nprint(pairs[0])'
    return f"{fenced(python, 'python')}\n\n{fenced(f'tiebreak train --data {repo}{option}', 'sh')}"


def _license(license_: str | None) -> str:
    if license_ is None:
        return "Unknown: whoever uploaded it did not state one. The terms of the source hold."
    return f"{inline(license_)}, as stated by whoever uploaded it. The terms of the source hold too."
