"""The prompts that models are to answer: of a text file, of rows that have prompts alone, or of any data set."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.data.forms import conversation as talk
from tiebreak.data.forms.fields import RowProblem
from tiebreak.data.load import load_as_it_is
from tiebreak.data.preference import Message, messages_from
from tiebreak.data.reading.rows import Row, Source
from tiebreak.data.reading.sources import SourceSpec, open_source
from tiebreak.errors import InputError

_NAMES = ("prompt", "messages", "conversation", "conversations", "question", "instruction", "query")
# A row with one of these has completions: it is read as in training, so that its prompt is the same.
_COMPLETIONS = (
    *("chosen", "rejected", "completion", "completions", "response", "responses", "output", "answer", "label"),
    *("response_a", "response_b", "response_0", "response_1", "answer_a", "answer_b"),
)


@dataclass(frozen=True)
class AskedPrompt:
    """A conversation that is to be answered, and its tools as JSON text."""

    turns: tuple[Message, ...]
    tools: str | None = None


def read_prompts(
    source: SourceSpec | str,
    *,
    schema: str = "auto",
    columns: Mapping[str, Any] | None = None,
    transform: str | None = None,
    skip_bad_rows: bool = False,
    most: int | None = None,
) -> list[AskedPrompt]:
    """The different prompts of a source, in order.

    Args:
        source: a text file with a prompt a line, or any source of rows that have prompts.
        schema, columns, transform, skip_bad_rows: as in a recipe's data section.
        most: how many are wanted; None is all.
    Raises:
        InputError: the source is wrong, or has no prompts.
    """
    spec = source if isinstance(source, SourceSpec) else SourceSpec(source)
    path = Path(spec.source).expanduser()
    if path.suffix.lower() == ".txt":
        found: Iterator[AskedPrompt] = _lines(path)
    else:
        plain = schema == "auto" and not columns and transform is None
        alone = _alone(spec, skip_bad_rows=skip_bad_rows) if plain else None
        found = alone or _of_rows(spec, schema, columns, transform, skip_bad_rows=skip_bad_rows)
    different: dict[AskedPrompt, None] = {}
    for each in found:
        if each.turns:
            different[each] = None
        if len(different) == most:
            break
    if not different:
        raise InputError("There are no prompts to answer.", where=spec.source, fix="name a file that has some")
    return list(different)


def _of_rows(
    source: SourceSpec,
    schema: str,
    columns: Mapping[str, Any] | None,
    transform: str | None,
    *,
    skip_bad_rows: bool,
) -> Iterator[AskedPrompt]:
    """The prompts of rows that are read as in training."""
    loaded = load_as_it_is(source, schema=schema, columns=columns, transform=transform, skip_bad_rows=skip_bad_rows)
    for row in loaded.dataset.select_columns(["prompt", "tools"]):
        yield AskedPrompt(messages_from(row["prompt"]), row["tools"])


def _lines(path: Path) -> Iterator[AskedPrompt]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no file '{path}'.", where="--prompts", fix="check the name") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The prompts cannot be read: {error}.", where=str(path), fix="save it as UTF-8") from None
    return (AskedPrompt((Message("user", line),)) for line in map(str.strip, text.split("\n")) if line)


def _alone(spec: SourceSpec, *, skip_bad_rows: bool) -> Iterator[AskedPrompt] | None:
    """The prompts of rows that have no completions; None where the first row says that they are of another kind."""
    source = open_source(spec)
    if not isinstance(source, Source):
        return None

    def on_bad(error: InputError) -> None:
        if not skip_bad_rows:
            raise error

    rows = source.rows(on_bad, lambda _share: None)
    first = next(rows, None)
    column = None if first is None else _column(first.values)
    if first is None or column is None:
        return None
    return _asked_in(itertools.chain([first], rows), column, on_bad)


def _asked_in(rows: Iterable[Row], column: str, on_bad: Callable[[InputError], None]) -> Iterator[AskedPrompt]:
    for row in rows:
        try:
            asked = _asked(row, column)
        except InputError as error:
            on_bad(error)
        else:
            yield asked


def _column(values: Mapping[str, Any]) -> str | None:
    if any(str(name).lower() in _COMPLETIONS and values[name] is not None for name in values):
        return None
    column = next((name for name in _NAMES if values.get(name) is not None), None)
    if column is not None and talk.is_turns(values[column]):
        turns = talk.turns(values[column], column)
        return None if turns and turns[-1].role == "assistant" else column  # its last turn is a completion
    return column


def _asked(row: Row, column: str) -> AskedPrompt:
    value = row.values.get(column)
    try:
        if talk.is_turns(value):
            turns: Sequence[Message] = talk.turns(value, column)
        elif isinstance(value, str):
            turns = talk.rendered_prompt(value, column) or (Message("user", value),)
        else:
            raise RowProblem(column, "text or a list of messages", type(value).__name__)
        return AskedPrompt(talk.asked(tuple(turns), column))
    except RowProblem as problem:
        raise problem.at(row.where, row.values) from None
