"""What can be wrong with a run, found in a moment: before torch is loaded, before anything is made.

Objective and settings, extras, the paths of data and model, the run folder, and the room on the disk for its
checkpoints. Nothing is read but names, configurations and the heads of files; no server is asked.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tiebreak.data.preparing.gather import held_out_source, training_source
from tiebreak.data.reading.fetched import STDIN, is_address
from tiebreak.data.reading.files import looks_like_a_path, no_such_file
from tiebreak.data.reading.sources import VOTES, SourceSpec, open_source
from tiebreak.errors import InputError
from tiebreak.formatting.numbers import memory
from tiebreak.metrics import best_metric
from tiebreak.models.folder import CONFIG, check_model_folder, parameters_in, read_config
from tiebreak.models.places import place_of
from tiebreak.models.size import Shape, TrainingSize, shape_of, training_size
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.votes.address import parse_address
from tiebreak.workflow.resolve import ResolvedRecipe, resolve


class DiskTooSmall(InputError):
    """The disk has no room for what a run writes."""


@dataclass(frozen=True)
class Early:
    """What is known of a run before torch is loaded.

    Attributes:
        resolved: the recipe as it runs.
        model: the folder of its model, where that is on this disk; None where it is on the Hub.
        shape: of the model, where its configuration says it.
        parameters: of the model, where its files were counted.
        size: what training takes, where the shape is known.
        disk: bytes that the run folder needs, and that are free there.
    """

    resolved: ResolvedRecipe
    model: Path | None
    shape: Shape | None
    parameters: int | None
    size: TrainingSize | None
    disk: tuple[int, int] | None


def check_early(recipe: Recipe, out: Path | None, *, new: bool = True) -> Early:
    """Find what is wrong with a run in a moment.

    Args:
        recipe: as written.
        out: the run folder; None is one that is made under `runs/`.
        new: whether the folder has to be new; a run that goes on has its own.
    Raises:
        InputError: an objective, a setting, an extra, a path or the room on the disk is wrong.
    """
    if new and out is not None:
        RunFolder.check_free(out)
    resolved = resolve(recipe)
    if recipe.train.keep_best is not None:
        best_metric(recipe.train.keep_best, resolved.task)
    _check_sources(recipe)
    model = check_model(recipe.model.name)
    shape = None if model is None or not (model / CONFIG).is_file() else shape_of(read_config(model / CONFIG))
    parameters = None if model is None else parameters_in(model)
    size = None if shape is None else size_of(recipe, shape, parameters)
    disk = None if size is None else disk_needed(recipe, size, out or Path("runs"))
    if disk is not None and new and disk[0] > disk[1]:
        raise DiskTooSmall(
            f"The disk is too small for this run: its checkpoints and model take {memory(disk[0])}, and "
            f"{memory(disk[1])} are free.",
            where=str(out or "runs"),
            fix="free some disk, choose another with --out, lower train.keep_checkpoints, or train an adapter",
        )
    return Early(resolved, model, shape, parameters, size, disk)


def begun(recipe: Recipe, out: Path) -> bool:
    """Whether the run of a recipe was begun in a folder.

    Args:
        recipe: as written.
        out: the folder, which may not be there.
    Returns:
        True where the folder holds a run of this recipe; False where a run can begin in it.
    Raises:
        InputError: the folder holds another run, or something else.
    """
    run = RunFolder(out)
    if not run.recipe_path.is_file():
        RunFolder.check_free(out)
        return False
    written, asked = run.recipe(), resolve(recipe).recipe
    if written == asked:
        return True
    raise InputError(
        f"The run in '{out}' has another recipe: {', '.join(differing(written, asked))}.",
        where=str(run.recipe_path),
        fix="give the same recipe as before, or choose another folder with --out",
    )


def differing(written: Recipe, asked: Recipe) -> list[str]:
    """The keys in which two recipes differ, with both values; five of them at most.

    Args:
        written: the recipe that is there.
        asked: the one that is asked for.
    """
    before, now = flat(written.model_dump(by_alias=True)), flat(asked.model_dump(by_alias=True))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    said = [f"{key} is {before.get(key)!r} there and {now.get(key)!r} here" for key in keys[:5]]
    return [*said, *(["…"] if len(keys) > 5 else [])]


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys.

    Args:
        document: a recipe's, or a part of it.
        prefix: before each key.
    """
    found: dict[str, Any] = {}
    for key, value in document.items():
        inner = isinstance(value, Mapping) and value
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def check_model(name: str) -> Path | None:
    """The folder of a model that is on this disk, once its files are found to be whole; None where it is not.

    Args:
        name: as a recipe has it.
    Raises:
        InputError: it is a path, and no whole model is there.
    """
    place = place_of(name)
    if place is None or place.is_file():  # a GGUF file is looked at when it is read
        return None
    check_model_folder(place, name)
    return place


