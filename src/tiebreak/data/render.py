"""How a conversation becomes text: through the model's chat template, or as Human/Assistant turns.

Knows tokenizers only by their chat template and special tokens; makes text, never token ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.data.preference import Message
from tiebreak.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Template = Literal["chat", "transcript"]

# The turns of Anthropic/hh-rlhf, which models without a chat template were tuned on.
_SPEAKER = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: ", "system": ""}
_CUE = "\n\nAssistant:"


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


def prompt_text(prompt: Sequence[Message], tokenizer: PreTrainedTokenizerBase, template: Template) -> str:
    """The conversation so far, up to where the model's answer begins.

    Raises:
        InputError: the chat template refuses the conversation (some allow no system turn).
    """
    if template == "transcript":
        return "".join(_SPEAKER[m.role] + m.content for m in prompt) + _CUE
    return _apply(tokenizer, prompt, add_generation_prompt=True)


def ending_text(prompt: Sequence[Message], ending: str, tokenizer: PreTrainedTokenizerBase, template: Template) -> str:
    """What the model should say after `prompt_text`, without the end-of-sequence token.

    Templates may add text around an answer (a trailing line break, a role's closing mark); what stands between the
    prompt and the end-of-sequence token is the ending, so that training sees exactly what generation produces.
    """
    if template == "transcript":
        return " " + ending
    before = _apply(tokenizer, prompt, add_generation_prompt=True)
    whole = _apply(tokenizer, [*prompt, Message("assistant", ending)], add_generation_prompt=False)
    if not whole.startswith(before):  # the template rewrites earlier turns: the ending stands as it is
        return ending
    answer = whole[len(before) :]
    eos = tokenizer.eos_token
    if isinstance(eos, str) and eos:  # only one that closes the turn: the ending itself may speak of such tokens
        at = answer.rfind(ending)
        end = answer.find(eos, at + len(ending) if at >= 0 else 0)
        answer = answer[:end] if end >= 0 else answer
    return answer


def _apply(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    turns: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in messages]
    from jinja2.exceptions import TemplateError

    try:
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=add_generation_prompt)
    except TemplateError as error:
        raise InputError(
            f"The model's chat template refuses a conversation: {error}.",
            where="roles " + ", ".join(m.role for m in messages),
            fix="use data.template=transcript, or data without those turns",
        ) from None
    return str(text)
