"""Requests to another server that speaks OpenAI's API, and what its events mean. Knows JSON, and no connection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiebreak.data.preference import Message
from tiebreak.generation.detokenize import FinishReason
from tiebreak.serve.generation.engine import GenerationRequest, LikelyToken, ScoredToken, UpstreamFailed

# Fields that are sent only where they ask for something, with the values that ask for nothing.
_NEUTRAL: dict[str, Any] = {
    "seed": None,
    "top_k": 0,
    "min_p": 0.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "repetition_penalty": 1.0,
    "response_format": None,
    "tool_choice": None,
    "parallel_tool_calls": None,
}


@dataclass(frozen=True)
class Event:
    """What an event of the other server says."""

    text: str = ""
    reason: FinishReason | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)
    tokens: tuple[ScoredToken, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()


def request_body(request: GenerationRequest) -> dict[str, Any]:
    """The body of the request to the other server."""
    body: dict[str, Any] = {
        **request.extra,
        "model": request.model,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    for name, neutral in _NEUTRAL.items():
        value = getattr(request, name)
        if value != neutral:
            body[name] = value
    if request.stop:
        body["stop"] = list(request.stop)
    if request.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in request.logit_bias}
    if request.tools:
        body["tools"] = list(request.tools)
    return body | (_conversation(request) if request.is_chat else _text(request))


def _conversation(request: GenerationRequest) -> dict[str, Any]:
    system = (Message("system", request.system),) if request.system else ()
    turns = [{"role": m.role, "content": m.content} for m in (*system, *(() if request.messages else request.turns))]
    scores = {} if request.logprobs is None else {"logprobs": True, "top_logprobs": request.logprobs}
    return {"messages": [*turns, *request.messages], **scores}


def _text(request: GenerationRequest) -> dict[str, Any]:
    prompt = list(request.prompt_ids) if request.prompt_ids is not None else request.prompt
    scores = {} if request.logprobs is None else {"logprobs": request.logprobs}
    return {"prompt": prompt, **scores, **({"echo": True} if request.echo else {})}


def read_event(data: str) -> Event:
    """What an event says.

    Args:
        data: what stands after `data:`.
    Raises:
        UpstreamFailed: it says that the other server failed, or is no event of OpenAI's API.
    """
    try:
        event = json.loads(data)
        failed = bool(event.get("error"))
        choice = (event.get("choices") or [{}])[0]
        delta = choice.get("delta") or {}
        text = delta.get("content") or choice.get("text") or ""
        reason, usage = choice.get("finish_reason"), event.get("usage") or {}
        tokens = _tokens(choice.get("logprobs") or {})
        calls = tuple(dict(call) for call in delta.get("tool_calls") or ())
    except (ValueError, AttributeError, LookupError, TypeError):
        raise UpstreamFailed("The server behind this one sent what is no answer of OpenAI's API.") from None
    if failed:
        raise UpstreamFailed("The server behind this one failed in the middle of its answer.")
    if not isinstance(text, str) or not isinstance(usage, dict):
        raise UpstreamFailed("The server behind this one sent what is no answer of OpenAI's API.")
    return Event(text, None if reason is None else "length" if reason == "length" else "stop", usage, tokens, calls)


def _tokens(logprobs: Mapping[str, Any]) -> tuple[ScoredToken, ...]:
    """How likely tokens were, in the form of conversations or in that of continuations."""
    if "content" in logprobs:
        return tuple(
            ScoredToken(_token(one), tuple(_token(other) for other in one.get("top_logprobs") or ()))
            for one in logprobs["content"] or ()
        )
    texts, own = logprobs.get("tokens") or [], logprobs.get("token_logprobs") or []
    top = logprobs.get("top_logprobs") or [None] * len(texts)
    return tuple(
        ScoredToken(
            LikelyToken(str(text), None, None if logp is None else float(logp)),
            tuple(LikelyToken(str(other), None, float(value)) for other, value in (others or {}).items()),
        )
        for text, logp, others in zip(texts, own, top, strict=True)
    )


def _token(one: Mapping[str, Any]) -> LikelyToken:
    data = one.get("bytes")
    return LikelyToken(str(one["token"]), None if data is None else bytes(data), float(one["logprob"]))


def refused_field(body: bytes, sent: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Which field the other server refuses, and its word for why; both only where they are words of ours.

    Nothing else of what it says is relayed: it may hold paths, addresses or keys.

    Args:
        body: of the failure.
        sent: the request.
    """
    try:
        error = json.loads(body)
        error = error.get("error", error)
        param, code = error.get("param"), error.get("code")
    except (ValueError, AttributeError):
        return None, None
    field_name = param if isinstance(param, str) and param.partition(".")[0] in sent else None
    if field_name is not None and not all(part.replace("_", "").isalnum() for part in field_name.split(".")):
        field_name = field_name.partition(".")[0]
    return field_name, code if code in _CODES else None


_CODES = ("context_length_exceeded", "unsupported_parameter", "unknown_parameter", "invalid_value", "model_not_found")
