"""How a conversation becomes text: through the model's chat template, or as Human/Assistant turns.

Knows tokenizers only by their chat template and special tokens; makes text, never token ids.
Rows come and go in parts, so that a large data set needs no more memory than a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from tiebreak.data.batches import batches
from tiebreak.data.preference import Message, Role
from tiebreak.errors import InputError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Template = Literal["chat", "transcript"]

# Text of a part: enough for a tokenizer to share out among the cores, and a few megabytes as ids.
_BYTES_A_PART = 256 << 10

# The turns of Anthropic/hh-rlhf, which models without a chat template were tuned on.
_SPEAKER = {"user": "\n\nHuman: ", "assistant": "\n\nAssistant: ", "system": ""}
_CUE = "\n\nAssistant:"

# The day that chat templates are told: the one that Llama's own name when there is no clock.
_DATE = datetime(2024, 7, 26)
_DATE_CODES = ("-d", *"aAbBcdHIjmMpSuUVwWxXyY")


@dataclass(frozen=True, slots=True)
class RenderedRows:
    """A part of the rows of a data set as text; all lists are alike in length.

    Attributes:
        rows: index of each in the data set; weights: of each in the loss.
        turns, prompts: the conversation so far, and its text.
        endings: texts of each ending.
        labels: whether each row's ending is good; None where rows have no label, or it was not asked for.
        refused: rows beside these whose turns the chat template refuses.
    """

    rows: list[int]
    weights: list[float]
    turns: list[tuple[Message, ...]]
    prompts: list[str]
    endings: tuple[list[str], ...]
    refused: int
    labels: list[bool] | None = None


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
    return ending_after(prompt_text(prompt, tokenizer, template), prompt, ending, tokenizer, template)


def ending_after(
    before: str, prompt: Sequence[Message], ending: str, tokenizer: PreTrainedTokenizerBase, template: Template
) -> str:
    """As `ending_text`, given the text of the prompt, so that a prompt of many endings is rendered once."""
    if template == "transcript":
        return " " + ending
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
        text = tokenizer.apply_chat_template(
            turns,
            chat_template=_undated(tokenizer.get_chat_template()),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
        )
    except TemplateError as error:
        raise InputError(
            f"The model's chat template refuses a conversation: {error}.",
            where="roles " + ", ".join(m.role for m in messages),
            fix="use data.template=transcript, or data without those turns",
        ) from None
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


def render_rows(
    dataset: Dataset,
    endings: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    *,
    labelled: bool = False,
) -> Iterator[RenderedRows]:
    """The rows of a data set as text, in order, in parts of bounded size.

    Args:
        dataset: canonical rows.
        endings: names of the columns of endings.
        tokenizer: the model's tokenizer.
        template: the form of the conversations.
    """
    start = 0
    for table in _parts(dataset, ("prompt", *endings, "weight", *(["label"] if labelled else []))):
        conversations = _conversations(table.column("prompt").combine_chunks())
        prompts = [_prompt_or_none(turns, tokenizer, template) for turns in conversations]
        said = [table.column(name).to_pylist() for name in endings]
        weights = table.column("weight").to_pylist()
        labels = table.column("label").to_pylist() if labelled else None
        kept = [(i, text) for i, text in enumerate(prompts) if text is not None]
        yield RenderedRows(
            rows=[start + i for i, _ in kept],
            weights=[weights[i] for i, _ in kept],
            turns=[conversations[i] for i, _ in kept],
            prompts=[text for _, text in kept],
            endings=tuple(
                [ending_after(text, conversations[i], column[i], tokenizer, template) for i, text in kept]
                for column in said
            ),
            refused=len(prompts) - len(kept),
            labels=None if labels is None else [labels[i] for i, _ in kept],
        )
        start += table.num_rows


def _prompt_or_none(turns: tuple[Message, ...], tokenizer: PreTrainedTokenizerBase, template: Template) -> str | None:
    """A template may refuse a conversation (a system turn, one speaker twice): that row is left out."""
    try:
        return prompt_text(turns, tokenizer, template)
    except InputError:
        return None


def _conversations(column: Any) -> list[tuple[Message, ...]]:
    """The turns of each row of a list column of `role` and `content`."""
    turns = column.flatten()
    roles, contents = turns.field("role").to_pylist(), turns.field("content").to_pylist()
    messages = [Message(cast(Role, role), content) for role, content in zip(roles, contents, strict=True)]
    ends = (column.offsets.to_numpy() - column.offsets[0].as_py()).tolist()
    return [tuple(messages[start:end]) for start, end in pairwise(ends)]


def _parts(dataset: Dataset, columns: tuple[str, ...]) -> Iterator[Any]:
    """The rows in order, as small `pyarrow.Table`s."""
    for table in _blocks(dataset, columns):
        step = max(1, table.num_rows * _BYTES_A_PART // max(table.nbytes, 1))
        for start in range(0, table.num_rows, step):
            yield table.slice(start, step)


def _blocks(dataset: Dataset, columns: tuple[str, ...]) -> Iterator[Any]:
    """As `batches`, and so too for a selection that keeps the order: one pass over the file, whose pages are left."""
    rows = None if dataset._indices is None else dataset._indices.column(0).to_numpy()
    if rows is None or bool((rows[1:] < rows[:-1]).any()):
        yield from batches(dataset, columns)
        return
    start = 0
    for table in batches(dataset.__class__(dataset.data, fingerprint="all"), columns):
        first, last = np.searchsorted(rows, [start, start + table.num_rows])
        if first < last:
            yield table.take(rows[first:last] - start)
        start += table.num_rows
