"""A form of rows: its name, what it looks like, and what its rows make; declared in the language of `roles`.

Knows how roles become a form. Which forms there are stands in the catalogue, what rows make in `pairs` and `singles`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.fields import RowProblem
from tiebreak.data.forms.labels import has_label
from tiebreak.data.forms.pairs import pairs_of, settled
from tiebreak.data.forms.paths import Expression, parse, unpacked
from tiebreak.data.forms.roles import USUAL_NAMES, Columns, as_number, columns_of
from tiebreak.data.forms.singles import demonstrations_of, unpaired_of
from tiebreak.data.forms.tags import TAGS
from tiebreak.data.forms.unused import Unused, unused_of
from tiebreak.data.preference import CanonicalRow
from tiebreak.data.reading.rows import Values, quoted

Made = TypeVar("Made", bound=CanonicalRow, covariant=True)


@dataclass(frozen=True)
class Form(Generic[Made]):
    """One form of rows.

    Attributes:
        name: how the user names it (`--schema`).
        columns: the columns it reads, for people.
        matches: whether a row looks like it.
        convert: the canonical rows of one row; raises RowProblem or Dropped.
        unused: what a row has and the form does not read.
        fit: the form for a source with these first rows, and how it was fitted; raises RowProblem.
        needs: the columns without which a row is not of this form, by the expression that names them.
        roles: what it was made of; None where it was not declared.
        extended: the same form with further roles beside its own; None where it was not declared.
    """

    name: str
    columns: str
    matches: Callable[[Values], bool]
    convert: Callable[[Values], Sequence[Made]]
    unused: Unused = field(default=lambda _values: set(), compare=False)
    fit: Callable[[Sequence[Values]], tuple[Form[Made], str]] | None = field(default=None, compare=False)
    needs: tuple[Expression, ...] = field(default=(), compare=False)
    roles: Columns | None = field(default=None, compare=False)
    extended: Callable[[Mapping[str, object]], Form[Made]] | None = field(default=None, compare=False)

    def fitted(self, head: Sequence[Values]) -> tuple[Form[Made], str]:
        """The form for a source: with what only its first rows together say, and how that was seen.

        Raises:
            RowProblem: they do not say it.
        """
        form: Form[Made] = self
        if head and not any(self.matches(values) for values in head):
            small = [lowered(values) for values in head]
            if any(self.matches(values) for values in small):
                return _respelled(self, lowered).fitted_to(small)
        named = frozenset() if self.roles is None else self.roles.named
        others = {name: usual for name, usual in usual_names(head).items() if name not in named}
        if others:
            respell = _renaming(others)
            return _respelled(self, respell).fitted_to([respell(values) for values in head])
        return form.fitted_to(head)

    def fitted_to(self, head: Sequence[Values]) -> tuple[Form[Made], str]:
        """As `fitted`, of rows whose columns are spelled as the form spells them."""
        return (self, "") if self.fit is None else self.fit(head)


@lru_cache(maxsize=4096)
def lowered_name(name: str) -> str:
    """A name in small letters, with underscores where it had blanks, hyphens or capitals inside."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())).lower()


def lowered(values: Values) -> dict[str, Any]:
    """A row with its columns in small letters, parted by underscores."""
    return {lowered_name(str(name)): value for name, value in values.items()}


def usual_names(head: Sequence[Values]) -> dict[str, str]:
    """Columns beside the others (a system message, tools, …) in other capitals, and the names that they should have."""
    names = {str(name) for values in head for name in values}
    found = {name: lowered_name(name) for name in names if name not in USUAL_NAMES}
    return {name: usual for name, usual in found.items() if usual in USUAL_NAMES and usual not in names}


def _renaming(names: Mapping[str, str]) -> Callable[[Values], dict[str, Any]]:
    return lambda values: {names.get(name, name): value for name, value in values.items()}


