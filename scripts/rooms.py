"""The rooms of the package and what each may import: the one table that the map is drawn from and the rule is kept by.

A room is a folder of modules, or a few modules, with one task. `MAP` is the house from the roof down, as the picture
shows it: a room imports only from rooms in lower rows, and those of one row know nothing of each other. The floor is
what every room may use. Further bounds stand with the rooms: `only` names all that a room may know, `heavy` the large
libraries that its modules may import when they are imported themselves.

Adding a room is one entry here.
"""

from __future__ import annotations

from dataclasses import dataclass

from scripts.imports import PACKAGE

HEAVY = frozenset(
    {
        *("torch", "transformers", "datasets", "peft", "accelerate", "bitsandbytes", "safetensors", "trl"),
        *("gradio", "fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "matplotlib", "pyarrow", "pandas"),
        *("wandb", "trackio", "tensorboard", "mlflow", "openpyxl", "lm_eval", "optuna"),
    }
)
"""Libraries that take long to import. The command line answers `--help` without any of them."""

_TORCH, _TRANSFORMERS = frozenset({"torch"}), frozenset({"transformers"})
_MODELS = _TORCH | _TRANSFORMERS | {"safetensors"}
_WEB = frozenset({"fastapi", "starlette"})


@dataclass(frozen=True)
class Room:
    """Some modules with one task.

    Attributes:
        name: of its folder or module, below `tiebreak`; empty is the package itself.
        caption: what it is, in a few words, for the picture.
        parts: the modules and folders in it, below `tiebreak`; of two rooms that both hold a module the one that names
            it more closely has it. Empty is the one of its name.
        heavy: libraries of `HEAVY` that its modules may import at module level.
        only: the rooms above the floor that it may import; None is every one in a lower row.
        area: rooms of one area have one colour in the picture.
        column: where its box stands in the picture, in columns from 0 to 4 and between them; None is evenly in its row.
    """

    name: str
    caption: str
    parts: tuple[str, ...] = ()
    heavy: frozenset[str] = frozenset()
    only: tuple[str, ...] | None = None
    area: str = "floor"
    column: float | None = None

    @property
    def holds(self) -> tuple[str, ...]:
        """Full names of its modules and folders."""
        return tuple(f"{PACKAGE}.{part}".rstrip(".") for part in self.parts or (self.name,))


MAP: tuple[tuple[Room, ...], ...] = (
    (
        Room(
            "bundled.make",
            "programs: make the world, vote",
            area="bundled",
            column=0.3,
            parts=("bundled.make", "bundled.vote"),
        ),
    ),
    (
        Room("cli", "one module a command", area="outside", column=1.7, parts=("cli", "__main__")),
        Room("", "import tiebreak: the Python API", area="outside", column=3.0),
    ),
    (
        Room("hub", "upload models, data, Spaces", area="outside", column=1.7, heavy=_WEB),
        Room("sweep", "search over recipes", area="train", column=3.0),
    ),
    (
        Room("serve", "the server, put together", area="serve", column=0.6, heavy=_WEB | {"uvicorn"}),
        Room("workflow", "recipe to run folder; the loop", area="train", column=2.5, heavy=_MODELS),
    ),
    (
        Room("serve.pages", "Chat, Compare, Runs, Data", area="serve", column=0.6, heavy=_WEB | {"gradio"}),
        Room("trackers", "a run in wandb, mlflow, …", area="train", column=1.9),
    ),
    (
        Room("serve.api", "OpenAI's API, guards, limits", area="serve", column=0, heavy=_WEB),
        Room("training", "the trainer on tree batches", area="train", column=1.7, heavy=_MODELS),
        Room("report", "report, card, curves, tables", area="runs", column=4),
    ),
    (
        Room(
            "doctor",
            "what is wrong with a run",
            area="runs",
            column=4,
            only=("runs", "recipe", "recipe.builtin", "objectives", "data.reading"),
        ),
    ),
    (
        Room("serve.generation", "engines: local, remote", area="serve", column=0.4, heavy=_TORCH | _TRANSFORMERS),
        Room("evaluate", "held-out metrics, judges", area="train", column=2.6, heavy=_TORCH),
        Room("data.profile", "what a data set looks like", area="data", column=3.6),
    ),
    (
        Room("generation", "tokens drawn step by step", area="train", column=0.4, heavy=_TORCH | _TRANSFORMERS),
        Room("models", "load, adapters, quantize, export", area="train", column=1.9, heavy=_MODELS),
    ),
    (
        Room(
            "engine",
            "log-probs of tree batches",
            area="train",
            column=0.9,
            heavy=_TORCH | _TRANSFORMERS,
            only=("process",),
        ),
        Room("data.preparing", "select, template, tokenize", area="data", column=2.9),
        Room("runs", "run folder, manifest, loop folder", area="runs", column=4, heavy=_TORCH, only=("recipe",)),
    ),
    (
        Room("process", "memory and CPU of the process", area="train", column=0.9, heavy=_TORCH, only=()),
        Room(
            "data",
            "a source to canonical rows",
            area="data",
            column=2.5,
            only=("data.reading", "data.forms", "data.preference"),
        ),
        Room("recipe.builtin", "recipes by name", area="runs", column=4, only=("recipe",)),
    ),
    (
        Room("data.forms", "the forms of rows", area="data", column=2.4, only=("data.reading", "data.preference")),
        Room("recipe", "every key of a recipe", area="runs", column=3.8, only=("objectives", "trackers.registry")),
    ),
    (
        Room(
            "data.reading",
            "sources and file formats",
            area="data",
            column=2.0,
            only=("data.preference", "votes", "bundled"),
        ),
        Room("objectives", "the losses and their registry", area="train", column=3.1, only=()),
        Room("trackers.registry", "which trackers there are", area="train", column=4, only=()),
    ),
    (
        Room("serve.settings", "the server's settings", area="serve", column=0, only=()),
        Room(
            "votes",
            "votes store, scores, pairs",
            area="bundled",
            column=1.1,
            heavy=frozenset({"sqlalchemy", "alembic"}),
            only=("data.preference",),
        ),
        Room("bundled", "the bundled world and its judge", area="bundled", column=2.3, only=("data.preference",)),
    ),
    (
        Room(
            "data.preference",
            "canonical rows",
            area="data",
            column=1.8,
            only=(),
            parts=("data.preference", "data.tools"),
        ),
    ),
)

FLOOR: tuple[tuple[Room, ...], ...] = (
    (Room("metrics", "what each metric means"),),
    (Room("formatting", "numbers, text, names for people"),),
    (
        Room("tasks", "what a run may learn from"),
        Room("hub_status", "what the Hub's answers mean"),
        Room("files", "whole files only"),
        Room("errors", "errors that users meet"),
        Room("version", "the version"),
    ),
)
"""What every room may import; a room of the floor imports only from lower rows of the floor."""

ROOMS: tuple[Room, ...] = tuple(room for row in (*MAP, *FLOOR) for room in row)
ROW_OF: dict[str, int] = {room.name: number for number, row in enumerate((*MAP, *FLOOR)) for room in row}
_FLOOR_NAMES = frozenset(room.name for row in FLOOR for room in row)


def room_of(module: str) -> Room | None:
    """The room that a module is in; None where no room holds it.

    Args:
        module: its full name.
    """
    held = [(len(part), room) for room in ROOMS for part in room.holds if _within(module, part)]
    return max(held, key=lambda each: each[0])[1] if held else None


def _within(module: str, part: str) -> bool:
    # The package's own module is a room, but it does not hold all the others.
    return module == part or (part != PACKAGE and module.startswith(f"{part}."))


def forbidden(importer: Room, imported: Room) -> str | None:
    """Why one room may not import from another; None where it may."""
    if importer == imported:
        return None
    if ROW_OF[imported.name] <= ROW_OF[importer.name]:
        return f"{shown(imported)} is not below {shown(importer)}"
    if imported.name in _FLOOR_NAMES or importer.only is None or imported.name in importer.only:
        return None
    return f"{shown(importer)} knows nothing of {shown(imported)}"


def on_floor(room: Room) -> bool:
    """Whether every room may import it."""
    return room.name in _FLOOR_NAMES


def shown(room: Room) -> str:
    """What the room is called."""
    return room.name or PACKAGE
