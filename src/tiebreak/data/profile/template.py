"""What a chat template and a tokenizer make of rows: start tokens and system turns twice, turns in part, ends missing.

Start and end tokens are looked for in the ids of all rows. Turns are compared with the text that the ids were made of:
some rows are rendered once more, evenly over all. What that means for a run is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.load_report import Tally
from tiebreak.data.preparing.completions import CompletionWriter, ScoreTurns
from tiebreak.data.preparing.render_rows import render_rows
from tiebreak.data.preparing.templates import Renderer

if TYPE_CHECKING:
    from datasets import Dataset

    from tiebreak.data.preference import Message
    from tiebreak.data.preparing.completions import RenderedRow

MOST = 500
"""Rows that are rendered."""
_NAMED = 5
_OPENED = re.compile(r"<think(?:ing)?>")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.S)
# A mark that opens a system turn, such as <|im_start|>system, <|system|> or <<SYS>>, and not one that closes it.
_SYSTEM = re.compile(r"[<\[][^\s/]{0,40}?sys(?:tem)?(?![a-z])", re.I)


@dataclass(frozen=True)
class TemplateTraits:
    """What was counted. Rows are named by their ids, or by their numbers among those that were tokenized.

    Attributes:
        doubled_start: rows whose prompt begins with two start tokens, of all.
        without_end: completions that do not end with the end-of-sequence token, of all, by name.
        looked_at: how many rows were rendered.
        systems: rows of those that have a system turn.
        doubled_system: rows in which there are two of them, or two are written.
        lost_completions: rows with a completion of which something is not written.
        lost_turns: rows of whose prompt something is not written.
        completion_thoughts, turn_thoughts: of those, where nothing but thoughts such as `<think>` is missing.
    """

    doubled_start: Tally
    without_end: Mapping[str, Tally]
    looked_at: int
    systems: int
    doubled_system: Tally
    lost_completions: Tally
    lost_turns: Tally
    completion_thoughts: int
    turn_thoughts: int


@dataclass
class _Found:
    """Rows by what was seen in them, while they go by."""

    systems: int = 0
    doubled_system: list[int] = field(default_factory=list)
    lost_completions: list[int] = field(default_factory=list)
    lost_turns: list[int] = field(default_factory=list)
    completion_thoughts: int = 0
    turn_thoughts: int = 0


def template_traits(
    rows: Dataset,
    tokenized: Dataset,
    completions: Sequence[str],
    renderer: Renderer,
    *,
    score_turns: ScoreTurns = "all",
    most: int = MOST,
) -> TemplateTraits:
    """Look at rows as token ids and as text, and compare them with what was given.

    Args:
        rows: canonical rows, those that were tokenized and kept.
        tokenized: the same rows as token ids, with a column `row` of their numbers.
        completions: names of the columns of completions.
        renderer: writes conversations, as it did for the ids.
        score_turns: as for the ids.
        most: how many rows are rendered.
    """

    def tally(numbers: Sequence[int] | NDArray[np.int64]) -> Tally:
        first = [int(number) for number in numbers[:_NAMED]]
        ids = rows.select(first)["id"] if "id" in rows.column_names else [None] * len(first)
        names = tokenized.select(first)["row"]
        known = zip(ids, names, strict=True)
        return Tally(len(numbers), tuple(str(id_ or f"row {name + 1}") for id_, name in known))

    tokenizer = renderer.tokenizer
    ends = {name: np.flatnonzero(_lasts(tokenized, f"{name}_ids") != tokenizer.eos_token_id) for name in completions}
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))
    found = _Found()
    looked_at = 0
    some = rows.select(chosen)
    given = [[_answers(row, name) for name in completions] for row in some]
    for part in render_rows(some, completions, CompletionWriter(renderer, score_turns)):
        for number, turns, text in zip(part.rows, part.turns, part.texts, strict=True):
            looked_at += 1
            _compare(int(chosen[number]), turns, given[number], text, renderer, found)
    return TemplateTraits(
        doubled_start=tally(_doubled(tokenized, tokenizer.bos_token_id)),
        without_end={name: tally(numbers) for name, numbers in ends.items() if len(numbers)},
        looked_at=looked_at,
        systems=found.systems,
        doubled_system=tally(found.doubled_system),
        lost_completions=tally(found.lost_completions),
        lost_turns=tally(found.lost_turns),
        completion_thoughts=found.completion_thoughts,
        turn_thoughts=found.turn_thoughts,
    )


def _compare(
    number: int,
    turns: Sequence[Message],
    answers: list[list[str]],
    text: RenderedRow,
    renderer: Renderer,
    found: _Found,
) -> None:
    """Note what a row as text has twice or not at all."""
    systems = [turn for turn in turns if turn.role == "system"]
    found.systems += bool(systems)
    if len(systems) > 1 or _is_system_twice(turns, text.prompt, renderer):
        found.doubled_system.append(number)
    pieces = [_plain(renderer.shown("".join(piece for piece, _ in parts))) for parts in text.completions]
    lost = [
        (answer, piece)
        for said, piece in zip(answers, pieces, strict=True)
        for answer in said
        if not _stands(answer, piece)
    ]
    if lost:
        found.lost_completions.append(number)
        found.completion_thoughts += all(_is_thought(*each) for each in lost)
    # What a tool gives back is written in a form of its own, often as JSON.
    prompt = _plain(renderer.shown(text.prompt))
    lost = [(turn.content, prompt) for turn in turns if turn.role != "tool" and not _stands(turn.content, prompt)]
    if lost:
        found.lost_turns.append(number)
        found.turn_thoughts += all(_is_thought(*each) for each in lost)


def _is_system_twice(turns: Sequence[Message], prompt: str, renderer: Renderer) -> bool:
    """Whether two system turns are written, or one of them twice. What people typed of such marks does not count."""
    hidden = [renderer.hidden(turn) for turn in turns]
    said = [turn.content for turn in hidden]
    if len(_SYSTEM.findall(prompt)) - sum(len(_SYSTEM.findall(each)) for each in said) > 1:
        return True
    given = [turn.content.strip() for turn in hidden if turn.role == "system"]
    return any(each and prompt.count(each) > sum(other.count(each) for other in said) for each in given)


def _answers(row: Mapping[str, Any], name: str) -> list[str]:
    """The texts of the assistant's turns in a completion."""
    turns = row.get(f"{name}_turns") or [{"role": "assistant", "content": row[name]}]
    return [turn["content"] for turn in turns if turn["role"] == "assistant"]


