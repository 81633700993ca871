"""How a search over recipes stands, for whoever looks on: its trials, which are best, and what is to be said of it.

Written by the search at each change, so that nobody has to open its storage. The figures of its runs are in their own
folders. Reading writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from tiebreak.runs.folder import RunFolder
from tiebreak.runs.record import Record, parse_record, read_json, write_record

SEARCH = "search.json"
"""The file, in the folder of a search."""
TRIALS = "trials"
"""The folder of its runs, beside it."""


class SaidRecord(Record):
    """A finding on a search.

    Attributes:
        severity: `stop`, `warning` or `note`.
        name: stable, in kebab case.
        title: in a few words.
        figures: that show it, in words.
    """

    severity: str
    name: str
    title: str
    figures: str = ""


class TrialRecord(Record):
    """A trial as it stands, in words.

    Attributes:
        number: from 0.
        state: `waiting`, `running`, `finished`, `pruned` or `failed`.
        settings: of each key that is varied its value.
        values: of each metric that trials are ranked by; of one that is not finished the last of the first.
        reason: why it failed or was ended early.
        runs: names of its run folders.
    """

    number: int
    state: str
    settings: dict[str, str] = Field(default_factory=dict)
    values: tuple[str, ...] = ()
    reason: str | None = None
    runs: tuple[str, ...] = ()


class SearchRecord(Record):
    """A search as it stands.

    Attributes:
        over: the keys that are varied.
        goals: the metrics that trials are ranked by.
        limit: trials at most.
        trials: in their order, as many as there are.
        ranked: numbers of those that have a result, the best first.
        best: numbers of the best: one, or of several metrics the Pareto front.
        findings: the most severe first.
        written: how many trials had ended when results and findings were written last.
    """

    over: tuple[str, ...]
    goals: tuple[str, ...]
    limit: int
    trials: tuple[TrialRecord, ...] = ()
    ranked: tuple[int, ...] = ()
    best: tuple[int, ...] = ()
    findings: tuple[SaidRecord, ...] = ()
    written: int = 0

    @property
    def ended(self) -> int:
        """How many trials have ended, in whichever way."""
        return sum(trial.state not in ("waiting", "running") for trial in self.trials)


def read_search(folder: Path) -> SearchRecord:
    """How a search stands.

    Args:
        folder: of the search.
    Raises:
        FileNotFoundError: it says nothing yet.
        InputError: what it says is damaged.
    """
    path = folder / SEARCH
    return parse_record(SearchRecord, read_json(path, what="search"), what="search", where=str(path))


def write_search(folder: Path, record: SearchRecord) -> None:
    """Replace what a search says at once."""
    write_record(folder / SEARCH, record)


def list_searches(parents: Iterable[Path]) -> list[Path]:
    """The folders of searches in some folders, the newest first; each once.

    Args:
        parents: that need not be there.
    """
    entries = [entry for parent in parents if parent.is_dir() for entry in parent.iterdir()]
    found = {entry.resolve(): entry for entry in entries if (entry / SEARCH).is_file()}
    return sorted(found.values(), key=lambda entry: (entry / SEARCH).stat().st_mtime, reverse=True)


def runs_of(folder: Path, trial: TrialRecord) -> list[RunFolder]:
    """The run folders of a trial that were begun."""
    runs = [RunFolder(folder / TRIALS / name) for name in trial.runs]
    return [run for run in runs if run.recipe_path.is_file()]
