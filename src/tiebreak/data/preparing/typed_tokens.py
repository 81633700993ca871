"""Special tokens that people typed: kept apart from those that a template writes, and encoded as text.

A special token that stands in a message is hidden before the message is rendered: a mark takes its place, which no
template looks at. What is rendered can then be cut and compared as any text, and every special token in it is the
template's. When it is encoded, what was hidden comes back as plain text. Text without such tokens is never touched.

Knows tokenizers and their special tokens; knows nothing of templates but the text that they are written in.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tiebreak.data.preference import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Two code points that Unicode keeps free for the inner use of programs: they mean nothing in any text.
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
_HIDDEN = re.compile(f"{_OPEN}(\\d+|x){_CLOSE}")

SENTINEL = "\ufdd2"
"""A third one: a text that no conversation has, to see where a template puts it."""


class TypedTokens:
    """What the special tokens of a tokenizer are, and how to hide them in text of people and bring them back.

    Args:
        tokenizer: the model's tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        known = tokenizer.added_tokens_decoder.values()
        written = str(tokenizer.chat_template or "")
        special = {token.content for token in known if token.special} | set(tokenizer.all_special_tokens)
        # Of other added tokens those that the template writes, such as <tool_response>. An assistant writes them too.
        others = {token.content for token in known if token.content in written and not token.content.isspace()}
        self.names = tuple(sorted(special | others, key=lambda name: (-len(name), name)))
        self.number_of = {name: number for number, name in enumerate(self.names)}
        self._firsts = tuple({name[0] for name in self.names} | {_OPEN})
        self._assistant, self._all = _pattern(special), _pattern(self.names)

    def hidden(self, text: str, *, assistant: bool = False) -> str:
        """A text of people with its special tokens hidden.

        Args:
            text: what somebody typed, or JSON text of it.
            assistant: whether it is the assistant's, whose own turns may hold what the template writes for it.
        """
        if not any(first in text for first in self._firsts):  # faster than a pattern, and so with most texts
            return text
        return (self._assistant if assistant else self._all).sub(self._mark, text)

    def _mark(self, found: re.Match[str]) -> str:
        return f"{_OPEN}{self.number_of.get(found[0], 'x')}{_CLOSE}"

    def hidden_turn(self, turn: Message) -> Message:
        """A turn with the special tokens of all its texts hidden."""
        own = turn.role == "assistant"
        content = self.hidden(turn.content, assistant=own)
        if turn.is_plain:
            return turn if content == turn.content else replace(turn, content=content)

        def hidden(text: str | None) -> str | None:
            return None if text is None else self.hidden(text, assistant=own)

        return replace(
            turn,
            content=content,
            tool_calls=hidden(turn.tool_calls),
            tool_call_id=hidden(turn.tool_call_id),
            name=hidden(turn.name),
            reasoning_content=hidden(turn.reasoning_content),
        )

    def shown(self, rendered: str) -> str:
        """A rendered text as people read it."""
        return _HIDDEN.sub(self._typed, rendered)

    def _typed(self, found: re.Match[str]) -> str:
        return _OPEN if found[1] == "x" else self.names[int(found[1])]

    def written(self, rendered: str) -> list[int]:
        """Where each special token that the template wrote ends in a rendered text."""
        return [found.end() for found in self._assistant.finditer(rendered) if found[0] != _OPEN]

    def encode(self, rendered: str, *, special: bool) -> list[int]:
        """Token ids of a rendered text in which something is hidden.

        Args:
            rendered: the text.
            special: whether the tokenizer puts its own special tokens around it.
        """
        if self._twin is not None:
            return self._twin.encode(self, rendered, special=special)
        ids: list[int] = []
        at = 0
        for found in self._all.finditer(rendered):
            if found[0] != _OPEN:
                ids += self._slowly(rendered[at : found.start()])
                ids.append(self._id_of(found[0]))
                at = found.end()
        ids += self._slowly(rendered[at:])
        return list(self._tokenizer.build_inputs_with_special_tokens(ids)) if special else ids

    def _slowly(self, rendered: str) -> list[int]:
        """Ids of a text without special tokens of the template, by a tokenizer that is written in Python."""
        ids = self._split(self.shown(rendered))
        control = {self._id_of(name) for name in self.names} - {self._tokenizer.unk_token_id}
        return ids if control.isdisjoint(ids) else [id_ for part in self.broken(rendered) for id_ in self._split(part)]

    def _split(self, text: str) -> list[int]:
        tokens = self._tokenizer.tokenize(text, split_special_tokens=True) if text else []
        return [self._id_of(token) for token in tokens]

    def broken(self, rendered: str) -> list[str]:
        """As `shown`, in parts that end in each special token after its first character: no model takes it whole."""
        parts = [""]
        at = 0
        for found in _HIDDEN.finditer(rendered):
            text = self._typed(found)
            parts[-1] += rendered[at : found.start()] + text[:1]
            parts.append(text[1:])
            at = found.end()
        parts[-1] += rendered[at:]
        return [part for part in parts if part]

    def renamed(self, rendered: str, names: Mapping[str, str]) -> str:
        """A rendered text with other names for the special tokens that are not hidden."""
        return self._all.sub(lambda found: names.get(found[0], found[0]), rendered)

    def _id_of(self, name: str) -> int:
        return int(self._tokenizer.convert_tokens_to_ids(name))  # type: ignore[arg-type]

    @cached_property
    def _twin(self) -> _Twin | None:
        return _twin_of(self._tokenizer, self.names)


