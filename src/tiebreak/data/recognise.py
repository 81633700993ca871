"""Which format a source has: told from its first rows, or by the name that the user gave.

Knows the registries, and which kind of rows can serve as which; what each format does stands in its own module.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from tiebreak.data.preference import Kind
from tiebreak.data.problems import quoted
from tiebreak.data.schemas import OF_KIND, SINGLE, UNPAIRED, Schema, Values
from tiebreak.data.schemas.labelled import says
from tiebreak.errors import InputError


@dataclass(frozen=True)
class Recognition:
    """Which format a source has, and how that was seen."""

    schema: str
    why: str


class WrongKind(InputError):
    """Rows that are sound and of another kind than was asked for.

    Attributes:
        found: the kind that they are.
        wanted: the kind that was asked for.
    """

    def __init__(self, found: Kind, wanted: Kind, where: str | None) -> None:
        if found == "labelled":
            what = "The rows are single answers with a label, not pairs of a better and a worse answer."
            fix = "train on them with objective.name=kto"
        elif wanted == "labelled":
            what = "The rows are demonstrations: nothing says whether an answer is good."
            fix = "add a column 'label' of true and false, or imitate the answers with `tiebreak sft`"
        else:
            what = "The rows are demonstrations: one answer each, and nothing that it is better or worse than."
            fix = "imitate them with `tiebreak sft`, or give columns 'chosen' and 'rejected'"
        super().__init__(what, where=where, fix=fix)
        self.found = found
        self.wanted = wanted

    def __reduce__(self) -> tuple[object, ...]:
        return (WrongKind, (self.found, self.wanted, self.where))


def named(name: str, kind: Kind = "preference") -> Schema:
    """The schema of a name.

    Raises:
        WrongKind: it is of rows that cannot serve as this kind.
        InputError: there is none; with the nearest.
    """
    schemas = OF_KIND[kind]
    for schema in schemas:
        if schema.name == name:
            return schema
    for found, others in _OWN:
        if name in {schema.name for schema in others}:
            raise WrongKind(found, kind, f"schema '{name}'")
    names = [schema.name for schema in schemas]
    near = difflib.get_close_matches(name, names, n=1)
    fix = (f"did you mean '{near[0]}'? " if near else "") + f"known: auto, {', '.join(names)}"
    raise InputError(f"There is no schema '{name}'.", where="schema", fix=fix)


def first_match(values: Values, kind: Kind = "preference") -> Schema | None:
    """The first schema of a kind that a row looks like."""
    return next((schema for schema in OF_KIND[kind] if schema.matches(values)), None)


def recognise(rows: Sequence[Values], where: str, kind: Kind = "preference") -> Recognition:
    """Tell the format from a look at the first rows: the one that most of them have.

    Args:
        rows: the columns of the first rows, at least one.
        where: the source, named in errors.
        kind: what the rows are to serve as.
    Raises:
        WrongKind: the rows are sound, and of another kind.
        InputError: no row has a known format.
    """
    schemas = OF_KIND[kind]
    seen: dict[str, int] = {}
    for values in rows:
        schema = first_match(values, kind)
        if schema is not None:
            seen[schema.name] = seen.get(schema.name, 0) + 1
    if not seen:
        guess = _guess(rows[0])
        if guess is None or guess not in {schema.name for schema in schemas}:
            raise _other_kind(rows, where, kind) or _unknown(rows, where, schemas)
        return Recognition(
            guess, f"no row fits a format, but the columns {', '.join(map(str, rows[0]))} come near this"
        )
    # Of equally many the one met first, which is also what a reader of the file would say.
    name = max(seen, key=lambda each: seen[each])
    columns = ", ".join(map(str, next(values for values in rows if named(name, kind).matches(values))))
    few = f"{seen[name]} of the first {len(rows)} rows" if len(rows) > 1 else "the only row"
    return Recognition(name, f"{few} fit {named(name, kind).columns}; the columns are {columns}")


# What cannot serve as every kind, the narrower form before the wider.
_OWN: tuple[tuple[Kind, tuple[Schema, ...]], ...] = (("labelled", UNPAIRED), ("supervised", SINGLE))


def _other_kind(rows: Sequence[Values], where: str, wanted: Kind) -> WrongKind | None:
    """What the first rows are, if they are sound rows of another kind."""
    for found, schemas in _OWN:
        fit = [any(schema.matches(values) for schema in schemas) for values in rows]
        if found == "labelled":
            fit = [each and says(values) for each, values in zip(fit, rows, strict=True)]
        if sum(fit) * 2 > len(rows):
            return WrongKind(found, wanted, where)
    return None


def _guess(values: Values) -> str | None:
    """The format that the column names alone point to, so that a row can be told what is wrong with it."""
    if "chosen" not in values and "rejected" not in values:
        return None
    for column, name in (("conversations", "sharegpt"), ("instruction", "alpaca")):
        if column in values:
            return name
    lists = any(isinstance(values.get(column), list) for column in ("chosen", "rejected"))
    if "prompt" in values:
        if isinstance(values["prompt"], list):
            return "messages" if lists else "tiebreak"
        return "ultrafeedback" if lists else "text"
    if "chosen" in values and "rejected" in values:
        return "implicit" if lists else "transcript"
    return None


def _unknown(rows: Sequence[Values], where: str, schemas: Sequence[Schema]) -> InputError:
    columns = list(rows[0])
    hints = []
    wanted = {word.strip(" ()") for schema in schemas for word in schema.columns.replace("(", ",").split(",")}
    for column in columns:
        near = difflib.get_close_matches(str(column), sorted(wanted - set(columns)), n=1, cutoff=0.75)
        if near and str(column) not in wanted:
            hints.append(f"is '{column}' meant to be '{near[0]}'? ")
    listed = "; ".join(f"{schema.name}: {schema.columns}" for schema in schemas)
    return InputError(
        f"The format is not known: the rows have the columns {quoted(', '.join(map(str, columns)), 200)}.",
        where=where,
        fix=f"{''.join(hints)}known formats are {listed}; name one with --schema to see which column does not fit",
    )
