"""The Responses API in its plain form: a text or a conversation in, a message out, whole or as events.

Nothing is stored, so that nothing can be gone on with by its id; tools are asked for through chat completions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, Discriminator, Field, StringConstraints, Tag, model_validator

from tiebreak.data.preference import Message
from tiebreak.serve.api.asked import Asked, begun, refuse_other_parts, refuse_unknown, within
from tiebreak.serve.api.fields import ANYTHING, OpenModel
from tiebreak.serve.api.requests import ChatMessage, Content, Name, checked
from tiebreak.serve.api.unions import TEXT_TAG, Text
from tiebreak.serve.api.writing import Collected, event
from tiebreak.serve.generation.engine import Engine, GenerationRequest, Piece, find_model
from tiebreak.serve.settings import Limits

_TEMPERATURE = 1.0


class Item(OpenModel):
    """A turn of the conversation."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"id": (ANYTHING,), "status": (ANYTHING,)}
    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: Content


class Format(OpenModel):
    """The form of the answer."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"strict": (ANYTHING,), "description": (ANYTHING,)}
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, StringConstraints(max_length=64)] | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        checked(self.type != "json_schema" or self.schema_ is not None, "schema", "The schema is missing")
        return self


class TextSettings(OpenModel):
    """How the text of the answer is to be."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"verbosity": ("medium",)}
    format: Format | None = None


Input = Annotated[
    Annotated[Text, TEXT_TAG] | Annotated[list[Item], Field(min_length=1, max_length=1000), Tag("<list>")],
    Discriminator(
        lambda value: "<text>" if isinstance(value, str) else "<list>" if isinstance(value, list) else None,
        custom_error_type="kind",
        custom_error_message="Should be a text or a list of messages",
    ),
]


class ResponseRequest(OpenModel):
    """`POST /v1/responses`."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "store": (ANYTHING,),
        "metadata": (ANYTHING,),
        "user": (ANYTHING,),
        "service_tier": (ANYTHING,),
        "safety_identifier": (ANYTHING,),
        "prompt_cache_key": (ANYTHING,),
        "prompt_cache_retention": (ANYTHING,),
        "stream_options": (ANYTHING,),
        "parallel_tool_calls": (ANYTHING,),
        "truncation": ("disabled",),
        "background": (False,),
        "include": ([],),
        "tools": ([],),
        "tool_choice": ("none", "auto"),
        "top_logprobs": (0,),
        "reasoning": ({}, {"effort": "none"}),
        "previous_response_id": (),
        "conversation": (),
        "prompt": (),
        "max_tool_calls": (),
    }
    model: Name
    input: Input
    instructions: Text | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    text: TextSettings | None = None
    stream: bool | None = None

    @property
    def messages(self) -> list[ChatMessage]:
        """The conversation without the instructions."""
        if isinstance(self.input, str):
            return [ChatMessage(role="user", content=self.input)]
        return [ChatMessage(role=item.role, content=item.content) for item in self.input]


class OutputText(BaseModel):
    """What the model says."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[str] = []
    logprobs: list[str] = []


class OutputMessage(BaseModel):
    """The one message that is the answer."""

    id: str
    type: Literal["message"] = "message"
    status: Literal["in_progress", "completed", "incomplete"]
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class Details(BaseModel):
    """Parts of a count of tokens."""

    cached_tokens: int = 0
    reasoning_tokens: int = 0


class ResponseUsage(BaseModel):
    """Counts of tokens."""

    input_tokens: int
    input_tokens_details: Details = Details()
    output_tokens: int
    output_tokens_details: Details = Details()
    total_tokens: int


