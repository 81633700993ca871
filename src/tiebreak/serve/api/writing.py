"""From the pieces of answers to what a client gets: one whole answer, or the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tiebreak.serve.api.answers import (
    AnsweredCall,
    AnswerMessage,
    ChatChoice,
    ChatCompletion,
    ChatLogprobs,
    Completion,
    Likely,
    LikelyPlace,
    TextChoice,
    TextLogprobs,
    Usage,
)
from tiebreak.serve.api.asked import Asked
from tiebreak.serve.generation.engine import LikelyToken, Piece, ScoredToken

# JSON has no infinity; this is what OpenAI's API writes.
_IMPOSSIBLE = -9999.0


@dataclass
class Collected:
    """An answer as far as it has come."""

    texts: list[str] = field(default_factory=list)
    tokens: list[ScoredToken] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    last: Piece = field(default_factory=lambda: Piece(""))

    def add(self, piece: Piece) -> None:
        """Take the next piece."""
        self.texts.append(piece.text)
        self.tokens += piece.tokens
        self.last = piece
        for part in piece.tool_calls:
            _join_call(self.calls.setdefault(int(part.get("index", 0)), {}), part)

    @property
    def text(self) -> str:
        """What is said so far."""
        return "".join(self.texts)


def _join_call(call: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add a part of a call of a tool to what has come of it."""
    function = part.get("function") or {}
    call["id"] = part.get("id") or call.get("id", "")
    held = call.setdefault("function", {"name": "", "arguments": ""})
    held["name"] += function.get("name") or ""
    held["arguments"] += function.get("arguments") or ""


def whole_answer(asked: Asked, answers: Sequence[Collected]) -> dict[str, Any]:
    """The answer to a request that wants no stream."""
    shared: dict[str, Any] = {
        "id": asked.id,
        "created": asked.created,
        "model": asked.model.name,
        "usage": usage_of(asked, [one.last for one in answers]),
        "system_fingerprint": fingerprint(asked),
        "notice": asked.notice,
    }
    written = (
        ChatCompletion(choices=[_chat_choice(asked, i, one) for i, one in enumerate(answers)], **shared)
        if asked.kind == "chat"
        else Completion(choices=[_text_choice(asked, i, one) for i, one in enumerate(answers)], **shared)
    ).model_dump()
    if asked.notice is None:
        del written["notice"]
    return written


def _chat_choice(asked: Asked, index: int, one: Collected) -> ChatChoice:
    calls = [AnsweredCall.model_validate(call) for call in one.calls.values()]
    reason = "tool_calls" if calls and one.last.finish_reason == "stop" else one.last.finish_reason or "stop"
    message = AnswerMessage(
        content=one.text if one.text or not calls else None,
        tool_calls=calls or None,
    )
    logprobs = None if asked.requests[index].logprobs is None else chat_logprobs(one.tokens)
    return ChatChoice(index=index, message=message, logprobs=logprobs, finish_reason=reason)


def _text_choice(asked: Asked, index: int, one: Collected) -> TextChoice:
    logprobs = None if asked.requests[index].logprobs is None else text_logprobs(one.tokens, 0)
    return TextChoice(index=index, text=one.text, logprobs=logprobs, finish_reason=one.last.finish_reason or "stop")


def chat_logprobs(tokens: Iterable[ScoredToken]) -> ChatLogprobs:
    """How likely tokens were, as conversations have it."""
    return ChatLogprobs(
        content=[
            LikelyPlace(**_likely(one.token).model_dump(), top_logprobs=[_likely(other) for other in one.top])
            for one in tokens
        ]
    )


def _likely(token: LikelyToken) -> Likely:
    data = None if token.data is None else list(token.data)
    return Likely(token=token.text, logprob=_finite(token.logp) or 0.0, bytes=data)


def text_logprobs(tokens: Sequence[ScoredToken], begin: int) -> TextLogprobs:
    """How likely tokens were, as continuations have it.

    Args:
        tokens: of the text.
        begin: characters of the text before them.
    """
    offsets = []
    for one in tokens:
        offsets.append(begin)
        begin += len(one.token.text)
    return TextLogprobs(
        tokens=[one.token.text for one in tokens],
        token_logprobs=[_finite(one.token.logp) for one in tokens],
        top_logprobs=[None if one.token.logp is None else _by_text(one) for one in tokens],
        text_offset=offsets,
    )


