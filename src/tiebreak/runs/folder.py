"""The layout of a run folder, how a run is found by its name, and what keeps two processes from writing to one.

Knows which file holds what; what the files say is known to `manifest`, `samples`, `metrics_file` and `recipe`.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.recipe import Recipe, load_recipe
from tiebreak.runs.loop import RUN_OF_TURN, STATE
from tiebreak.runs.manifest import BeforeRecord, Manifest, read_manifest, write_manifest
from tiebreak.runs.record import parse_record, read_json, write_record
from tiebreak.runs.samples import Sample, read_samples
from tiebreak.tasks import TaskName

RUNS = Path("runs")
_BEFORE = "file of measurements before the run"
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
    def before_path(self) -> Path:
        """What was measured before the first step, for a run that is resumed."""
        return self.path / "before.json"

    @property
    def samples_path(self) -> Path:
        """Held-out prompts answered by the model before and after."""
        return self.path / "samples.json"

    @property
    def held_out_rows_path(self) -> Path:
        """The held-out rows themselves, in the canonical form: a source for `tiebreak evaluate`."""
        return self.path / "held_out_rows.jsonl"

    @property
    def held_out_path(self) -> Path:
        """One JSON object a held-out pair, with what training did to it."""
        return self.path / "held_out.jsonl"

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
        if path is not None:
            cls.check_free(path)
        folder = cls(path) if path is not None else cls(new_folder(recipe))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            write_text(folder.recipe_path, recipe.to_yaml())
        except OSError as error:
            raise InputError(f"The run folder cannot be made: {error}.", where=str(folder.path)) from None
        return folder

    @classmethod
    def check_free(cls, path: Path) -> None:
        """Make sure that a run can begin in a folder; makes nothing.

        Raises:
            InputError: the folder exists and is not empty, or cannot be made or written to.
        """
        try:
            if path.is_dir() and any(not _left_by_a_kill(entry) for entry in path.iterdir()):
                is_run = (path / "recipe.yaml").is_file()
                instead = "add --resume to go on with the run that is in it" if is_run else "empty it"
                raise InputError(
                    f"The folder '{path}' is not empty.", where="--out", fix=f"choose another folder, or {instead}"
                )
            there = Path(os.path.abspath(path))  # noqa: PTH100  a link keeps its name
            while not there.exists() and there != there.parent:
                there = there.parent
            if not there.is_dir():
                raise NotADirectoryError(f"'{there}' is a file")
            if not os.access(there, os.W_OK | os.X_OK):
                raise PermissionError(f"'{there}' cannot be written to")
        except OSError as error:
            raise InputError(
                f"The run folder cannot be made: {error}.", where=str(path), fix="choose another folder with --out"
            ) from None

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

    def load_manifest(self) -> Manifest:
        """What is recorded; an empty manifest before the run began.

        A run that ended before it recorded its task has that of its recipe.

        Raises:
            InputError: the file is damaged, or a later version of Tiebreak wrote it.
        """
        manifest = read_manifest(self.manifest_path)
        return manifest if "task" in manifest.model_fields_set else manifest.replace(task=self._task_of_recipe())

    def _task_of_recipe(self) -> TaskName:
        try:
            task = self.recipe().known_task
        except InputError:  # a recipe of another version: what is recorded can be shown without it
            task = None
        return Manifest().task if task is None else task.name

    def save_manifest(self, manifest: Manifest) -> None:
        """Replace what is recorded."""
        write_manifest(self.manifest_path, manifest)

    def update_manifest(self, **fields: Any) -> None:
        """Record some fields; the others stay.

        Raises:
            ValueError: the manifest has no such field, or a value is not of its type.
        """
        self.save_manifest(self.load_manifest().replace(**fields))

    def before(self) -> BeforeRecord | None:
        """What the model was like before its first step; None where that was not measured yet.

        Raises:
            InputError: the file is damaged, or a later version of Tiebreak wrote it.
        """
        if not self.before_path.is_file():
            return None
        where = str(self.before_path)
        return parse_record(BeforeRecord, read_json(self.before_path, what=_BEFORE), what=_BEFORE, where=where)

    def save_before(self, before: BeforeRecord) -> None:
        """Keep what was measured before the first step."""
        write_record(self.before_path, before)

    def samples(self) -> tuple[Sample, ...]:
        """Held-out prompts with the answers before and after; none before the run is finished."""
        return read_samples(self.samples_path)

    def discard(self) -> None:
        """Remove what a run wrote before its first step, and the folder if nothing else is in it."""
        for name in (self.recipe_path, self.manifest_path, self.held_out_rows_path, self.path / ".lock"):
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
            InputError: another process holds it, or the folder cannot be written to.
        """
        try:
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise InputError(
                f"The run folder cannot be written to: {error.strerror or error}.",
                where=str(self.path),
                fix="make it writable, or copy the run to a folder that is",
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"The run '{self.path}' is being trained by another process.",
                    fix="wait for it, or choose another folder with --out",
                ) from None
            except OSError as error:  # some network drives
                raise InputError(
                    f"The file system does not keep two processes from one run: {error.strerror or error}.",
                    where=str(self.path),
                    fix="choose a folder on a local disk with --out",
                ) from None
            yield


def _left_by_a_kill(entry: Path) -> bool:
    """Whether a file is the beginning of a recipe, and all that a run left which was killed as it began."""
    return entry.name.startswith(".recipe.yaml.") and entry.suffix == ".partial"


def list_runs(parent: Path = RUNS) -> list[RunFolder]:
    """The runs in a folder, newest first."""
    if not parent.is_dir():
        return []
    found = [RunFolder(entry) for entry in parent.iterdir() if (entry / "recipe.yaml").is_file()]
    return sorted(found, key=lambda run: run.recipe_path.stat().st_mtime, reverse=True)


def find_run(name: str, parent: Path = RUNS) -> RunFolder:
    """The run that a user named.

    Args:
        name: a run folder, or the name of one in `parent`.
        parent: where runs lie.
    Returns:
        The run.
    Raises:
        InputError: there is no such run; the nearest names are proposed.
    """
    for path in (Path(name).expanduser(), parent / name):
        # An empty name would be the current folder.
        if name.strip() and (path / "recipe.yaml").is_file():
            return RunFolder(path)
    raise InputError(f"There is no run '{name}'.", where=str(parent), fix=_hint(name, parent))


def _hint(name: str, parent: Path) -> str:
    names = [run.path.name for run in list_runs(parent)]
    if not names:
        return "there are no runs here yet; `tiebreak quickstart` makes one"
    near = difflib.get_close_matches(Path(name).name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"the newest runs here: {', '.join(names[:5])}"


def new_folder(recipe: Recipe, parent: Path = RUNS) -> Path:
    """A folder of our own: `runs/MODEL-DATA-N`, made by this call so that two runs at once never share it.

    Args:
        recipe: names model and data.
        parent: where it is made.
    """
    stem = "-".join(_short(name) for name in (recipe.model.name, recipe.data.source))
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path


def _short(name: str) -> str:
    last = name.rstrip("/").split("/")[-1].split(":")[-1]
    for suffix in (".gz", ".zst", ".jsonl", ".json", ".csv", ".parquet", ".arrow"):
        last = last.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9._]+", "-", last).strip("-.") or "run"
