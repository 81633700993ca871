"""The layout of a run folder, and what keeps two processes from writing to the same one."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.files import write_json, write_text
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs.loop import RUN_OF_TURN, STATE

RUNS = Path("runs")
_CHECKPOINT = re.compile(r"^checkpoint-(\d+)$")


@dataclass(frozen=True)
class RunFolder:
    """A run on the disk.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def title(self) -> str:
        """What the run is called: as its folder, or of a loop's turn as the turn."""
        path = Path(os.path.abspath(self.path))  # noqa: PTH100 - a link keeps its name
        of_turn = path.name == RUN_OF_TURN and (path.parent.parent / STATE).is_file()
        return path.parent.name if of_turn else path.name

    @property
    def recipe_path(self) -> Path:
        """Exactly what ran, defaults included."""
        return self.path / "recipe.yaml"

    @property
    def manifest_path(self) -> Path:
        """Versions, hardware, fingerprints, timings, final metrics, how it ended."""
        return self.path / "manifest.json"

    @property
    def metrics_path(self) -> Path:
        """One JSON object a logged step."""
        return self.path / "metrics.jsonl"

    @property
    def samples_path(self) -> Path:
        """Held-out prompts answered by the model before and after."""
        return self.path / "samples.json"

    @property
    def checkpoints(self) -> Path:
        """Whole checkpoints only."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The trained model; loads with `from_pretrained`."""
        return self.path / "model"

    @property
    def report_path(self) -> Path:
        """One HTML file."""
        return self.path / "report.html"

    @classmethod
    def create(cls, recipe: Recipe, path: Path | None = None) -> RunFolder:
        """Make a new run folder.

        Args:
            recipe: what will run.
            path: where; None makes a name from model and data under `runs/`.
        Raises:
            InputError: the folder exists and is not empty, or cannot be made.
        """
        folder = cls(path) if path is not None else cls(_free_name(recipe))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            if any(folder.path.iterdir()):
                raise InputError(
                    f"The folder '{folder.path}' is not empty.",
                    where="--out",
                    fix="choose another folder, or add --resume to go on with the run that is in it",
                )
            write_text(folder.recipe_path, recipe.to_yaml())
        except OSError as error:
            raise InputError(f"The run folder cannot be made: {error}.", where=str(folder.path)) from None
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run folder.

        Raises:
            InputError: it is not one.
        """
        folder = cls(path)
        if not folder.recipe_path.is_file():
            near = ", ".join(str(run.path) for run in list_runs()[:5])
            raise InputError(
                f"'{path}' is not a run folder: it has no recipe.yaml.",
                fix=f"the newest runs here: {near}" if near else "`tiebreak runs list` shows the runs of this folder",
            )
        return folder

    def recipe(self) -> Recipe:
        """The recipe that ran."""
        return load_recipe(self.recipe_path)

    def manifest(self) -> dict[str, Any]:
        """What is recorded; empty before the run began."""
        try:
            recorded: dict[str, Any] = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise InputError(f"The manifest is damaged: {error}.", where=str(self.manifest_path)) from None
        return recorded

    def record(self, **entries: Any) -> None:
        """Add or replace entries of the manifest."""
        write_json(self.manifest_path, {**self.manifest(), **entries})

    def discard(self) -> None:
        """Remove a run that never began: its recipe, manifest and lock, and the folder if nothing else is in it."""
        for name in (self.recipe_path, self.manifest_path, self.path / ".lock"):
            name.unlink(missing_ok=True)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint, or None."""
        if not self.checkpoints.is_dir():
            return None
        steps = [int(found[1]) for entry in self.checkpoints.iterdir() if (found := _CHECKPOINT.match(entry.name))]
        return self.checkpoints / f"checkpoint-{max(steps)}" if steps else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; the system lets go of it however the process ends.

        Raises:
            InputError: another process holds it.
        """
        with (self.path / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InputError(
                    f"The run '{self.path}' is being trained by another process.",
                    fix="wait for it, or choose another folder with --out",
                ) from None
            yield


def list_runs(parent: Path = RUNS) -> list[RunFolder]:
    """The runs in a folder, newest first."""
    if not parent.is_dir():
        return []
    found = [RunFolder(entry) for entry in parent.iterdir() if (entry / "recipe.yaml").is_file()]
    return sorted(found, key=lambda run: run.recipe_path.stat().st_mtime, reverse=True)


def _free_name(recipe: Recipe) -> Path:
    """A folder of our own: `runs/MODEL-DATA-N`, made by this call so that two runs at once never share it."""
    stem = "-".join(_short(name) for name in (recipe.model.name, recipe.data.source))
    RUNS.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = RUNS / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path


def _short(name: str) -> str:
    last = name.rstrip("/").split("/")[-1].split(":")[-1]
    for ending in (".gz", ".zst", ".jsonl", ".json", ".csv", ".parquet", ".arrow"):
        last = last.removesuffix(ending)
    return re.sub(r"[^A-Za-z0-9._]+", "-", last).strip("-.") or "run"