def _by_text(one: ScoredToken) -> dict[str, float]:
    """The likeliest tokens and the one that stands there; of several with one text, the likeliest."""
    found: dict[str, float] = {}
    for token in (*one.top, one.token):
        found.setdefault(token.text, _finite(token.logp) or 0.0)
    return found


def _finite(logp: float | None) -> float | None:
    return None if logp is None else max(logp, _IMPOSSIBLE)


def usage_of(asked: Asked, last: Sequence[Piece]) -> Usage:
    """Counts of tokens; a prompt that several answers share counts once."""
    prompt = sum(piece.prompt_tokens for piece in last[:: asked.each])
    completion = sum(piece.completion_tokens for piece in last)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def fingerprint(asked: Asked) -> str:
    """Of the weights, as an answer has it."""
    return f"tb-{asked.model.fingerprint[:12]}"


class Chunks:
    """Writes the events of a stream.

    Args:
        asked: the request.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._begun: set[int] = set()
        self._calling: set[int] = set()
        self._characters: dict[int, int] = {}

    def piece(self, index: int, piece: Piece) -> list[bytes]:
        """The events of a piece of an answer."""
        events: list[bytes] = []
        if self._asked.kind == "chat" and index not in self._begun:
            self._begun.add(index)
            events.append(self._event(index, {"delta": {"role": "assistant", "content": ""}}))
        logprobs = self._logprobs(index, piece)
        if piece.text or piece.tool_calls or logprobs:
            events.append(self._event(index, self._said(index, piece), logprobs))
        if piece.finish_reason is not None:
            nothing: dict[str, Any] = {"delta": {}} if self._asked.kind == "chat" else {"text": ""}
            calls = index in self._calling and piece.finish_reason == "stop"
            events.append(self._event(index, nothing, reason="tool_calls" if calls else piece.finish_reason))
        return events

    def end(self, last: Sequence[Piece]) -> list[bytes]:
        """The last events, after the last pieces of all answers."""
        events: list[bytes] = []
        if self._asked.usage:
            body = self._body([]) | {"usage": usage_of(self._asked, last).model_dump()}
            events.append(event(body))
        return [*events, b"data: [DONE]\n\n"]

    def _said(self, index: int, piece: Piece) -> dict[str, Any]:
        if self._asked.kind == "text":
            return {"text": piece.text}
        delta: dict[str, Any] = {"content": piece.text} if piece.text else {}
        if piece.tool_calls:
            self._calling.add(index)
            delta["tool_calls"] = [{"type": "function", **part} for part in piece.tool_calls]
        return {"delta": delta}

    def _logprobs(self, index: int, piece: Piece) -> dict[str, Any] | None:
        if not piece.tokens:
            return None
        if self._asked.kind == "chat":
            return chat_logprobs(piece.tokens).model_dump()
        begin = self._characters.get(index, 0)
        self._characters[index] = begin + sum(len(one.token.text) for one in piece.tokens)
        return text_logprobs(piece.tokens, begin).model_dump()

    def _event(
        self, index: int, said: Mapping[str, Any], logprobs: dict[str, Any] | None = None, *, reason: str | None = None
    ) -> bytes:
        choice = {"index": index, **said, "logprobs": logprobs, "finish_reason": reason}
        notice = {"notice": self._asked.notice} if reason is not None and self._asked.notice is not None else {}
        return event(self._body([choice]) | notice)

    def _body(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        asked = self._asked
        return {
            "id": asked.id,
            "object": "chat.completion.chunk" if asked.kind == "chat" else "text_completion",
            "created": asked.created,
            "model": asked.model.name,
            "system_fingerprint": fingerprint(asked),
            "choices": choices,
            **({"usage": None} if asked.usage else {}),
        }


def event(data: Mapping[str, Any], *, name: str | None = None) -> bytes:
    """A server-sent event.

    Args:
        data: what it holds, as JSON.
        name: of the event, where the client goes by it.
    """
    line = f"event: {name}\n" if name else ""
    return f"{line}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
