"""`tiebreak doctor`, whatever it is given: a run, a log, rows of metrics, a recipe, or data before any run.

What is a log and what it says is known to `doctor`; here data are read and, where a model is named, tokenized.
"""

from __future__ import annotations

import os
from pathlib import Path

from tiebreak.doctor.examine import Diagnosis, Logged, examine
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.registry import diagnose as found_by_rules
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import RecipeLike, chosen_recipe
from tiebreak.runs.folder import RUNS
from tiebreak.workflow.progress import Progress, progress_of


def diagnose(
    logged: Logged | None = None,
    *,
    recipe: RecipeLike | None = None,
    held_out: int | None = None,
    objective: str | None = None,
    data: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
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
        progress: True shows it on stderr; else nothing is shown.
    Returns:
        The findings, and what could not be looked at.
    Raises:
        InputError: there is nothing to look at, or it cannot be read.
    """
    if data is None and isinstance(logged, str | os.PathLike) and _is_named_as_data(os.fspath(logged)):
        data, logged = logged, None
    if data is None:
        try:
            found = examine(logged, recipe=recipe, held_out=held_out, objective=objective)
        except InputError:
            if not isinstance(logged, str | os.PathLike) or not _has_rows(Path(logged).expanduser()):
                raise
            data, logged = logged, None
        else:
            if model is not None:
                raise InputError("A model is for data, and this is none.", where="--model", fix="leave it out")
            return found
    if logged is not None:
        raise InputError("A log and data are looked at one after the other.", fix="name one of them")
    named = None if recipe is None else chosen_recipe(recipe, {}, fix="name a recipe")
    from tiebreak.process.host import same_host

    with same_host():
        return _of_data(os.fspath(data), named, None if model is None else os.fspath(model), progress_of(progress))


def _of_data(source: str, named: Recipe | None, model: str | None, progress: Progress) -> Diagnosis:
    from tiebreak.workflow.data import load_data, read_record
    from tiebreak.workflow.resolve import resolve

    settings: dict[str, str] = {"data.source": source}
    if model is not None:
        settings["model.name"] = model
    resolved = resolve((named or Recipe()).with_settings(settings))
    recipe, tokens = resolved.recipe, model is not None or named is not None
    if tokens:
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


def _has_rows(path: Path) -> bool:
    """Whether the first row of a file, or of a folder of them, can be read as a row of data."""
    if not path.exists():
        return False
    from tiebreak.data.load import load_as_it_is
    from tiebreak.data.reading.sources import SourceSpec

    try:
        load_as_it_is(SourceSpec(str(path)), max_rows=1)
    except InputError:
        return False
    return True
