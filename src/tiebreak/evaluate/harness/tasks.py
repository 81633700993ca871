"""The harness's tasks by name: found, told apart from mistyped ones, and loaded with their documents.

The harness is imported by these functions alone, when they are called. What is wrong with a task's file or data is an
error that names the task.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.hub_status import caches_alone, hub_answers

PACKAGE = "lm_eval"
_NEAR = 3
_SHOWN = 8  # of the tasks of a folder
# What goes wrong in a task's own file, code or data: all of it was written by whoever wrote the task.
_OF_TASKS = (OSError, ImportError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError)


@dataclass(frozen=True)
class LoadedTasks:
    """Tasks with their documents, and the groups that they are in.

    Attributes:
        names: as asked for.
        tasks, groups: the harness's own objects, by name.
        version: of the harness.
    """

    names: tuple[str, ...]
    tasks: dict[str, Any]
    groups: dict[str, Any]
    version: str


def check_harness(
    names: Sequence[str], folder: Path | None = None, limit: int | None = None, *, where: str = "--harness"
) -> None:
    """Find what is wrong with what is asked, without importing anything.

    Args:
        names: of tasks.
        folder: of own task files.
        limit: documents of each task.
        where: what names the tasks, for errors.
    Raises:
        InputError: the extra is not installed, no task is named, or the folder is none.
    """
    if not names or not all(names):
        raise InputError("No task is named.", where=where, fix="name some, with commas: --harness hellaswag,arc_easy")
    if limit is not None and limit < 1:
        raise InputError("A task needs at least one document.", where=f"{where}-limit", fix="give a number above 0")
    if folder is not None and not folder.is_dir():
        raise InputError(f"There is no folder '{folder}'.", where=f"{where}-tasks", fix="check the name")
    if find_spec(PACKAGE) is None:
        raise InputError(
            "The benchmarks need lm-eval, which is not installed.", where=where, fix='pip install "tiebreak[harness]"'
        )


def load_tasks(names: Sequence[str], folder: Path | None = None, *, where: str = "--harness") -> LoadedTasks:
    """Load tasks by name, with their documents.

    Args:
        names: of tasks, groups or tags, as the harness has them.
        folder: of own task files, whose names go before those of the harness.
        where: what names them, for errors.
    Raises:
        InputError: there is no such task, its data cannot be had, or it cannot be asked here.
    """
    check_harness(names, folder, where=where)
    manager = _manager(names, folder)
    own = _own_names(manager, folder)
    for name in names:
        if name not in manager.all_tasks:
            raise _unknown(name, manager.all_tasks, own, folder, where)
    tasks: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    # A Hub that does not answer would be waited for minutes.
    with nullcontext() if hub_answers() else caches_alone():
        for name in dict.fromkeys(names):
            loaded = _load(manager, name, where)
            tasks |= loaded["tasks"]
            groups |= loaded["groups"]
    for name, task in tasks.items():
        _check_askable(name, task, where)
    return LoadedTasks(tuple(dict.fromkeys(names)), tasks, groups, version(PACKAGE))


@contextmanager
def quiet_tasks() -> Iterator[None]:
    """No bar while the harness writes a task's prompts; its other bars have switches of their own."""
    from lm_eval.api import task as module

    shown = module.tqdm
    module.tqdm = partial(shown, disable=True)
    try:
        yield
    finally:
        module.tqdm = shown


def _manager(names: Sequence[str], folder: Path | None) -> Any:
    """What knows the tasks: those of the user's folder alone where they are all that is asked for, since it takes
    seconds to read the thousands that come with the harness.
    """
    from lm_eval.tasks import TaskManager

    if folder is None:
        return TaskManager()
    alone = TaskManager(include_path=str(folder), include_defaults=False)
    # A group may have tasks of the harness in it.
    return alone if set(names) <= set(alone.all_subtasks) else TaskManager(include_path=str(folder))


def _load(manager: Any, name: str, where: str) -> Any:
    from jinja2 import TemplateError
    from yaml import YAMLError

    try:
        return manager.load([name])
    except (*_OF_TASKS, TemplateError, YAMLError) as error:
        said = str(error).strip().split("\n")[0] or type(error).__name__
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        raise InputError(
            f"The task '{name}' cannot be loaded: {type(error).__name__}: {said}",
            where=where,
            fix=f"pip install {missing}" if missing else "check its file, and that its data are here or on the Hub",
        ) from error


def _check_askable(name: str, task: Any, where: str) -> None:
    if getattr(task, "UNSAFE_CODE", False):
        raise InputError(
            f"The task '{name}' runs code that the model writes, which is not done here.",
            where=where,
            fix="run it in a sandbox with lm_eval itself, on the folder of the model",
        )
    if getattr(task, "MULTIMODAL", False):
        raise InputError(f"The task '{name}' shows pictures or plays sound.", where=where, fix="name tasks of text")


def _own_names(manager: Any, folder: Path | None) -> list[str]:
    """The tasks of the user's folder."""
    if folder is None:
        return []
    whole = folder.resolve()
    places = ((name, entry.yaml_path) for name, entry in manager.task_index.items())
    return sorted(name for name, path in places if path is not None and Path(path).resolve().is_relative_to(whole))


def _unknown(name: str, known: Sequence[str], own: Sequence[str], folder: Path | None, where: str) -> InputError:
    near = difflib.get_close_matches(name, own, n=_NEAR, cutoff=0.6)
    near += [each for each in difflib.get_close_matches(name, known, n=_NEAR, cutoff=0.6) if each not in near]
    said = [f"did you mean {' or '.join(repr(each) for each in near[:_NEAR])}?"] if near else []
    if folder is not None and own:
        said.append(f"'{folder}' has {', '.join(own[:_SHOWN])}{', …' if len(own) > _SHOWN else ''}")
    elif folder is not None:
        said.append(f"'{folder}' has no task file that can be read: files end in .yaml and name a task")
    return InputError(
        f"The harness has no task '{name}'.",
        where=where,
        fix="; ".join(said) or "lm_eval ls tasks lists them; --harness-tasks FOLDER adds your own",
    )
