"""A request with tools, for one model: the prompt that its template makes of them, and how its answer is read.

Knows what requests say of tools, and hands the rest to `generation`: how the model writes calls, and how one is
required of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tiebreak.data.preference import Message
from tiebreak.data.preparing.encode import encode_prompts
from tiebreak.data.preparing.templates import Renderer
from tiebreak.data.tools import tools_text
from tiebreak.errors import InputError
from tiebreak.generation.decoding import goes_on
from tiebreak.generation.grammar import Constraint, Grammars
from tiebreak.generation.tool_calls import CallReader
from tiebreak.generation.tool_choice import required_call
from tiebreak.generation.tool_notation import Notation, found_notation
from tiebreak.serve.generation.engine import GenerationRequest, UnfitRequest
from tiebreak.serve.generation.loading import LoadedModel


@dataclass(frozen=True)
class Calling:
    """How a request with tools is answered.

    Attributes:
        ids: tokens that the answer continues.
        reader: tells calls from text.
        constraint: what the answer must keep to, where a call is required.
        marks: special tokens that are part of the answer's text.
    """

    ids: list[int]
    reader: CallReader
    constraint: Constraint | None
    marks: frozenset[int]


class ToolUse:
    """What one model does with tools; found out at the first request that has any.

    Args:
        loaded: the model.
        grammars: makes the constraints of its answers.
    """

    def __init__(self, loaded: LoadedModel, grammars: Grammars) -> None:
        self._loaded, self._grammars = loaded, grammars
        self._renderer = Renderer(loaded.tokenizer, loaded.template)

    def calling(self, request: GenerationRequest, turns: Sequence[Message]) -> Calling:
        """How a request is answered that has tools.

        Args:
            request: with at least one tool.
            turns: the conversation with its system message.
        Raises:
            UnfitRequest: the model has no tools, or cannot be made to do what is asked for.
        """
        notation = self._checked(request)
        if turns and goes_on(turns):
            raise UnfitRequest("With tools the last turn has to be another's than the assistant's.", where="messages")
        tools = [{**tool, "function": dict(tool["function"])} for tool in request.tools]
        several = request.parallel_tool_calls is not False
        begun, name, constraint = "", None, None
        wanted = self._wanted(request, tools)
        if wanted:
            try:
                required = required_call(notation, wanted, several=several)
                constraint = self._grammars.json(required.schema)
            except InputError as error:
                what = error.what if error.fix is None else f"{error.what} What to do there: {error.fix}"
                raise UnfitRequest(what, where="tool_choice") from error
            begun, name = required.begun, required.name
        try:
            text = self._renderer.prompt(turns, tools_text(tools))
        except InputError as error:
            raise UnfitRequest(error.what, where="messages") from error
        names = [tool["function"]["name"] for tool in wanted or tools]
        return Calling(
            encode_prompts(self._loaded.tokenizer, [text + begun], self._loaded.template)[0],
            CallReader(notation, names, several=several, begun=bool(wanted), name=name),
            constraint,
            self._marks,
        )

    def _checked(self, request: GenerationRequest) -> Notation:
        title = self._loaded.served.name
        if self._loaded.template == "transcript" or "tools" not in self._renderer.support.writes:
            has = "model" if self._loaded.template == "transcript" else "chat template"
            raise UnfitRequest(
                f"'tools' cannot be used with '{title}': its {has} has no tools.",
                where="tools",
                code="unsupported_parameter",
            )
        if self._notation is None:
            raise UnfitRequest(
                f"'tools' cannot be used with '{title}': how its chat template writes calls is not understood here.",
                where="tools",
                code="unsupported_parameter",
            )
        if request.response_format is not None and request.response_format["type"] != "text":
            raise UnfitRequest("An answer has either tools or a form of its own.", where="response_format")
        return self._notation

    @cached_property
    def _notation(self) -> Notation | None:
        return found_notation(self._renderer)

    @cached_property
    def _marks(self) -> frozenset[int]:
        marks = () if self._notation is None else self._notation.marks
        added = self._loaded.tokenizer.added_tokens_decoder.items()
        return frozenset(id_ for id_, token in added if any(token.content in mark for mark in marks))

    @staticmethod
    def _wanted(request: GenerationRequest, tools: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The tools of which one has to be called; none where the model decides."""
        choice = request.tool_choice
        if isinstance(choice, Mapping):
            return [tool for tool in tools if tool["function"]["name"] == choice["function"]["name"]]
        return list(tools) if choice == "required" else []
