"""The answers of OpenAI's API, as they are written."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ModelEntry(BaseModel):
    """A model, in a list of models."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "tiebreak"


class ModelList(BaseModel):
    """`GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class Usage(BaseModel):
    """Counts of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CalledFunction(BaseModel):
    """A function that the model wants called, and what it wants it called with."""

    name: str
    arguments: str


class AnsweredCall(BaseModel):
    """A call of a tool."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class AnswerMessage(BaseModel):
    """What the model says, and the tools it asks for."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[AnsweredCall] | None = None


class Likely(BaseModel):
    """A token that could have stood in a place."""

    token: str
    logprob: float
    bytes: list[int] | None


class LikelyPlace(Likely):
    """A token of the answer, and the likeliest in its place."""

    top_logprobs: list[Likely]


class ChatLogprobs(BaseModel):
    """How likely the tokens of an answer were."""

    content: list[LikelyPlace]
    refusal: None = None


class TextLogprobs(BaseModel):
    """How likely the tokens of a continuation were."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class ChatChoice(BaseModel):
    """An answer."""

    index: int = 0
    message: AnswerMessage
    logprobs: ChatLogprobs | None = None
    finish_reason: Literal["stop", "length", "tool_calls"]


class ChatCompletion(BaseModel):
    """The answer of `POST /v1/chat/completions`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str
    notice: str | None = Field(
        None, description="What was answered otherwise than asked for; absent where nothing was."
    )


class TextChoice(BaseModel):
    """A continuation."""

    index: int = 0
    text: str
    logprobs: TextLogprobs | None = None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """The answer of `POST /v1/completions`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage
    system_fingerprint: str
    notice: str | None = Field(
        None, description="What was answered otherwise than asked for; absent where nothing was."
    )


class ErrorBody(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorAnswer(BaseModel):
    """Every failure has this shape."""

    error: ErrorBody


class Health(BaseModel):
    """`GET /healthz`."""

    status: Literal["ok"] = "ok"
