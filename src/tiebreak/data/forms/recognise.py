"""Which form the rows of a source have: seen in its first rows, or named by the user.

Knows the registry, and what to say of rows that cannot serve a task; what each form is stands in its own module.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.data.forms.form import Form, form_of, lowered
from tiebreak.data.forms.guess import check_columns, unknown
from tiebreak.data.forms.labels import has_label
from tiebreak.data.forms.paths import parse
from tiebreak.data.forms.registry import forms_of
from tiebreak.data.forms.roles import columns_of, only_beside
from tiebreak.data.preference import CanonicalRow
from tiebreak.data.reading.rows import Values
from tiebreak.errors import InputError
from tiebreak.tasks import TASKS, TaskName


@dataclass(frozen=True)
class Recognition:
    """Which form a source has (`schema`, its name), and how that was seen."""

    schema: str
    why: str


class WrongTask(InputError):
    """Rows that are sound and for another task than was asked for.

    Attributes:
        found: the task that they are for.
        wanted: the task that was asked for.
    """

    def __init__(self, found: TaskName, wanted: TaskName, where: str | None) -> None:
        are, need = TASKS[found].words, TASKS[wanted].words
        what = f"The rows are {are.found}: {need.lacking}."
        fix = f"{are.use}, or {need.give}"
        super().__init__(what, where=where, fix=fix)
        self.found = found
        self.wanted = wanted

    def __reduce__(self) -> tuple[object, ...]:
        return (WrongTask, (self.found, self.wanted, self.where))


def named(name: str, task: TaskName = "preference") -> Form[CanonicalRow]:
    """The form of a name.

    Raises:
        WrongTask: its rows cannot serve this task.
        InputError: there is none; with the nearest.
    """
    forms = forms_of(task).known
    for form in forms:
        if form.name == name:
            return form
    for found in TASKS:
        if name in {form.name for form in forms_of(found).own}:
            raise WrongTask(found, task, f"schema '{name}'")
    names = [form.name for form in forms]
    near = difflib.get_close_matches(name, names, n=1)
    fix = (f"did you mean '{near[0]}'? " if near else "") + f"known: auto, {', '.join(names)}"
    raise InputError(f"There is no schema '{name}'.", where="schema", fix=fix)


def first_match(values: Values, task: TaskName = "preference") -> Form[CanonicalRow] | None:
    """The first form for a task that a row looks like."""
    return next((form for form in forms_of(task).known if form.matches(values)), None)


def chosen_form(
    rows: Sequence[Values], where: str, task: TaskName, *, schema: str, columns: Mapping[str, object] | None
) -> tuple[Recognition, Form[CanonicalRow]]:
    """The form of a source: of the user's columns, of its name, or the one that its first rows have.

    Args:
        rows, where, task: as for `recognise`.
        schema: the name of a form, or `auto`.
        columns: by role, where the user says them. Where they say nothing of the completions, such as `category=topic`
            alone, they are read beside those of the form.
    Raises:
        WrongTask: the rows are for another task.
        InputError: the columns or the name are wrong, or no form is known.
    """
    if columns and not only_beside(columns):
        if schema != "auto":
            raise InputError(
                f"Columns and the schema '{schema}' both say what the rows are.", where="columns", fix="leave one out"
            )
        form: Form[CanonicalRow] = _of_columns(columns, rows)
        assert form.roles is not None
        read = forms_of(task).reads.get(form.roles.family)
        if read is None:
            raise WrongTask(form.roles.family, task, where)
        return Recognition("columns", f"named by the user: {form.columns}"), read(form)
    found = recognise(rows, where, task) if schema == "auto" else Recognition(schema, "named by the user")
    known = named(found.schema, task)
    return (found, known) if not columns else _extended(found, known, columns, rows)


def _extended(
    found: Recognition, form: Form[CanonicalRow], written: Mapping[str, object], head: Sequence[Values]
) -> tuple[Recognition, Form[CanonicalRow]]:
    """A form with roles that the user names beside those that it has itself.

    Raises:
        InputError: no row has a column.
    """
    assert form.extended is not None  # every form of the catalogue is declared
    said = {role.strip(): str(text) for role, text in written.items() if text}
    check_columns({role: parse(text) for role, text in said.items() if role != "ignore"}, head)
    told = ", ".join(f"{role}={text}" for role, text in said.items())
    return Recognition(found.schema, f"{found.why}; named by the user: {told}"), form.extended(written)


def _of_columns(written: Mapping[str, object], head: Sequence[Values]) -> Form[Any]:
    """The form that the user's columns say.

    Args:
        written: as of `columns_of`.
        head: the first rows of the source, which must have the columns that are named.
    Raises:
        InputError: a role is not known, or no row has a column.
    """
    read = columns_of(written)
    check_columns({role: read.roles[role] for role in read.written}, head)
    said = ", ".join(f"{role}={read.roles[role].text}" for role in read.written)
    return form_of("columns", said, read, {}, lambda _values: True, ())


def recognise(rows: Sequence[Values], where: str, task: TaskName = "preference") -> Recognition:
    """The form that most of the first rows have.

    Args:
        rows: the columns of the first rows, at least one.
        where: the source, named in errors.
        task: the task that the rows are to serve.
    Raises:
        WrongTask: the rows are sound, and for another task.
        InputError: no row has a known form.
    """
    seen = _seen(rows, task) or _seen([lowered(values) for values in rows], task)
    if not seen:
        guess = _guess(rows[0])
        if guess is None:
            known = forms_of(task).known
            raise _other_task(rows, where, task) or unknown(rows, where, known)
        return Recognition(guess, f"no row fits a form, but the columns {', '.join(map(str, rows[0]))} come near this")
    # Of equally many the one met first, which is also what a reader of the file would say.
    name = max(seen, key=lambda each: seen[each])
    few = f"{seen[name]} of the first {len(rows)} rows" if len(rows) > 1 else "the only row"
    columns = ", ".join(map(str, rows[0]))
    return Recognition(name, f"{few} fit {named(name, task).columns}; the columns are {columns}")


def _seen(rows: Sequence[Values], task: TaskName) -> dict[str, int]:
    """How many rows look like which form."""
    seen: dict[str, int] = {}
    for values in rows:
        form = first_match(values, task)
        if form is not None:
            seen[form.name] = seen.get(form.name, 0) + 1
    return seen


def _other_task(rows: Sequence[Values], where: str, wanted: TaskName) -> WrongTask | None:
    """What the first rows are, if they are sound rows for another task; narrower forms stand in earlier tasks."""
    for found, task in TASKS.items():
        fit = [any(form.matches(values) for form in forms_of(found).own) for values in rows]
        if task.has_label:
            fit = [each and has_label(values) for each, values in zip(fit, rows, strict=True)]
        if sum(fit) * 2 > len(rows):
            return WrongTask(found, wanted, where)
    return None


def _guess(values: Values) -> str | None:
    """The form that the column names alone point to, so that what is wrong with a row can be said."""
    there = [name for name in ("chosen", "rejected") if name in values]
    if not there or (len(there) == 1 and _another_text(values)):
        return None
    for column, name in (("conversations", "sharegpt"), ("instruction", "alpaca")):
        if column in values:
            return name
    lists = any(isinstance(values.get(column), list) for column in ("chosen", "rejected"))
    if "prompt" not in values and not lists and _another_text(values):
        return None
    if "prompt" in values:
        if isinstance(values["prompt"], list):
            return "messages" if lists else "tiebreak"
        return "ultrafeedback" if lists else "text"
    return "implicit" if lists else "transcript"


def _another_text(values: Values) -> bool:
    """Whether a column of no usual name holds what may be the completion that is missing."""
    usual = {"prompt", "chosen", "rejected", "instruction", "input", "system", "conversations", "id"}
    return any(isinstance(value, str | list) for name, value in values.items() if name not in usual)