def _respelled(form: Form[Made], respell: Callable[[Values], dict[str, Any]]) -> Form[Made]:
    """A form of rows whose columns are spelled otherwise."""

    def fit(head: Sequence[Values]) -> tuple[Form[Made], str]:
        inner, why = form.fitted_to(head)
        return _respelled(replace(inner, fit=None), respell), why

    return replace(
        form,
        matches=lambda values: form.matches(respell(values)),
        convert=lambda values: form.convert(respell(values)),
        unused=lambda values: form.unused(respell(values)),
        fit=fit if form.fit is not None else None,
    )


def _is_whole(value: object) -> bool:
    """Messages that begin with what was asked."""
    value = unpacked(value)
    return talk.is_turns(value) and isinstance(value, list) and talk.role_of(value[0]) != "assistant"


def _is_answer(value: object) -> bool:
    """A text, or messages that begin with the assistant."""
    value = unpacked(value)
    if talk.is_turn(value):
        return talk.role_of(value) == "assistant"
    if isinstance(value, list) and value and talk.is_turn(value[0]):
        return talk.role_of(value[0]) == "assistant"
    return isinstance(value, str) or talk.is_parts(value)


def _is_asking(value: object) -> bool:
    """Messages that end with the user."""
    value = unpacked(value)
    return talk.is_turns(value) and isinstance(value, list) and talk.role_of(value[-1]) == "user"


def _is_texts(value: object) -> bool:
    value = unpacked(value)
    return isinstance(value, list) and len(value) > 1 and all(isinstance(each, str) for each in value)


_TESTS: Mapping[str, Callable[[Any], bool]] = {
    "there": lambda value: value is not None,
    "text": lambda value: isinstance(value, str),
    "turns": lambda value: talk.is_turns(value) or talk.is_turn(unpacked(value)),
    "whole": _is_whole,
    "answer": _is_answer,
    "asking": _is_asking,
    "transcript": talk.is_transcript,
    "texts": _is_texts,
    "list": lambda value: isinstance(unpacked(value), list),
    "number": lambda value: as_number(value) is not None,
}


def declared(
    name: str,
    columns: str,
    roles: Mapping[str, str],
    *,
    has: str = "",
    absent: str = "",
    further: Callable[[Values], bool] | None = None,
    more: Mapping[str, object] | None = None,
) -> Form[Any]:
    """A form in the language of roles.

    Args:
        name, columns: as of `Form`.
        roles: as the user writes them, each with the kind of its value after a colon where that tells it from others:
            `prompt="question:text"`; a role with a kind must be there for a row to look like the form.
        has, absent: columns that must have a value, or none, separated by blanks.
        further: what must hold besides.
        more: roles as a user writes them, which win over those of the form; what is to be ignored adds to its own.
    """
    kinds: dict[str, str] = {}
    written: dict[str, str] = {}
    for role, text in roles.items():
        expression, colon, kind = text.rpartition(":")
        written[role], kinds[role] = (expression, kind) if colon and kind in _TESTS else (text, "any")
    read = columns_of(_joined(written, more or {}))
    checks = [(read.roles[role].get, _TESTS[kind]) for role, kind in kinds.items() if kind in _TESTS]
    present = [parse(each).get for each in has.split()]
    missing = absent.split()

    def matches(values: Values) -> bool:
        return (
            all(values.get(each) is None for each in missing)
            and all(get(values) is not None for get in present)
            and all(check(get(values)) for get, check in checks)
            and (further is None or further(values))
        )

    needs = tuple(read.roles[role] for role in read.written if kinds.get(role) in _TESTS)
    form = form_of(name, columns, read, kinds, matches, needs, extra=tuple(parse(each) for each in has.split()))

    def extended(further_roles: Mapping[str, object]) -> Form[Any]:
        both = _joined(more or {}, further_roles)
        return declared(name, columns, roles, has=has, absent=absent, further=further, more=both)

    return replace(form, extended=extended)


def _joined(roles: Mapping[str, object], more: Mapping[str, object]) -> dict[str, object]:
    ignored = [text for text in (roles.get("ignore"), more.get("ignore")) if text]
    return {**roles, **more, **({"ignore": ignored} if ignored else {})}


