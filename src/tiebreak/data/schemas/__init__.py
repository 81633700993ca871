"""Every format that can be read: one registry, and how a format is recognised.

Knows which schemas there are and in which order they are tried; what each does stands in its own module.
Adding a format is one small module and one line here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tiebreak.data.preference import Demonstration, Preference
from tiebreak.data.problems import quoted
from tiebreak.data.schemas import answers, canonical, demonstrations, instructions, messages, transcript
from tiebreak.errors import InputError

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Schema:
    """One format of rows.

    Attributes:
        name: how the user names it.
        columns: the columns it reads, for people.
        matches: whether a row looks like it.
        convert: the canonical rows of one row; raises RowProblem or LeftOut.
    """

    name: str
    columns: str
    matches: Callable[[Values], bool]
    convert: Callable[[Values], list[Preference]] | Callable[[Values], list[Demonstration]]


@dataclass(frozen=True)
class Recognition:
    """Which format a source has, and how that was seen."""

    schema: str
    why: str


# The first that matches a row wins, so the narrower form stands before the wider.
PREFERENCES: tuple[Schema, ...] = (
    Schema("tiebreak", "prompt (messages), chosen, rejected (text)", canonical.matches, canonical.convert),
    Schema("transcript", "chosen, rejected (Human/Assistant transcripts)", transcript.matches, transcript.convert),
    Schema(
        "sharegpt",
        "conversations (messages), chosen, rejected",
        instructions.matches_sharegpt,
        instructions.convert_sharegpt,
    ),
    Schema("messages", "prompt, chosen, rejected (messages)", messages.matches_lists, messages.convert_lists),
    Schema(
        "ultrafeedback",
        "prompt (text), chosen, rejected (messages)",
        messages.matches_text_prompt,
        messages.convert_text_prompt,
    ),
    Schema(
        "implicit", "chosen, rejected (messages that begin alike)", messages.matches_implicit, messages.convert_implicit
    ),
    Schema(
        "alpaca",
        "instruction, input, chosen, rejected (text)",
        instructions.matches_alpaca,
        instructions.convert_alpaca,
    ),
    Schema("system", "system, prompt, chosen, rejected (text)", transcript.matches_system, transcript.convert_text),
    Schema("text", "prompt, chosen, rejected (text)", transcript.matches_text, transcript.convert_text),
    Schema(
        "labelled",
        "prompt, response_0, response_1, better_response_id",
        answers.matches_labelled,
        answers.convert_labelled,
    ),
    Schema("ranked", "prompt, answers, scores (or ranks)", answers.matches_ranked, answers.convert_ranked),
)


def _imitating_chosen(schema: Schema) -> Schema:
    """A preference schema read for supervised training: its better ending is what to imitate."""

    def convert(values: Values) -> list[Demonstration]:
        best: dict[tuple[object, str], Demonstration] = {}
        for pair in schema.convert(values):
            assert isinstance(pair, Preference)
            name = pair.id.partition("#")[0] or None if schema.name == "ranked" and pair.id else pair.id
            best.setdefault((pair.prompt, pair.chosen), Demonstration(pair.prompt, pair.chosen, name, pair.weight))
        return list(best.values())

    return Schema(schema.name, schema.columns, schema.matches, convert)


DEMONSTRATIONS: tuple[Schema, ...] = (
    *map(_imitating_chosen, PREFERENCES),
    Schema(
        "demonstration",
        "prompt (messages), completion (text)",
        canonical.matches_demonstration,
        canonical.convert_demonstration,
    ),
    Schema(
        "prompt-completion",
        "prompt, completion",
        demonstrations.matches_prompt_completion,
        demonstrations.convert_prompt_completion,
    ),
    Schema(
        "instruction",
        "instruction, input, output",
        demonstrations.matches_instruction,
        demonstrations.convert_instruction,
    ),
    Schema("conversation", "messages", demonstrations.matches_messages, demonstrations.convert_messages),
    Schema(
        "conversations",
        "conversations (from, value)",
        demonstrations.matches_conversations,
        demonstrations.convert_conversations,
    ),
)


def named(name: str, schemas: Sequence[Schema] = PREFERENCES) -> Schema:
    """The schema of a name.

    Raises:
        InputError: there is none; with the nearest.
    """
    for schema in schemas:
        if schema.name == name:
            return schema
    names = [schema.name for schema in schemas]
    near = difflib.get_close_matches(name, names, n=1)
    fix = (f"did you mean '{near[0]}'? " if near else "") + f"known: auto, {', '.join(names)}"
    raise InputError(f"There is no schema '{name}'.", where="schema", fix=fix)


def first_match(values: Values, schemas: Sequence[Schema] = PREFERENCES) -> Schema | None:
    """The first schema that a row looks like."""
    return next((schema for schema in schemas if schema.matches(values)), None)


def recognise(rows: Sequence[Values], where: str, schemas: Sequence[Schema] = PREFERENCES) -> Recognition:
    """Tell the format from a look at the first rows: the one that most of them have.

    Args:
        rows: the columns of the first rows, at least one.
        where: the source, named in errors.
        schemas: the registry that comes into question.
    Raises:
        InputError: no row has a known format.
    """
    seen: dict[str, int] = {}
    for values in rows:
        schema = first_match(values, schemas)
        if schema is not None:
            seen[schema.name] = seen.get(schema.name, 0) + 1
    if not seen:
        guess = _guess(rows[0])
        if guess is None or guess not in {schema.name for schema in schemas}:
            raise _unknown(rows, where, schemas)
        return Recognition(
            guess, f"no row fits a format, but the columns {', '.join(map(str, rows[0]))} come near this"
        )
    # Of equally many the one met first, which is also what a reader of the file would say.
    name = max(seen, key=lambda each: seen[each])
    columns = ", ".join(map(str, next(values for values in rows if named(name, schemas).matches(values))))
    few = f"{seen[name]} of the first {len(rows)} rows" if len(rows) > 1 else "the only row"
    return Recognition(name, f"{few} fit {named(name, schemas).columns}; the columns are {columns}")


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
