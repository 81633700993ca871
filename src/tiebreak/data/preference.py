"""The canonical rows, one class for each task: what every public form is converted to and everything else reads.

Knows nothing of files, other forms or tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, cast

from tiebreak.tasks import TASKS, Task, TaskName, load_part

if TYPE_CHECKING:
    from datasets import Features

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
WORSE = ("rejected", "bad")
"""What completions are called that are not to be preferred; `completions_of` names them."""
SELDOM = ("tools", "chosen_turns", "rejected_turns", "completion_turns", "source", "category")
"""Columns that are written only where some row has them: most data has plain turns, no tools, and is of one kind."""


_BESIDE = ("tool_calls", "tool_call_id", "name", "reasoning_content")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who speaks; `tool` is the result of a call.
        content: what is said; empty where an assistant's turn only calls tools.
        tool_calls: the calls of an assistant's turn, as JSON text of the form that `data.tools` makes.
        tool_call_id: of a tool's turn, the call that it answers.
        name: of a tool's turn, the tool.
        reasoning_content: the thought before an assistant's answer, where the source keeps the two apart.
    """

    role: Role
    content: str
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    reasoning_content: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it has nothing beside its content."""
        return self.tool_calls is self.tool_call_id is self.name is self.reasoning_content is None

    def to_row(self) -> dict[str, str]:
        """As a plain dict of what it has."""
        row: dict[str, str] = {"role": self.role, "content": self.content}
        if not self.is_plain:
            row |= {key: value for key in _BESIDE if (value := getattr(self, key)) is not None}
        return row


def _written(turns: tuple[Message, ...]) -> list[dict[str, str]]:
    """Turns as plain dicts, which nearly all are made of two keys."""
    return [{"role": turn.role, "content": turn.content} if turn.is_plain else turn.to_row() for turn in turns]


@dataclass(frozen=True, slots=True)
class Preference:
    """A conversation so far and its two completions.

    Attributes:
        prompt: the turns before the completion; the last one is not the assistant's.
        chosen, rejected: the text of the two completions. Of one that is more than an assistant's plain answer it is
            what `completion_of` makes of its turns.
        id: the row's own name in its source, if it has one.
        weight: how much the pair counts in the loss; 1 is a plain pair.
        chosen_score, rejected_score: the source's scores of the completions, if it has any.
        tools: the tools that the assistant may call, as JSON text of the form that `data.tools` makes.
        chosen_turns, rejected_turns: the turns of the completions, an assistant's first and last; empty where it is one
            plain answer. `completion_of` gives both the text and the turns.
        source, category: where the row is from and of what kind it is, where its source says so: what an evaluation is
            broken down by.
    """

    prompt: tuple[Message, ...]
    chosen: str
    rejected: str
    id: str | None = None
    weight: float = 1.0
    chosen_score: float | None = None
    rejected_score: float | None = None
    tools: str | None = None
    chosen_turns: tuple[Message, ...] = ()
    rejected_turns: tuple[Message, ...] = ()
    source: str | None = None
    category: str | None = None

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file: plain lists, dicts, strings and numbers."""
        return {
            "prompt": _written(self.prompt),
            "chosen": self.chosen,
            "rejected": self.rejected,
            "id": self.id,
            "weight": self.weight,
            "chosen_score": self.chosen_score,
            "rejected_score": self.rejected_score,
            "tools": self.tools,
            "chosen_turns": _written(self.chosen_turns),
            "rejected_turns": _written(self.rejected_turns),
            "source": self.source,
            "category": self.category,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Preference:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            chosen=row["chosen"],
            rejected=row["rejected"],
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
            chosen_score=row.get("chosen_score"),
            rejected_score=row.get("rejected_score"),
            tools=row.get("tools"),
            chosen_turns=messages_from(row.get("chosen_turns") or ()),
            rejected_turns=messages_from(row.get("rejected_turns") or ()),
            source=row.get("source"),
            category=row.get("category"),
        )

    @staticmethod
    def features() -> Features:
        """The columns of `to_row` and their types."""
        return _features_of(Preference)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A conversation so far and the one completion to imitate (supervised training); fields as of `Preference`."""

    prompt: tuple[Message, ...]
    completion: str
    id: str | None = None
    weight: float = 1.0
    tools: str | None = None
    completion_turns: tuple[Message, ...] = ()
    source: str | None = None
    category: str | None = None

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file."""
        return {
            "prompt": _written(self.prompt),
            "completion": self.completion,
            "id": self.id,
            "weight": self.weight,
            "tools": self.tools,
            "completion_turns": _written(self.completion_turns),
            "source": self.source,
            "category": self.category,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Demonstration:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            completion=row["completion"],
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
            tools=row.get("tools"),
            completion_turns=messages_from(row.get("completion_turns") or ()),
            source=row.get("source"),
            category=row.get("category"),
        )

    @staticmethod
    def features() -> Features:
        """The columns of `to_row` and their types."""
        return _features_of(Demonstration)


