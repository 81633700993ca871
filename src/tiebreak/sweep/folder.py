"""The layout of a search's folder, and the locks by which its workers keep out of each other's way.

Knows which file holds what. The system lets go of a lock however its process ends, so that a trial whose process was
killed is free for the next one.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs.folder import RunFolder, new_folder
from tiebreak.runs.search import TRIALS

SWEEPS = Path("sweeps")
"""Where searches lie whose folder nobody named."""


@dataclass(frozen=True)
class SweepFolder:
    """A search on the disk.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def recipe_path(self) -> Path:
        """The recipe with its section `sweep`, exactly as it is searched."""
        return self.path / "sweep.yaml"

    @property
    def journal_path(self) -> Path:
        """The trials, where the recipe names no other storage."""
        return self.path / "study.journal"

    @property
    def database_path(self) -> Path:
        """The trials, where the recipe says sqlite."""
        return self.path / "study.sqlite"

    @property
    def trials(self) -> Path:
        """A run folder for each run of each trial."""
        return self.path / TRIALS

    @property
    def best_recipe_path(self) -> Path:
        """The recipe of the best trial: `tiebreak train best.yaml` does it again."""
        return self.path / "best.yaml"

    @property
    def best_link(self) -> Path:
        """A link to the model of the best trial."""
        return self.path / "best"

    @property
    def csv_path(self) -> Path:
        """A row a trial."""
        return self.path / "results.csv"

    @property
    def workbook_path(self) -> Path:
        """Trials, settings and the best recipe as sheets."""
        return self.path / "results.xlsx"

    @property
    def report_path(self) -> Path:
        """One HTML file."""
        return self.path / "report.html"

    def run(self, number: int, repeat: int, repeats: int) -> RunFolder:
        """The run folder of one run of a trial.

        Args:
            number: of the trial.
            repeat: which of its runs, from 0.
            repeats: how many it has.
        """
        name = f"{number:04d}" if repeats == 1 else f"{number:04d}-seed-{repeat}"
        return RunFolder(self.trials / name)

    def recipe(self) -> Recipe:
        """What is searched."""
        return load_recipe(self.recipe_path)

    @property
    def identity(self) -> str:
        """What tells this search from all others, of the same recipe too, for a storage that holds several.

        Raises:
            InputError: the folder has lost it.
        """
        try:
            return self._identity_path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"The folder of the search is not whole: {error.strerror}.",
                where=str(self._identity_path),
                fix="copy folders of searches with their hidden files, or begin a new search",
            ) from None

    @property
    def _identity_path(self) -> Path:
        return self.path / ".identity"

    @classmethod
    def create(cls, recipe: Recipe, path: Path | None) -> SweepFolder:
        """Make the folder of a new search.

        Args:
            recipe: with its section `sweep`.
            path: where; None makes a name from model and data under `sweeps/`.
        Raises:
            InputError: the folder exists and is not empty, or cannot be made.
        """
        if path is not None and not cls(path)._only_begun():
            RunFolder.check_free(path)
        try:
            folder = cls(path if path is not None else new_folder(recipe, SWEEPS))
            folder.trials.mkdir(parents=True, exist_ok=True)
            write_text(folder._identity_path, secrets.token_hex(8))
            write_text(folder.recipe_path, recipe.to_yaml())  # the last one: with it the search has begun
        except OSError as error:
            raise InputError(f"The folder cannot be made: {error}.", where=str(path or SWEEPS)) from None
        return folder

    @classmethod
    def open(cls, path: Path) -> SweepFolder:
        """The folder of a search that was begun.

        Raises:
            InputError: it is not one.
        """
        folder = cls(path)
        if not folder.recipe_path.is_file():
            raise InputError(
                f"'{path}' is not the folder of a search: it has no sweep.yaml.",
                fix="begin one with: tiebreak sweep RECIPE --out FOLDER",
            )
        return folder

    def _only_begun(self) -> bool:
        """Whether nothing is there but what a process left that was killed as it made the folder."""
        left = {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else set[str]()
        begun = {self.trials.name, self._identity_path.name}
        return left <= begun and not (self.trials.is_dir() and any(self.trials.iterdir()))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within the block no other worker takes a trial or writes results; waits for one that does."""
        with self._lock_file(".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def take(self, number: int) -> IO[str] | None:
        """Hold a trial for this process, until what is returned is closed; None where another process holds it.

        Args:
            number: of the trial.
        """
        lock = self._lock_file(f".trial-{number:04d}.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        return lock

    def _lock_file(self, name: str) -> IO[str]:
        try:
            return (self.trials / name).open("w")
        except OSError as error:
            raise InputError(
                f"The folder of the search cannot be written to: {error.strerror or error}.",
                where=str(self.path),
                fix="make it writable, or copy it to a folder that is",
            ) from None

    def link_best(self, run: RunFolder | None) -> None:
        """Let `best` lead to the model of a run, or to none."""
        target = None if run is None or not run.model.is_dir() else os.path.relpath(run.model, self.path)
        if self.best_link.is_symlink() and target is not None and str(self.best_link.readlink()) == target:
            return
        if target is None:
            self.best_link.unlink(missing_ok=True)
            return
        new = self.path / f".best.{os.getpid()}.partial"
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        new.replace(self.best_link)
