"""`tiebreak doctor`, whatever it is given: a run, a log, rows of metrics, a recipe, or data before any run.

What is a log and what it says is known to `doctor`; here data are read and, where a model is named, tokenized.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiebreak.doctor.examine import Diagnosis, Logged, examine
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.registry import diagnose as found_by_rules
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.runs.folder import RUNS
from tiebreak.workflow.progress import Progress, progress_of

_OF_DATA = ("data.", "model.", "objective.")
"""Sections that say how data are read: by which tokenizer, and as pairs or as other rows."""
_UNPAIRED = "kto"  # an objective for such rows, which it does not judge


def diagnose(
    logged: Logged | None = None,
    *,
    recipe: RecipeLike | None = None,
    held_out: int | None = None,
    objective: str | None = None,
    data: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | bool | None = None,
) -> Diagnosis:
    """Say what is wrong with a run, with settings or with data, and what to change. As `tiebreak doctor` does.

    Args:
        logged: a run, a file or folder with a log of any kind that is read, rows such as `trainer.state.log_history`,
            or a source of preferences; None looks at the recipe or the data alone.
        recipe: of the run; a run folder has its own. Of data it says the limits, the split and the model.
        held_out: how many held-out examples there are, where the log does not say.
        objective: name of the loss, where neither recipe nor log say it.
        data: a source of preferences, where `logged` could be taken for something else.
        model: whose tokenizer and template the data are read by; None is the recipe's, or none.
        settings: keys of a recipe by their dotted names: how data are read, such as `data.split`, and what is to be
            changed in `recipe`.
        progress: True shows it on stderr; else nothing is shown.
    Returns:
        The findings, and what could not be looked at.
    Raises:
        InputError: there is nothing to look at, or it cannot be read.
    """
    changes = dict(settings or {})
    if "data.source" in changes:
        raise InputError(
            "The source is not set by 'data.source'.", where="--set", fix="name it by itself, or by --data"
        )
    named = None if recipe is None else chosen_recipe(recipe, changes, fix="name a recipe")
    if data is None and isinstance(logged, str | os.PathLike) and _is_named_as_data(os.fspath(logged)):
        data, logged = logged, None
    if data is None:
        try:
            found = examine(logged, recipe=named, held_out=held_out, objective=objective)
        except InputError:
            if not isinstance(logged, str | os.PathLike) or not _is_data(Path(logged).expanduser(), changes):
                raise
            data, logged = logged, None
        else:
            if model is not None:
                raise InputError("A model is for data, and this is none.", where="--model", fix="leave it out")
            if changes and named is None:
                raise InputError(
                    "Settings are for data or for a recipe, and this is neither.",
                    where=", ".join(changes),
                    fix="leave them out, or name data by --data or a recipe by --recipe",
                )
            return found
    if logged is not None:
        raise InputError("A log and data are looked at one after the other.", fix="name one of them")
    changes["data.source"] = os.fspath(data)
    if model is not None:
        changes["model.name"] = os.fspath(model)
    unjudged = [key for key in changes if not key.startswith(_OF_DATA)]
    if named is None and unjudged:
        raise InputError(
            "Settings of a training are judged as a whole.", where=", ".join(unjudged), fix="name a recipe by --recipe"
        )
    from tiebreak.process.host import same_host

    with same_host():
        return _of_data(changes, named, progress_of(progress))


def _of_data(changes: Mapping[str, Any], named: Recipe | None, progress: Progress) -> Diagnosis:
    """Findings over the data that a recipe reads with these changes; over its settings too, where somebody gave one."""
    from tiebreak.data.forms.recognise import WrongTask
    from tiebreak.tasks import TASKS

    try:
        return _of_rows(changes, named, progress)
    except WrongTask as other:
        if named is not None or "objective.name" in changes:
            raise
        # Nobody said that they are pairs: they are read as what they are.
        suited = TASKS[other.found].fixed_objective or _UNPAIRED
        return _of_rows({**changes, "objective.name": suited}, None, progress)


def _of_rows(changes: Mapping[str, Any], named: Recipe | None, progress: Progress) -> Diagnosis:
    from tiebreak.workflow.data import load_data, read_record
    from tiebreak.workflow.resolve import resolve

    resolved = resolve((named or Recipe()).with_settings(dict(changes)))
    recipe = resolved.recipe
    if named is not None or "model.name" in changes:
        record = load_data(recipe, resolved.task, progress).record
    else:
        record = read_record(recipe.data, resolved.task, progress)
    facts = Facts(recipe=None if named is None else recipe, data=record)  # settings that nobody gave are not judged
    return Diagnosis(facts, found_by_rules(facts))


def _is_named_as_data(name: str) -> bool:
    """Whether a name that is no file is of data: the package's own, votes, an address, or a Hub id."""
    if Path(name).expanduser().exists():
        return False
    from tiebreak.data.reading.fetched import STDIN, is_address
    from tiebreak.data.reading.files import looks_like_a_path
    from tiebreak.data.reading.sources import VOTES

    if name == STDIN or name.startswith(("bundled:", VOTES)) or is_address(name):
        return True
    return name.count("/") == 1 and not looks_like_a_path(name) and not name.startswith(f"{RUNS}/")


def _is_data(path: Path, changes: Mapping[str, Any]) -> bool:
    """Whether a file or folder that is no log is data: it is said how to read them, or a row of them can be read."""
    if not path.exists():
        return False
    if any(key.startswith("data.") for key in changes):
        return True
    from tiebreak.data.load import load_as_it_is
    from tiebreak.data.reading.sources import SourceSpec

    try:
        load_as_it_is(SourceSpec(str(path)), max_rows=1, skip_bad_rows=True)  # bad rows are said when all are read
    except InputError:
        return False
    return True