@dataclass(frozen=True, slots=True)
class UnpairedCompletion:
    """A conversation so far, one completion, and whether people found it good (KTO).

    Attributes:
        prompt: the turns before the completion; the last one is not the assistant's.
        completion: the text of the completion.
        label: whether the completion is desirable.
        id: the row's own name in its source, if it has one.
        weight: how much the row counts in the loss; 1 is a plain row.
        tools, completion_turns, source, category: as of `Preference`.
    """

    prompt: tuple[Message, ...]
    completion: str
    label: bool
    id: str | None = None
    weight: float = 1.0
    tools: str | None = None
    completion_turns: tuple[Message, ...] = ()
    source: str | None = None
    category: str | None = None

    def to_row(self) -> dict[str, Any]:
        """As a row of the canonical file."""
        return {
            "prompt": _written(self.prompt),
            "completion": self.completion,
            "label": self.label,
            "id": self.id,
            "weight": self.weight,
            "tools": self.tools,
            "completion_turns": _written(self.completion_turns),
            "source": self.source,
            "category": self.category,
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> UnpairedCompletion:
        """From a row that `to_row` made."""
        return cls(
            prompt=messages_from(row["prompt"]),
            completion=row["completion"],
            label=bool(row["label"]),
            id=row.get("id"),
            weight=1.0 if row.get("weight") is None else float(row["weight"]),
            tools=row.get("tools"),
            completion_turns=messages_from(row.get("completion_turns") or ()),
            source=row.get("source"),
            category=row.get("category"),
        )

    @staticmethod
    def features() -> Features:
        """The columns of `to_row` and their types."""
        return _features_of(UnpairedCompletion)


CanonicalRow = Preference | Demonstration | UnpairedCompletion


def row_class(task: TaskName) -> type[CanonicalRow]:
    """The class of a task's canonical rows."""
    found: type[CanonicalRow] = load_part(TASKS[task].row)
    return found


def completions_of(row: Mapping[str, Any], task: Task) -> dict[str, str]:
    """The completions of a row by what each is: chosen and rejected, good or bad by its label, or a completion.

    Args:
        row: with the columns of the task's canonical rows.
        task: what the row is for.
    """
    if task.has_label:
        return {"good" if row["label"] else "bad": row[name] for name in task.text_columns}
    return {name: row[name] for name in task.text_columns}


def better_and_worse(row: Mapping[str, Any], task: Task) -> tuple[str | None, str | None]:
    """The completion of a row that is to be preferred and the one that is not; None where it has no such one."""
    found = completions_of(row, task)
    worse = next((found[name] for name in WORSE if name in found), None)
    return next((text for name, text in found.items() if name not in WORSE), None), worse


def completion_of(turns: Sequence[Message]) -> tuple[str, tuple[Message, ...]]:
    """The two fields of a completion: its text, and its turns unless it is one plain answer of the assistant.

    Args:
        turns: what follows the prompt; the first and the last are the assistant's.
    """
    if len(turns) == 1 and turns[0].is_plain:
        return turns[0].content, ()
    said = [_said(turn) if number == 0 else f"{turn.role}: {_said(turn)}" for number, turn in enumerate(turns)]
    return "\n\n".join(said), tuple(turns)


def conversation_text(turns: Sequence[Mapping[str, Any]]) -> str:
    """A conversation as people read it in a table: its text, or who says what where there are several turns."""
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)


def _said(turn: Message) -> str:
    """A turn as people read it: its thought, its content, its calls."""
    return "\n".join(part for part in (turn.reasoning_content, turn.content, turn.tool_calls) if part)


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `to_row` without the columns that few rows fill, where they are empty."""
    return {key: value for key, value in row.items() if value or key not in SELDOM}


def messages_from(turns: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """Messages from dicts of the keys of `Message`; null is as if the key were not there."""
    return tuple(
        Message(cast(Role, turn["role"]), turn["content"], *(turn.get(key) for key in _BESIDE)) for turn in turns
    )


def _features_of(row: type[CanonicalRow]) -> Features:
    """The columns of a class of rows and their types, by those of its fields."""
    from datasets import Features, Value

    text = Value("string")
    turns = [{"role": text, "content": text, **dict.fromkeys(_BESIDE, text)}]
    types = {"tuple[Message, ...]": turns, "str": text, "float": Value("float64"), "bool": Value("bool")}
    return Features({field.name: types[str(field.type).removesuffix(" | None")] for field in fields(row)})
