"""From the body of a request to what the engine is asked: one request of its own for each answer that is wanted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel

from tiebreak.serve.api.errors import RequestFailed
from tiebreak.serve.api.fields import refused_fields
from tiebreak.serve.api.histories import text_of, turns_of
from tiebreak.serve.api.requests import ChatMessage, ChatRequest, CompletionRequest, OtherPart, SamplingFields
from tiebreak.serve.generation.engine import Engine, GenerationRequest, PassingOn, ServedModel, find_model
from tiebreak.serve.settings import Limits

# What OpenAI's API takes where a request to go on with a text says nothing.
_DEFAULT_CONTINUATION = 16
_TEMPERATURE = 1.0
_SEEDS = 2**63

Kind = Literal["chat", "text", "response"]
_IDS: dict[Kind, str] = {"chat": "chatcmpl-", "text": "cmpl-", "response": "resp_"}


@dataclass(frozen=True)
class Asked:
    """A request that can be given to the engine.

    Attributes:
        requests: one for each answer: all answers to the first prompt, then those to the next.
        each: answers to each prompt.
        model: that is asked.
        kind: of the answer.
        stream: whether pieces are wanted.
        usage: whether a stream ends with counts of tokens.
        notice: what will be otherwise than asked for, in a sentence; None where nothing is.
        id: of the answer.
        created: when, in seconds since 1970.
        began: `time.perf_counter()` then.
    """

    requests: tuple[GenerationRequest, ...]
    each: int
    model: ServedModel
    kind: Kind
    stream: bool
    usage: bool
    notice: str | None
    id: str
    created: int
    began: float


def chat(engine: Engine, limits: Limits, body: ChatRequest) -> Asked:
    """An answer to a conversation, or several.

    Raises:
        RequestFailed, UnknownModel: it cannot be answered as it is.
    """
    passed_on = _passed_on(engine, body)
    named = "max_tokens" if body.max_completion_tokens is None else "max_completion_tokens"
    asked_for = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    longest = min(limits.default_answer_tokens, limits.answer_tokens) if asked_for is None else asked_for
    return _asked(
        engine,
        limits,
        body,
        "chat",
        GenerationRequest(
            body.model,
            turns=tuple(map(text_of, body.messages)) if passed_on is not None else turns_of(body.messages),
            messages=() if passed_on is None else tuple(_plain(message) for message in body.messages),
            logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            response_format=None if body.response_format is None else _plain(body.response_format),
            tools=() if passed_on is None and body.tool_choice == "none" else tuple(map(_plain, body.tools or ())),
            parallel_tool_calls=body.parallel_tool_calls,
            tool_choice=_plain(body.tool_choice) if isinstance(body.tool_choice, BaseModel) else body.tool_choice,
            extra=passed_on or {},
        ),
        longest=(named, longest),
    )


def continuation(engine: Engine, limits: Limits, body: CompletionRequest) -> Asked:
    """How a text goes on, or several texts do; otherwise as `chat`."""
    passed_on = _passed_on(engine, body)
    longest = _DEFAULT_CONTINUATION if body.max_tokens is None else body.max_tokens
    if longest == 0 and not body.echo:
        raise RequestFailed(400, "max_tokens: 0 gives no text; it is of use with echo.", param="max_tokens")
    first = GenerationRequest(body.model, echo=bool(body.echo), logprobs=body.logprobs, extra=passed_on or {})
    prompts = [
        replace(first, prompt=one) if isinstance(one, str) else replace(first, prompt_ids=one) for one in body.prompts
    ]
    return _asked(engine, limits, body, "text", *prompts, longest=("max_tokens", longest))


def _asked(
    engine: Engine,
    limits: Limits,
    body: SamplingFields,
    kind: Kind,
    *prompts: GenerationRequest,
    longest: tuple[str, int],
) -> Asked:
    each = body.n or 1
    if each * len(prompts) > limits.choices:
        message = f"At most {limits.choices} answers can be asked for at once."
        raise RequestFailed(400, message, param="n" if each > 1 else "prompt")
    tokens, notice = within(limits, *longest)
    shared: dict[str, Any] = {
        "temperature": _TEMPERATURE if body.temperature is None else body.temperature,
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "top_k": max(0, body.top_k or 0),
        "min_p": body.min_p or 0.0,
        "presence_penalty": body.presence_penalty or 0.0,
        "frequency_penalty": body.frequency_penalty or 0.0,
        "repetition_penalty": body.repetition_penalty or 1.0,
        "logit_bias": tuple((int(token), bias) for token, bias in (body.logit_bias or {}).items()),
        "max_tokens": tokens,
        "stop": body.stops,
        "stream": bool(body.stream),
    }
    requests = tuple(
        replace(prompt, **shared, seed=None if body.seed is None else _seed(body.seed, i))
        for prompt in prompts
        for i in range(each)
    )
    model = find_model(engine.models(), body.model)
    return begun(requests, model, kind, each=each, stream=bool(body.stream), usage=body.usage_wanted, notice=notice)


def begun(
    requests: tuple[GenerationRequest, ...],
    model: ServedModel,
    kind: Kind,
    *,
    each: int = 1,
    stream: bool,
    usage: bool = False,
    notice: str | None = None,
) -> Asked:
    """A request that begins now, under a new id; as `Asked`."""
    name = _IDS[kind] + uuid.uuid4().hex
    return Asked(requests, each, model, kind, stream, usage, notice, name, int(time.time()), time.perf_counter())


def within(limits: Limits, named: str, asked_for: int) -> tuple[int, str | None]:
    """The longest answer that is given, in tokens, and a sentence where that is less than was asked for.

    Args:
        limits: of the server.
        named: the field that asks.
        asked_for: tokens.
    Raises:
        RequestFailed: it is too much, and the settings have it refused.
    """
    most = limits.answer_tokens
    if asked_for <= most:
        return asked_for, None
    if not limits.cut_answers:
        raise RequestFailed(400, f"At most {most} tokens can be asked for.", param=named)
    return most, f"{named} was cut from {asked_for} to {most}, the most that this server gives."


def _seed(seed: int, number: int) -> int:
    """The seed of an answer: the first has the one that was asked for, the others the numbers after it."""
    after = seed + number
    return after if after < _SEEDS else after - 2 * _SEEDS


def _passed_on(engine: Engine, body: ChatRequest | CompletionRequest) -> dict[str, Any] | None:
    """What only the server behind the engine may understand; None where there is no such server.

    Raises:
        RequestFailed: there is something that nobody here understands.
    """
    if isinstance(engine, PassingOn):
        return {name: value for name, value in (body.model_extra or {}).items() if value is not None}
    if isinstance(body, ChatRequest):
        refuse_other_parts(body.messages, "messages")
    refuse_unknown(body)
    return None


def refuse_other_parts(messages: Sequence[ChatMessage], where: str) -> None:
    """Refuse a conversation with pictures and the like.

    Args:
        messages: of the conversation.
        where: the field that holds them.
    Raises:
        RequestFailed: there is something that is no text.
    """
    for at, message in enumerate(messages):
        if (part := _other_part(message)) is not None:
            place = f"{where}.{at}.content.{part[0]}.type"
            raise RequestFailed(400, f"{place}: only text is understood here, not '{part[1]}'.", param=place)


def refuse_unknown(body: BaseModel) -> None:
    """Refuse a request with fields that would be ignored.

    Raises:
        RequestFailed: there is one.
    """
    for refused in refused_fields(body):
        raise RequestFailed(400, refused.message, param=refused.path, code=refused.code)


def _other_part(message: ChatMessage) -> tuple[int, str] | None:
    """Position and type of the first part of a message that is no text."""
    parts = message.content if isinstance(message.content, list) else []
    return next(((at, part.type) for at, part in enumerate(parts) if isinstance(part, OtherPart)), None)


def _plain(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(by_alias=True, exclude_none=True)