def _stands(text: str, written: str) -> bool:
    """Whether a text is written; a cue may have opened its thought before it."""
    plain = _plain(text)
    opened = _OPENED.match(plain)
    return plain in written or (opened is not None and plain[opened.end() :] in written)


def _is_thought(text: str, written: str) -> bool:
    """Whether a text is written but for its thoughts."""
    rest = _THOUGHT.sub("", text)
    return rest != text and _plain(rest) in written


def _plain(text: str) -> str:
    """A text without its white space: templates trim, and set thoughts apart in their own way."""
    return "".join(text.split())


def _lasts(tokenized: Dataset, name: str) -> NDArray[np.int64]:
    """The last id of each list of a column, shape (rows,); no list is empty."""
    chunks = tokenized.data.column(name).chunks
    return np.concatenate([chunk.values.to_numpy()[chunk.offsets.to_numpy()[1:] - 1] for chunk in chunks])


def _doubled(tokenized: Dataset, start: int | None) -> NDArray[np.int64]:
    """The rows whose prompt begins with two start tokens."""
    if start is None:
        return np.empty(0, np.int64)
    found = []
    for chunk in tokenized.data.column("prompt_ids").chunks:
        ids, offsets = chunk.values.to_numpy(), chunk.offsets.to_numpy()
        long = np.diff(offsets) > 1
        first = offsets[:-1][long]
        twice = np.zeros(len(long), bool)
        twice[long] = (ids[first] == start) & (ids[first + 1] == start)
        found.append(twice)
    return np.flatnonzero(np.concatenate(found))
