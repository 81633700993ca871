"""Answers to conversations: many at once for measurements, or one as a stream of text for a person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

from tiebreak.data.preference import Message
from tiebreak.data.render import Template, choose_template, prompt_text
from tiebreak.engine.fresh_thread import in_usable_thread
from tiebreak.errors import InputError
from tiebreak.evaluate.until import Until

# A model in the transcript form that goes on would speak for the human next: its answer ends there.
_NEXT_TURN = "\n\nHuman:"


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from.
        max_new_tokens: longest answer, in tokens.
        seed: of the draws.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0


@torch.no_grad()
def answer_all(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[Message]],
    sampling: Sampling,
    *,
    template: Template | None = None,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> list[str]:
    """One answer to each conversation.

    Args:
        model: any causal language model.
        tokenizer: its tokenizer.
        prompts: conversations whose last turn is not the assistant's.
        sampling: how tokens are drawn; the same seed gives the same answers for the same prompts in the same order.
        template: form of the conversations; None is what suits the tokenizer.
        batch_size: conversations answered together.
        progress: called with the number of answers so far.
    """
    form = template or choose_template(tokenizer)
    # Prompts of like length together, so that little is padding; the order is part of what a seed means.
    ids = [prompt_ids(tokenizer, prompt, form) for prompt in prompts]
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    answers = [""] * len(ids)
    room = positions(model)
    torch.manual_seed(sampling.seed)
    for start in range(0, len(order), batch_size):
        members = [i for i in order[start : start + batch_size] if room is None or len(ids[i]) < room]
        if not members:
            continue  # no room for an answer: it stays empty
        longest = max(len(ids[i]) for i in members)
        config = _generation_config(model, tokenizer, sampling, longest)
        pad = int(config.pad_token_id)
        rows = torch.tensor([[pad] * (longest - len(ids[i])) + ids[i] for i in members], device=model.device)
        mask = torch.tensor([[0] * (longest - len(ids[i])) + [1] * len(ids[i]) for i in members], device=model.device)
        generate: Any = model.generate
        out = in_usable_thread(partial(generate, rows, attention_mask=mask, generation_config=config))
        for i, row in zip(members, out[:, longest:], strict=True):
            answers[i] = _clean(str(tokenizer.decode(row, skip_special_tokens=True)), form)
        if progress is not None:
            progress(min(start + batch_size, len(order)))
    return answers


def stream_answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[Message],
    sampling: Sampling,
    *,
    template: Template | None = None,
) -> Iterator[str]:
    """One answer, piece by piece, as it is generated.

    Leaving the iteration early stops the generation.

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
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=None)
    stop = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        try:
            torch.manual_seed(sampling.seed)
            row = torch.tensor([ids], device=model.device)
            generate: Any = model.generate
            generate(
                row,
                attention_mask=torch.ones_like(row),
                generation_config=_generation_config(model, tokenizer, sampling, len(ids)),
                streamer=streamer,
                stopping_criteria=StoppingCriteriaList([_StopWhen(stop)]),
            )
        except BaseException as error:  # noqa: BLE001  handed to the thread that reads
            failure.append(error)
            streamer.end()  # type: ignore[no-untyped-call]

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield from _until_next_turn(streamer, form)
    finally:
        stop.set()
        worker.join()
    if failure:
        raise failure[0]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], template: Template) -> list[int]:
    """The token ids that an answer continues, exactly as in training."""
    from tiebreak.data.tokenize import encode_prompts

    return encode_prompts(tokenizer, [prompt_text(prompt, tokenizer, template)], template)[0]


def _generation_config(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, sampling: Sampling, prompt_length: int
) -> GenerationConfig:
    room = positions(model)
    longest = sampling.max_new_tokens if room is None else min(sampling.max_new_tokens, room - prompt_length)
    stops = end_tokens(model, tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": 0}
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=longest, eos_token_id=stops, pad_token_id=pad, use_cache=True, **drawn
    )


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model's own configuration names."""
    own = getattr(model.generation_config, "eos_token_id", None)
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def end_marks(template: Template) -> tuple[str, ...]:
    """The texts before which an answer ends: without a chat template, where the model would speak for the human."""
    return (_NEXT_TURN,) if template == "transcript" else ()


def positions(model: PreTrainedModel) -> int | None:
    """Positions that the model knows; past them some models cannot compute at all."""
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return room if isinstance(room, int) and room > 0 else None


def _clean(text: str, template: Template) -> str:
    return (text.split(_NEXT_TURN)[0] if template == "transcript" else text).strip()


def _until_next_turn(pieces: Iterator[str], template: Template) -> Iterator[str]:
    """The pieces up to where the next turn would begin; white space at either end is left out."""
    answer = Until(end_marks(template))
    for piece in pieces:
        if said := answer.push(piece):
            yield said
        if answer.ended:
            return
    if rest := answer.finish():
        yield rest


class _StopWhen(StoppingCriteria):
    """Ends a generation when an event is set."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **_: Any) -> torch.BoolTensor:
        return torch.full((input_ids.shape[0],), self.event.is_set(), device=input_ids.device)  # type: ignore[return-value]