def found(
    name: str,
    columns: str,
    roles_of: Callable[[Values], Mapping[str, str] | None],
    *,
    more: Mapping[str, object] | None = None,
) -> Form[Any]:
    """A form whose columns have other names from source to source.

    Args:
        name, columns: as of `Form`.
        roles_of: the roles of a row, as for `declared`; None where the row is not of this form.
        more: as for `declared`.
    """

    @lru_cache(maxsize=512)
    def made(roles: tuple[tuple[str, str], ...]) -> Form[Any]:
        return declared(name, columns, dict(roles), more=more)

    def of(values: Values) -> Form[Any] | None:
        roles = roles_of(values)
        form = None if roles is None else made(tuple(roles.items()))
        return form if form is not None and form.matches(values) else None

    def extended(further: Mapping[str, object]) -> Form[Any]:
        return found(name, columns, roles_of, more=_joined(more or {}, further))

    return replace(_of_variants(name, columns, of), extended=extended)


def one_of(*forms: Form[Any]) -> Form[Any]:
    """Forms of one name as one form; of a row the first that it looks like."""

    def of(values: Values) -> Form[Any] | None:
        return next((form for form in forms if form.matches(values)), None)

    def extended(further: Mapping[str, object]) -> Form[Any]:
        return one_of(*(form.extended(further) for form in forms if form.extended is not None))

    whole = _of_variants(forms[0].name, forms[0].columns, of)
    return replace(whole, needs=forms[0].needs, extended=extended)


def _of_variants(name: str, columns: str, of: Callable[[Values], Form[Any] | None]) -> Form[Any]:
    def convert(values: Values) -> Sequence[Any]:
        form = of(values)
        if form is None:
            names = quoted(", ".join(map(str, values)), 80)
            raise RowProblem(name, f"the columns {columns}", f"the columns {names}")
        return form.convert(values)

    def unused(values: Values) -> set[str]:
        form = of(values)
        return set() if form is None else form.unused(values)

    def fit(head: Sequence[Values]) -> tuple[Form[Any], str]:
        seen: dict[int, list[Values]] = {}
        forms: dict[int, Form[Any]] = {}
        for values in head:
            form = of(values)
            if form is not None:
                forms[id(form)] = form
                seen.setdefault(id(form), []).append(values)
        if not seen:
            return whole, ""
        most = max(seen, key=lambda each: len(seen[each]))
        main, why = forms[most].fitted_to(seen[most])
        if len(seen) == 1:
            return replace(main, fit=None), why

        def mixed(values: Values) -> Sequence[Any]:
            return (main if main.matches(values) else of(values) or main).convert(values)

        return replace(main, convert=mixed, fit=None, unused=unused), why

    def matches(values: Values) -> bool:
        return of(values) is not None

    whole: Form[Any] = Form(name, columns, matches, convert, unused, fit=fit)
    return whole


def form_of(
    name: str,
    columns: str,
    read: Columns,
    kinds: Mapping[str, str],
    matches: Callable[[Values], bool],
    needs: tuple[Expression, ...],
    extra: tuple[Expression, ...] = (),
) -> Form[Any]:
    """A form of roles that were read; `extra` are expressions that it reads beside those of its roles."""
    tags = [read.roles[role] for role in TAGS if role in read.roles]
    others = [expression for role, expression in read.roles.items() if role not in TAGS]
    unused = unused_of((*others, *extra), read.ignore, tags)
    if read.family == "supervised":
        return Form(name, columns, matches, demonstrations_of(read, kinds), unused, needs=needs, roles=read)
    if read.family == "unpaired":
        return Form(name, columns, matches, unpaired_of(read, kinds), unused, needs=needs, roles=read)
    plain: Form[Any] = Form(name, columns, matches, pairs_of(read, kinds), unused, needs=needs, roles=read)
    if "choice" not in read.roles:
        return plain

    def fit(head: Sequence[Values]) -> tuple[Form[Any], str]:
        convert, why = settled(read, kinds, [values for values in head if matches(values)] or head)
        return replace(plain, convert=convert), why

    return replace(plain, fit=fit)


def with_label(form: Form[Any]) -> Callable[[Values], bool]:
    """Rows of a form whose label says good or bad, or nothing."""
    return lambda values: form.matches(values) and has_label(values)
