"""How a conversation becomes text: through the model's chat template, or as Human/Assistant turns.

Knows tokenizers only by their chat template and special tokens; makes text, never token ids. Special tokens that people
typed are hidden in that text, so that those which are left are the template's (`typed_tokens`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.data.preference import Message
from tiebreak.data.preparing.tool_support import ToolSupport, found_support
from tiebreak.data.preparing.typed_tokens import TypedTokens, typed_tokens
from tiebreak.data.tools import from_text
from tiebreak.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Template = Literal["chat", "transcript"]
SpecialTokens = Literal["text", "parse"]

# The turns of Anthropic/hh-rlhf, which models without a chat template were tuned on.
_SPEAKER = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: ", "system": ""}
_CUE = "\n\nAssistant:"

# The day that chat templates are given: the one that Llama's own template names where there is no clock.
_DATE = datetime(2024, 7, 26)
_DATE_CODES = ("-d", *"aAbBcdHIjmMpSuUVwWxXyY")
# What a template may raise, besides the errors of Jinja: it computes with whatever a turn has.
_FAULTS = (TypeError, ValueError, LookupError, ArithmeticError)


class Refused(InputError):
    """A conversation that cannot be written, and why: some templates allow no system turn, or no tools.

    Args:
        reason: of a dropped row, in the words of a report.
        turns: the conversation.
    """

    def __init__(self, reason: str, turns: Sequence[Message]) -> None:
        super().__init__(
            f"A conversation cannot be written: {reason}.",
            where="roles " + ", ".join(turn.role for turn in turns),
            fix="use a model whose chat template has tools, or data without them"
            if "tools" in reason
            else "use data.template=transcript, or data without those turns",
        )
        self.reason = reason


def choose_template(tokenizer: PreTrainedTokenizerBase, setting: str = "auto") -> Template:
    """The form that conversations take for this model.

    Args:
        tokenizer: the model's tokenizer.
        setting: `auto`, `chat` or `transcript`.
    Returns:
        `chat` where the tokenizer has a chat template, else `transcript`; or what the setting asks for.
    Raises:
        InputError: `chat` is asked for and the tokenizer has no template.
    """
    if setting == "transcript":
        return "transcript"
    has_template = bool(tokenizer.chat_template)
    if setting == "chat" and not has_template:
        raise InputError(
            "The tokenizer has no chat template.",
            where="data.template",
            fix="use data.template=transcript, or a model that was tuned for chat",
        )
    return "chat" if has_template else "transcript"


@dataclass(frozen=True)
class Renderer:
    """Writes conversations for one model.

    Attributes:
        tokenizer: the model's tokenizer.
        template: the form of the conversations.
        special_tokens: what special tokens in the text of messages are: text, or parsed as special tokens.
    """

    tokenizer: PreTrainedTokenizerBase
    template: Template
    special_tokens: SpecialTokens = "text"

    def prompt(self, turns: Sequence[Message], tools: str | None = None) -> str:
        """The conversation so far, up to where the model's answer begins.

        Args:
            turns: the last one is not the assistant's.
            tools: the tools that the assistant may call, as JSON text.
        Returns:
            Text in which special tokens that people typed are hidden; `shown` brings them back.
        Raises:
            Refused: the template refuses the conversation.
        """
        return self._written(turns, tools, add_generation_prompt=True)

    def whole(self, turns: Sequence[Message], tools: str | None = None) -> str:
        """A conversation to its end; arguments, result and errors as of `prompt`."""
        return self._written(turns, tools, add_generation_prompt=False)

    def shown(self, rendered: str) -> str:
        """A rendered text as people read it."""
        return self.typed.shown(rendered)

    @cached_property
    def typed(self) -> TypedTokens:
        """The special tokens of the tokenizer."""
        return typed_tokens(self.tokenizer)

    def hidden(self, turn: Message) -> Message:
        """A turn as it is rendered: with special tokens that people typed hidden, unless they are to be parsed."""
        return turn if self.special_tokens == "parse" else self.typed.hidden_turn(turn)

    def hidden_tools(self, tools: str | None) -> str | None:
        """Tools as they are rendered, as `hidden`."""
        return tools if tools is None or self.special_tokens == "parse" else self.typed.hidden(tools)

    def _written(self, turns: Sequence[Message], tools: str | None, *, add_generation_prompt: bool) -> str:
        if self.special_tokens == "text":
            turns, tools = [self.hidden(turn) for turn in turns], self.hidden_tools(tools)
        if self.template == "transcript":
            if tools is not None or any(turn.role == "tool" or turn.tool_calls is not None for turn in turns):
                raise Refused("the transcript form has no tools", turns)
            return "".join(_SPEAKER[m.role] + m.content for m in turns) + (_CUE if add_generation_prompt else "")
        self._check_tools(turns, tools)
        said = [self._said(turn) for turn in turns]
        try:
            return _apply(self.tokenizer, said, from_text(tools), add_generation_prompt=add_generation_prompt)
        except _TemplateFault as fault:
            raise Refused(f"the chat template refuses its turns ({fault})", turns) from None

    def _said(self, turn: Message) -> dict[str, Any]:
        """A turn as templates are given it."""
        said: dict[str, Any] = turn.to_row()
        if turn.tool_calls is not None:
            said["tool_calls"] = self.support.calls(from_text(turn.tool_calls) or [])
            said["content"] = turn.content or None
        if turn.tool_call_id is not None:
            said["tool_call_id"] = self.support.call_id(turn.tool_call_id)
        return said

    def _check_tools(self, turns: Sequence[Message], tools: str | None) -> None:
        if tools is None and all(turn.tool_calls is None and turn.role != "tool" for turn in turns):
            return
        needed = {
            "tools": tools is not None,
            "calls of tools": any(turn.tool_calls is not None for turn in turns),
            "results of tools": any(turn.role == "tool" for turn in turns),
        }
        for what, is_needed in needed.items():
            if is_needed and what not in self.support.writes:
                raise Refused(f"the model's chat template has no {what}", turns)

    @cached_property
    def support(self) -> ToolSupport:
        """What the chat template does with tools."""

        def write(turns: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str | None:
            try:
                return _apply(self.tokenizer, turns, tools, add_generation_prompt=False)
            except _TemplateFault:
                return None

        return found_support(write)


def prompt_text(
    prompt: Sequence[Message], tokenizer: PreTrainedTokenizerBase, template: Template, tools: str | None = None
) -> str:
    """The conversation so far, up to where the model's answer begins, as people read it.

    Raises:
        InputError: the chat template refuses the conversation (some allow no system turn).
    """
    renderer = Renderer(tokenizer, template)
    return renderer.shown(renderer.prompt(prompt, tools))


class _TemplateFault(Exception):
    """What a template raised."""


def _apply(
    tokenizer: PreTrainedTokenizerBase,
    turns: list[dict[str, Any]],
    tools: list[dict[str, Any]] | None = None,
    *,
    add_generation_prompt: bool,
) -> str:
    from jinja2.exceptions import TemplateError

    template = _undated(tokenizer.get_chat_template(None, tools))
    try:
        text = tokenizer.apply_chat_template(
            turns,
            tools=tools,  # type: ignore[arg-type]
            chat_template=template,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
    except (TemplateError, *_FAULTS) as error:
        raise _TemplateFault(str(error)) from None
    return str(text)


def _undated(template: str) -> str:
    """The template with a calendar that stands still, where it asks for today's date.

    Llama 3 and others write the date into the prompt: the same run would see other tokens tomorrow, and its model
    another prompt in training than later. A macro of the same name hides the clock that `transformers` provides.
    """
    if "strftime_now" not in template:
        return template
    said = "".join(f" | replace('%{code}', '{_DATE.strftime('%' + code)}')" for code in _DATE_CODES)
    # The line break ends the line of the macro and is swallowed (trim_blocks), so the template is rendered as it was.
    return "{% macro strftime_now(format) %}{{ format" + said + " }}{% endmacro %}\n" + template