@dataclass(frozen=True)
class _Twin:
    """The Rust part of a tokenizer again, with other names for its special tokens, which nobody can type.

    Attributes:
        backend: the tokenizer.
        names: the new name of each special token, by the old one; `stop` is one more, whose token is left out.
        ids: what the ids of its added tokens are in the tokenizer itself; None is that of `stop`.
        control: ids that no token of the twin has but where its model takes plain text for a special token.
    """

    backend: Any
    names: dict[str, str]
    stop: str
    ids: dict[int, int | None]
    control: frozenset[int]

    def encode(self, typed: TypedTokens, rendered: str, *, special: bool) -> list[int]:
        """Token ids of a rendered text, as `TypedTokens.encode`."""
        renamed = typed.renamed(rendered, self.names)
        found = self.backend.encode(typed.shown(renamed), add_special_tokens=special)
        if any(
            id_ in self.control and not is_put_around
            for id_, is_put_around in zip(found.ids, found.special_tokens_mask, strict=True)
        ):
            found = self.backend.encode(self.stop.join(typed.broken(renamed)), add_special_tokens=special)
        own = (self.ids.get(id_, id_) for id_ in found.ids)
        return [id_ for id_ in own if id_ is not None]


def _twin_of(tokenizer: PreTrainedTokenizerBase, names: Iterable[str]) -> _Twin | None:
    """The twin of a tokenizer with a Rust part that can be written down; None for all others."""
    from tokenizers import AddedToken, Tokenizer

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        return None
    try:
        written = json.loads(backend.to_str())
    except Exception as error:  # the library raises no narrower class
        if "serialize" not in str(error).lower():
            raise
        return None
    salt = secrets.token_hex(16)
    new = {name: f"<|{salt}-{number}|>" for number, name in enumerate(names)}
    old = {each["content"]: each["id"] for each in written["added_tokens"]}
    for each in written["added_tokens"]:
        each["content"] = new.get(each["content"], each["content"])
    written["truncation"] = written["padding"] = None
    twin = Tokenizer.from_str(json.dumps(written))
    stop = f"<|{salt}|>"
    twin.add_special_tokens([AddedToken(stop, special=True, normalized=False)])
    ids: dict[Any, int | None] = {twin.token_to_id(new.get(name, name)): id_ for name, id_ in old.items()}
    ids[twin.token_to_id(stop)] = None
    control = {id_ for name, id_ in old.items() if name in new} - {tokenizer.unk_token_id, *ids}
    return _Twin(twin, new, stop, ids, frozenset(control))


_KNOWN: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[Any, TypedTokens]] = WeakKeyDictionary()


def typed_tokens(tokenizer: PreTrainedTokenizerBase) -> TypedTokens:
    """The typed tokens of a tokenizer, found once as long as its tokens and its template stay the same."""
    state = (len(tokenizer), str(tokenizer.chat_template), tuple(tokenizer.all_special_tokens))
    found = _KNOWN.get(tokenizer)
    if found is None or found[0] != state:
        found = _KNOWN[tokenizer] = state, TypedTokens(tokenizer)
    return found[1]


def is_hidden_in(rendered: str) -> bool:
    """Whether something is hidden in a rendered text."""
    return _OPEN in rendered


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, [*longest_first, _OPEN])))