class ResponseAnswer(BaseModel):
    """The answer of `POST /v1/responses`."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: Literal["in_progress", "completed", "incomplete"]
    error: None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int
    model: str
    output: list[OutputMessage]
    parallel_tool_calls: bool = False
    previous_response_id: None = None
    store: bool = False
    temperature: float
    text: dict[str, Any]
    tool_choice: Literal["none"] = "none"
    tools: list[str] = []
    top_p: float
    truncation: Literal["disabled"] = "disabled"
    usage: ResponseUsage | None = None
    metadata: dict[str, str] = {}
    notice: str | None = None


def asked_for(engine: Engine, limits: Limits, body: ResponseRequest) -> Asked:
    """What the engine is asked; as `asked.chat`."""
    refuse_other_parts(body.messages, "input")
    refuse_unknown(body)
    roles: dict[str, Any] = {"developer": "system"}
    turns = tuple(Message(roles.get(one.role, one.role), one.text) for one in body.messages)
    default = min(limits.default_answer_tokens, limits.answer_tokens)
    longest = default if body.max_output_tokens is None else body.max_output_tokens
    tokens, notice = within(limits, "max_output_tokens", longest)
    request = GenerationRequest(
        body.model,
        turns=turns,
        system=body.instructions,
        temperature=_TEMPERATURE if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        max_tokens=tokens,
        stream=bool(body.stream),
        response_format=_format(body),
    )
    model = find_model(engine.models(), body.model)
    return begun((request,), model, "response", stream=bool(body.stream), notice=notice)


def _format(body: ResponseRequest) -> dict[str, Any] | None:
    form = None if body.text is None else body.text.format
    if form is None:
        return None
    named = {"json_schema": {"name": form.name or "answer", "schema": form.schema_}}
    return {"type": form.type, **(named if form.type == "json_schema" else {})}


def response_answer(asked: Asked, one: Collected) -> dict[str, Any]:
    """The answer to a request that wants no stream."""
    return _answer(asked, one.text, one.last)


def _answer(asked: Asked, text: str | None, last: Piece | None) -> dict[str, Any]:
    """A response as it stands; where `last` is None it is not finished."""
    request, cut = asked.requests[0], last is not None and last.finish_reason == "length"
    status: Any = "in_progress" if last is None else "incomplete" if cut else "completed"
    usage = None
    if last is not None:
        total = last.prompt_tokens + last.completion_tokens
        usage = ResponseUsage(input_tokens=last.prompt_tokens, output_tokens=last.completion_tokens, total_tokens=total)
    written = ResponseAnswer(
        id=asked.id,
        created_at=asked.created,
        status=status,
        incomplete_details={"reason": "max_output_tokens"} if cut else None,
        instructions=request.system,
        max_output_tokens=request.max_tokens,
        model=asked.model.name,
        output=[] if text is None else [_message(asked, status, text)],
        temperature=request.temperature,
        text={"format": _flat(request.response_format)},
        top_p=request.top_p,
        usage=usage,
        notice=asked.notice,
    ).model_dump()
    if asked.notice is None:
        del written["notice"]
    return written


def _flat(form: Mapping[str, Any] | None) -> dict[str, Any]:
    """A form as this API writes it: what describes the schema stands beside its type."""
    if form is None:
        return {"type": "text"}
    return {"type": form["type"], **form.get("json_schema", {})}


def _message(asked: Asked, status: Any, text: str | None) -> OutputMessage:
    content = [] if text is None else [OutputText(text=text)]
    return OutputMessage(id=asked.id.replace("resp_", "msg_"), status=status, content=content)


class ResponseEvents:
    """Writes the events of a stream.

    Args:
        asked: the request.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked, self._collected, self._number = asked, Collected(), 0
        item = _message(asked, "in_progress", None)
        self._place = {"item_id": item.id, "output_index": 0, "content_index": 0}
        self._item = item.model_dump()

    def piece(self, index: int, piece: Piece) -> list[bytes]:
        """The events of a piece of the answer."""
        events: list[bytes] = []
        if self._number == 0:
            begun_ = _answer(self._asked, None, None)
            events += [
                self._event("response.created", response=begun_),
                self._event("response.in_progress", response=begun_),
                self._event("response.output_item.added", output_index=0, item=self._item),
                self._event("response.content_part.added", **self._place, part=OutputText(text="").model_dump()),
            ]
        self._collected.add(piece)
        if piece.text:
            events.append(self._event("response.output_text.delta", **self._place, delta=piece.text, logprobs=[]))
        return events

    def end(self, last: list[Piece]) -> list[bytes]:
        """The last events."""
        text = self._collected.text
        whole = _answer(self._asked, text, last[0])
        (item,) = whole["output"]
        return [
            self._event("response.output_text.done", **self._place, text=text, logprobs=[]),
            self._event("response.content_part.done", **self._place, part=item["content"][0]),
            self._event("response.output_item.done", output_index=0, item=item),
            self._event(f"response.{whole['status']}", response=whole),
        ]

    def _event(self, kind: str, **data: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event({"type": kind, "sequence_number": number, **data}, name=kind)
