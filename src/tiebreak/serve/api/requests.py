"""The requests of OpenAI's API as far as they are understood here, checked when they are read.

Fields beside these are looked at in `fields.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from tiebreak.serve.api.fields import ANYTHING, OpenModel
from tiebreak.serve.api.unions import LIST_TAG, TEXT_TAG, Prompt, Stop, Text, text_or_list

# No control characters: what an answer repeats must not steer a terminal that shows it.
Name = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
_ToolName = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_.-]+$")]
_MOST_LIKELY = 20
_FREE: dict[str, tuple[Any, ...]] = {
    "user": (ANYTHING,),
    "store": (ANYTHING,),
    "metadata": (ANYTHING,),
    "service_tier": (ANYTHING,),
    "safety_identifier": (ANYTHING,),
    "prompt_cache_key": (ANYTHING,),
    "prompt_cache_retention": (ANYTHING,),
    "prediction": (ANYTHING,),
}


def checked(right: bool, where: str, what: str) -> None:
    """Refuse a request for what its fields say together.

    Raises:
        PydanticCustomError: it is not right; `where` is the field that is named.
    """
    if not right:
        raise PydanticCustomError("together", "{what}", {"what": what, "where": where})


class _Part(OpenModel):
    """A part of a list that is told apart by its type."""


class StreamOptions(OpenModel):
    """What a stream says besides the answer."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"include_obfuscation": (ANYTHING,)}
    include_usage: bool | None = None


class TextPart(_Part):
    """A part of a message that is text."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"annotations": (ANYTHING,), "logprobs": (ANYTHING,)}
    type: Literal["text", "input_text", "output_text"]
    text: Text


class OtherPart(_Part):
    """A part of a message that is something else; understood by other servers at most."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    type: Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z_]+$")]


def _kind_of_part(value: Any) -> str | None:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return None if not isinstance(kind, str) else "<text>" if kind.endswith("text") else "<other>"


Part = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[OtherPart, Tag("<other>")],
    Discriminator(
        _kind_of_part, custom_error_type="kind", custom_error_message="Should be an object with a field 'type'"
    ),
]
Content = Annotated[
    Annotated[Text, TEXT_TAG] | Annotated[list[Part], Field(min_length=1, max_length=256), LIST_TAG],
    text_or_list("a text or a list of parts"),
]


class CallOfFunction(OpenModel):
    """What a turn of the assistant's wanted called."""

    name: _ToolName
    arguments: Text


class ToolCall(OpenModel):
    """A call of a tool in a turn of the assistant's."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"index": (ANYTHING,)}
    id: Annotated[str, StringConstraints(max_length=200)]
    type: Literal["function"] = "function"
    function: CallOfFunction


class ChatMessage(OpenModel):
    """One turn."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "name": (ANYTHING,),
        "refusal": (ANYTHING,),
        "annotations": (ANYTHING,),
        "reasoning_content": (ANYTHING,),
        "audio": (),
        "function_call": (),
    }
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=128)] | None = None
    tool_call_id: Annotated[str, StringConstraints(max_length=200)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        with_calls = self.role == "assistant" and bool(self.tool_calls)
        checked(self.content is not None or with_calls, "content", "The message says nothing")
        checked(not self.tool_calls or self.role == "assistant", "tool_calls", "Only the assistant calls tools")
        return self

    @property
    def text(self) -> str:
        """What is said, without what is no text."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


class SchemaOfAnswer(OpenModel):
    """A JSON schema that an answer keeps to."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"description": (ANYTHING,), "strict": (ANYTHING,)}
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    # As `schema`; a model of pydantic has a method of that name.
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(OpenModel):
    """The form of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaOfAnswer | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        checked(self.type != "json_schema" or self.json_schema is not None, "json_schema", "The schema is missing")
        return self


class Function(OpenModel):
    """A function that the model may ask for."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = {"strict": (ANYTHING,)}
    name: _ToolName
    description: Text | None = None
    parameters: dict[str, Any] | None = None


class Tool(OpenModel):
    """A tool that the model may ask for."""

    type: Literal["function"]
    function: Function


class _Named(OpenModel):
    name: _ToolName


class NamedTool(OpenModel):
    """The one tool that the model has to ask for."""

    type: Literal["function"]
    function: _Named


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], TEXT_TAG] | Annotated[NamedTool, Tag("<tool>")],
    Discriminator(
        lambda value: "<text>" if isinstance(value, str) else "<tool>" if isinstance(value, dict | NamedTool) else None,
        custom_error_type="kind",
        custom_error_message="Should be 'none', 'auto', 'required' or a function",
    ),
]
Bias = Annotated[float, Field(ge=-100, le=100)]
TokenKey = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}$")]


class SamplingFields(OpenModel):
    """What both kinds of request say of how tokens are drawn."""

    model: Name
    temperature: float | None = Field(None, ge=0, le=2, description="0 is greedy.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=1 << 31, description="0 and -1 are all.")
    min_p: float | None = Field(None, ge=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    logit_bias: Annotated[dict[TokenKey, Bias], Field(max_length=1024)] | None = None
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    n: int | None = Field(None, ge=1, le=128)
    stop: Stop | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def usage_wanted(self) -> bool:
        """Whether a stream ends with the counts of tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)


class ChatRequest(SamplingFields):
    """`POST /v1/chat/completions`."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = _FREE | {
        "functions": ([],),
        "function_call": ("none", "auto"),
        "modalities": (["text"],),
        "audio": (),
        "web_search_options": (),
        "reasoning_effort": ("none",),
        "verbosity": ("medium",),
        "echo": (False,),
    }
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=_MOST_LIKELY)
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        checked(not self.top_logprobs or bool(self.logprobs), "top_logprobs", "Needs logprobs to be true")
        needs_tools = self.tool_choice not in (None, "none", "auto")
        checked(bool(self.tools) or not needs_tools, "tool_choice", "There are no tools to choose from")
        names = [tool.function.name for tool in self.tools or ()]
        checked(len(set(names)) == len(names), "tools", "Several have the same name")
        chosen = self.tool_choice.function.name if isinstance(self.tool_choice, NamedTool) else None
        checked(chosen is None or chosen in names, "tool_choice", "Names none of the tools")
        return self


def _number_of_likeliest(value: Any) -> Any:
    """Some clients say whether, and not how many."""
    return (1 if value else None) if isinstance(value, bool) else value


class CompletionRequest(SamplingFields):
    """`POST /v1/completions`."""

    neutral: ClassVar[Mapping[str, tuple[Any, ...]]] = _FREE | {"suffix": ("",)}
    prompt: Prompt
    max_tokens: int | None = Field(None, ge=0)
    echo: bool | None = None
    best_of: int | None = Field(None, ge=1)
    logprobs: Annotated[Annotated[int, Field(ge=0, le=_MOST_LIKELY)] | None, BeforeValidator(_number_of_likeliest)] = (
        None
    )

    @model_validator(mode="after")
    def _together(self) -> Self:
        checked(self.best_of in (None, 1, self.n), "best_of", "Is not supported with another value than that of n")
        return self

    @property
    def prompts(self) -> list[str | tuple[int, ...]]:
        """The texts to be continued, as they are or as token ids."""
        given = self.prompt
        if isinstance(given, str):
            return [given]
        if isinstance(given[0], int):
            return [tuple(given)]
        return [one if isinstance(one, str) else tuple(one) for one in given]