def size_of(recipe: Recipe, shape: Shape, parameters: int | None = None, *, arithmetic: Any = "fp32") -> TrainingSize:
    """What training takes by a recipe, for a model of a shape; an estimate.

    Args:
        recipe: its sections `model` and `train`.
        shape: of the model.
        parameters: of the model, where they were counted.
        arithmetic: of the passes, where `auto` was decided.
    """
    model, train = recipe.model, recipe.train
    trained = None
    if model.adapter is not None:
        trained = shape.adapter_parameters(model.adapter.rank, dora=model.adapter.kind == "dora")
    packed: Mapping[str | None, float | None] = {"nf4": 0.52, "int8": 1.02, None: None}
    return training_size(
        shape,
        parameters=parameters,
        trained=trained,
        weight_bytes=2 if model.dtype == "bfloat16" else 4,
        quantized_bytes=packed[model.quantize],
        arithmetic="bf16" if "bf16" in (train.precision, arithmetic) else "fp32",
        live_reference=train.reference == "live",
        recomputed=train.gradient_checkpointing,
    )


def disk_needed(recipe: Recipe, size: TrainingSize, out: Path) -> tuple[int, int]:
    """Bytes that a run folder needs at most, and bytes that are free there.

    A checkpoint is written beside those that are kept before one of them goes; the model comes last.
    """
    needed = (recipe.train.keep_checkpoints + 1) * size.checkpoint + size.model
    there = Path(os.path.abspath(out))  # noqa: PTH100  a link is followed by the system
    while not there.exists():
        there = there.parent
    return needed, shutil.disk_usage(there).free


def _check_sources(recipe: Recipe) -> None:
    for spec in (training_source(recipe.data), held_out_source(recipe.data)):
        if spec is not None:
            check_source(spec)


def check_against(models: Sequence[str], against: str | None) -> None:
    """Make sure that an evaluation compares two models.

    Args:
        models: that are measured.
        against: what they are compared with, if anything.
    Raises:
        InputError: there is no other model.
    """
    if against is not None and set(models) == {against}:
        raise InputError(f"'{against}' would be compared with itself.", where="--against", fix="name another model")


def check_votes(url: str, against: str | None) -> None:
    """Find in a moment what is wrong with putting answers to people; nothing is made or opened.

    Args:
        url: address of the store of votes.
        against: the other model, if there is one.
    Raises:
        InputError: there is no other model, the address is not understood, or its folder is not there.
    """
    if against is None:
        raise InputError(
            "People compare two answers, and there is one model.",
            where="--votes",
            fix="name the model to compare with: --against MODEL",
        )
    path = parse_address(url).path
    if path is not None and not os.path.isdir(path.parent):  # noqa: PTH112  Path fails at names that are too long
        raise InputError(f"There is no folder '{path.parent}'.", where="--votes", fix="check the path, or create it")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check the further keys of an evaluation by themselves.

    Args:
        settings: by dotted key.
    Raises:
        InputError: there is no such key, a value is out of range, or it is a key that the evaluation sets itself.
    """
    for key, instead in (("model.name", "MODEL"), ("data.source", "--data"), ("model.adapter", "MODEL")):
        if key in settings:
            raise InputError(f"What is evaluated is not set by '{key}'.", where="--set", fix=f"give it as {instead}")
    Recipe().with_settings(dict(settings))


def check_source(spec: SourceSpec) -> None:
    """Find a source that is on this disk, without reading a row; pipes, addresses and the Hub wait.

    Args:
        spec: what the user wrote.
    Raises:
        InputError: it is not there, has no such split, or needs an extra that is not installed.
    """
    if spec.source.startswith(VOTES):
        parse_address(spec.source.removeprefix(VOTES))
        return
    if spec.source == STDIN or is_address(spec.source):
        return
    path = Path(spec.source).expanduser()
    is_pattern = not path.exists() and any(mark in spec.source for mark in "*?[")
    if spec.source.startswith("bundled:") or path.is_file() or path.is_dir() or is_pattern:
        open_source(spec)
    elif not path.exists() and looks_like_a_path(spec.source):
        raise no_such_file(spec.source)
    if path.suffix == ".xlsx" and find_spec("openpyxl") is None:
        raise InputError(
            "Sheets need the library openpyxl.", where=spec.source, fix='pip install "tiebreak[sheet]", or use .csv'
        )
