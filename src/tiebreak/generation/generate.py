"""Answers to conversations: one as a stream of text for a person, or many at once for measurements.

There are two loops, and both are wanted. A person's answer takes the loop that the server takes (`decoding`), so that a
seed means the same in both. The many answers of a measurement go through `model.generate` in padded batches: they are
compared before and after training and from version to version, so their draws must stay what they are, from one stream
of random numbers for the whole batch; the model's attention must not be exchanged, since training goes on with it; and
every architecture is computed in batches, where the steps of the server would take some of them one by one. What can be
the same is: how a prompt is written, the sampling settings, where an answer ends, and what is text of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import SpecialTokens, Template, choose_template
from tiebreak.errors import InputError
from tiebreak.generation.decoding import Decoding, decode_step, end_tokens, positions, prompt_ids, stop_strings
from tiebreak.generation.detokenize import Detokenizer, StopStrings
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.steps import SequentialSteps
from tiebreak.process.memory import in_usable_thread

__all__ = ["Answer", "Sampling", "answer_all", "answers_with_ends", "stream_answer"]


@dataclass(frozen=True)
class Answer:
    """An answer as it was generated.

    Attributes:
        text: what a person would have been shown.
        ended: whether it ended by itself, by a token or a string that ends answers; else its length limit cut it.
        ids: the tokens that were drawn, with those that ended it; empty where there was no room for any.
    """

    text: str
    ended: bool
    ids: tuple[int, ...] = ()


def stream_answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[Message],
    sampling: Sampling,
    *,
    template: Template | None = None,
) -> Generator[str, None, None]:
    """One answer, piece by piece, as it is generated; leaving the iteration early ends the work.

    Args:
        model: any causal language model, in evaluation mode.
        tokenizer: its tokenizer.
        prompt: a conversation whose last turn is not the assistant's.
        sampling: how tokens are drawn; the same seed gives the same answer.
        template: form of the conversation; None is what suits the tokenizer.
    Yields:
        Text, to be joined without anything between.
    Raises:
        InputError: the conversation leaves no room for an answer.
    """
    form = template or choose_template(tokenizer)
    ids = prompt_ids(tokenizer, prompt, form)
    room = positions(model)
    if room is not None and len(ids) >= room:
        raise InputError(
            f"The conversation has {len(ids)} tokens; the model takes {room}.", fix="start a new conversation"
        )
    steps = SequentialSteps(model, rows=1)
    decoding = Decoding(
        ids,
        sampling=replace(sampling, max_new_tokens=_longest(sampling, room, len(ids))),
        end_tokens=end_tokens(model, tokenizer),
        text=Detokenizer(tokenizer, stop_strings(form), strip=True),
    )
    if text := in_usable_thread(partial(decoding.prefill, steps)):
        yield text
    while decoding.finish_reason is None:
        (text,) = in_usable_thread(partial(decode_step, steps, [decoding]))
        if text:
            yield text


def answer_all(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[Message]],
    sampling: Sampling,
    *,
    template: Template | None = None,
    tools: Sequence[str | None] | None = None,
    special_tokens: SpecialTokens = "text",
    batch_size: int = 64,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """One answer to each conversation.

    Args:
        model: any causal language model.
        tokenizer: its tokenizer.
        prompts: conversations whose last turn is not the assistant's.
        sampling: how tokens are drawn; the same seed gives the same answers for the same prompts in the same order.
        template: form of the conversations; None is what suits the tokenizer.
        tools: the tools of each conversation, as JSON text; None is none anywhere.
        special_tokens: what special tokens in the text of the turns are.
        batch_size: conversations answered together.
        autocast: type of the arithmetic, where it is not that of the weights.
        progress: called with the number of answers so far.
    """
    found = answers_with_ends(
        model,
        tokenizer,
        prompts,
        sampling,
        template=template,
        tools=tools,
        special_tokens=special_tokens,
        batch_size=batch_size,
        autocast=autocast,
        progress=progress,
    )
    return [answer.text for answer in found]


@torch.no_grad()
def answers_with_ends(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[Message]],
    sampling: Sampling,
    *,
    template: Template | None = None,
    tools: Sequence[str | None] | None = None,
    special_tokens: SpecialTokens = "text",
    batch_size: int = 64,
    autocast: torch.dtype | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """As `answer_all`, with how each answer ended; a prompt that leaves no room has an empty one."""
    form = template or choose_template(tokenizer)
    # Prompts of like length together, so that little is padding; the order is part of what a seed means.
    ids = [
        prompt_ids(tokenizer, prompt, form, tools=each, special_tokens=special_tokens)
        for prompt, each in zip(prompts, tools or [None] * len(prompts), strict=True)
    ]
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    answers = [Answer("", ended=False)] * len(ids)
    ends = end_tokens(model, tokenizer)
    room = positions(model)
    torch.manual_seed(sampling.seed)
    for start in range(0, len(order), batch_size):
        members = [i for i in order[start : start + batch_size] if room is None or len(ids[i]) < room]
        if not members:
            continue  # no room for an answer: it stays empty
        longest = max(len(ids[i]) for i in members)
        config = _generation_config(tokenizer, sampling, ends, _longest(sampling, room, longest))
        pad = int(config.pad_token_id)
        rows = torch.tensor([[pad] * (longest - len(ids[i])) + ids[i] for i in members], device=model.device)
        mask = torch.tensor([[0] * (longest - len(ids[i])) + [1] * len(ids[i]) for i in members], device=model.device)
        generate: Any = model.generate
        asked = partial(generate, rows, attention_mask=mask, generation_config=config)
        with _own_settings_aside(model):
            out = in_usable_thread(partial(_computed_in, autocast, model.device, asked))
        for i, row in zip(members, out[:, longest:], strict=True):
            answers[i] = _answer(row.tolist(), tokenizer, form, ends)
        if progress is not None:
            progress(min(start + batch_size, len(order)))
    return answers


def _computed_in(autocast: torch.dtype | None, device: torch.device, compute: Callable[[], Any]) -> Any:
    with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
        return compute()


@contextmanager
def _own_settings_aside(model: PreTrainedModel) -> Iterator[None]:
    """Within the block what the model brings along for generating counts for nothing.

    `generate` fills in from there what is not asked for, such as a repetition penalty, and the answers would not be
    draws by the settings that are recorded.
    """
    own: Any = model.generation_config
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        model.generation_config = own


def _longest(sampling: Sampling, room: int | None, prompt_length: int) -> int:
    """The longest answer that is asked for and fits, in tokens."""
    return sampling.max_new_tokens if room is None else min(sampling.max_new_tokens, room - prompt_length)


def _generation_config(
    tokenizer: PreTrainedTokenizerBase, sampling: Sampling, ends: frozenset[int], longest: int
) -> GenerationConfig:
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=longest,
        eos_token_id=sorted(ends),
        pad_token_id=pad,
        use_cache=True,
        **drawn,
    )


def _answer(row: list[int], tokenizer: PreTrainedTokenizerBase, template: Template, ends: frozenset[int]) -> Answer:
    """What a person would have been shown of the tokens of an answer, padding after its end included."""
    stops = stop_strings(template)
    until = StopStrings(stops)
    decoded = str(tokenizer.decode(row, skip_special_tokens=True))
    text = until.push(decoded) + until.finish()
    drawn = row[: next((at + 1 for at, token in enumerate(row) if token in ends), len(row))]
    if until.ended:  # what was drawn after the string is no part of the answer
        drawn = drawn[: _tokens_until(stops, drawn, tokenizer)]
    return Answer(text, until.ended or not ends.isdisjoint(row), tuple(drawn))


def _tokens_until(stops: Sequence[str], drawn: list[int], tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens it takes until one of the strings stands in the text."""

    def stopped(count: int) -> bool:
        text = str(tokenizer.decode(drawn[:count], skip_special_tokens=True))
        return any(stop in text for stop in stops)

    return bisect_left(range(len(drawn)), True, key=stopped)
