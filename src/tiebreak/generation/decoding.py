"""An answer on its way: the prompt is read, then a token is drawn and becomes text at each step, until it ends.

The one loop of chat and server: the same request with the same seed has the same answer in both. Knows logits, tokens
and text; knows no queue, no thread, and no other answer, except that several may share a step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preference import Message
from tiebreak.data.preparing.completions import CompletionWriter
from tiebreak.data.preparing.encode import encode_prompts, encode_texts
from tiebreak.data.preparing.templates import Renderer, SpecialTokens, Template
from tiebreak.generation.detokenize import Detokenizer, FinishReason
from tiebreak.generation.grammar import Constraint
from tiebreak.generation.sampling import Sampling, adjusted, draw, generator_for
from tiebreak.generation.steps import SequenceState, Steps
from tiebreak.generation.token_scores import TokenScore, score_prompt, score_tokens

# A model in the transcript form that goes on would speak for the human next: its answer ends there.
_NEXT_TURN = "\n\nHuman:"


class Decoding:
    """One answer on its way.

    Args:
        ids: tokens of the prompt, at least one.
        sampling: how tokens are drawn; prompt and `max_new_tokens` must fit the model together.
        end_tokens: tokens that end the answer, and are no text of it.
        text: what the tokens become.
        top: score the tokens, naming so many of the likeliest in each place; None scores none.
        prompt_too: score the tokens of the prompt as well.
        end_too: score the token that ends the answer as well.
        constraint: what the answer must keep to.
    Attributes:
        tokens: those drawn so far, the one that ends the answer included.
        finish_reason: why the answer ended; None while it grows.
        scores: of the tokens drawn.
        prompt_scores: of the prompt, once it has been read.
    """

    def __init__(
        self,
        ids: Sequence[int],
        *,
        sampling: Sampling,
        end_tokens: frozenset[int],
        text: Detokenizer,
        top: int | None = None,
        prompt_too: bool = False,
        end_too: bool = False,
        constraint: Constraint | None = None,
    ) -> None:
        self.ids, self.sampling = ids, sampling
        self.tokens: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.scores: list[TokenScore] = []
        self.prompt_scores: list[TokenScore] = []
        self._end_tokens, self._text = end_tokens, text
        self._top, self._prompt_too, self._end_too, self._constraint = top, prompt_too, end_too, constraint
        self._begun: tuple[SequenceState, torch.Generator] | None = None

    @property
    def state(self) -> SequenceState:
        """What the model remembers; there is something once the prompt has been read."""
        return self._started[0]

    @property
    def scored(self) -> list[TokenScore]:
        """The scores of the tokens whose text has been given, and of the one that ends the answer, if asked."""
        given = self._text.given()
        ended = self._end_too and bool(self.tokens) and self.tokens[-1] in self._end_tokens
        return self.scores[: given + ended]

    def prefill(self, steps: Steps) -> str:
        """Read the prompt and draw the first token, if there is to be one.

        Returns:
            The text that is certain by now, which may be nothing.
        """
        if self._prompt_too and self._top is not None:
            self.prompt_scores = score_prompt(steps, self.ids, self._top)
        if self.sampling.max_new_tokens == 0:
            self.finish_reason = "length"
            return ""
        state, logits = steps.prefill(self.ids, len(self.ids) + self.sampling.max_new_tokens)
        self._begun = state, generator_for(self.sampling.seed, logits.device)
        return self.add_from(logits)

    def add_from(self, logits: Tensor) -> str:
        """Draw one more token.

        Args:
            logits: of that token, shape (vocabulary,).
        Returns:
            The text that is certain by now and was not given before; all that is left, where the answer ends here.
        """
        settings, constraint = self.sampling, self._constraint
        changed = adjusted(logits, settings, self.ids, self.tokens)
        token = draw(
            changed if constraint is None else constraint.masked(changed),
            self._started[1],
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            min_p=settings.min_p,
        )
        self.tokens.append(token)
        is_end = token in self._end_tokens
        new = "" if is_end else self._text.push(token)
        if self._top is not None:
            self.scores += score_tokens(logits[None], [token], self._top)
        if constraint is not None and not is_end:
            constraint.accept(token)
        if is_end or self._text.ended or (constraint is not None and constraint.ended):
            self.finish_reason = "stop"
        elif len(self.tokens) >= settings.max_new_tokens:
            self.finish_reason = "length"
        return new if self.finish_reason is None else new + self._text.finish()

    def end(self) -> None:
        """End the answer here: nothing more is wanted of it."""
        self.finish_reason = self.finish_reason or "stop"

    @property
    def _started(self) -> tuple[SequenceState, torch.Generator]:
        if self._begun is None:
            raise ValueError("The prompt has not been read yet.")
        return self._begun


def decode_step(steps: Steps, decodings: Sequence[Decoding]) -> list[str]:
    """One more token for each of several answers, in one step of the model.

    Args:
        steps: of the model that read the prompts.
        decodings: at most `steps.rows`; none has ended.
    Returns:
        The new text of each.
    """
    return [one.add_from(row) for one, row in zip(decodings, next_logits(steps, decodings), strict=True)]


def next_logits(steps: Steps, decodings: Sequence[Decoding]) -> Tensor:
    """The logits of the next token of each answer, shape (answers, vocabulary); as `decode_step`, nothing drawn yet."""
    return steps.step([one.state for one in decodings], [one.tokens[-1] for one in decodings])


def prompt_ids(
    tokenizer: PreTrainedTokenizerBase,
    prompt: Sequence[Message],
    template: Template,
    *,
    tools: str | None = None,
    special_tokens: SpecialTokens = "text",
) -> list[int]:
    """The token ids that an answer continues, exactly as in training.

    Where the last turn is the assistant's, the answer goes on with that turn.

    Args:
        tokenizer: the model's tokenizer.
        prompt: the conversation.
        template: the form that it takes.
        tools: the tools that the assistant may call, as JSON text.
        special_tokens: what special tokens in the text of the turns are; what people type is text.
    Raises:
        InputError: the conversation has turns that the template cannot write, or changes what has begun.
    """
    renderer = Renderer(tokenizer, template, special_tokens)
    if not goes_on(prompt):
        turns = prompt[:-1] if prompt and prompt[-1].role == "assistant" else prompt
        return encode_prompts(tokenizer, [renderer.prompt(turns, tools)], template)[0]
    *turns, last = prompt
    text, begun = CompletionWriter(renderer).begun(turns, last, tools)
    return [*encode_prompts(tokenizer, [text], template)[0], *encode_texts(tokenizer, [begun])[0]]


def goes_on(prompt: Sequence[Message]) -> bool:
    """Whether an answer goes on with a text of the assistant's that stands already."""
    return bool(prompt) and prompt[-1].role == "assistant" and bool(prompt[-1].content.strip())


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end an answer: the tokenizer's, and those that the model's own configuration names."""
    own = getattr(model.generation_config, "eos_token_id", None)
    return frozenset({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None})


def stop_strings(template: Template) -> tuple[str, ...]:
    """The strings before which an answer ends: without a chat template, where the model would speak for the human."""
    return (_NEXT_TURN,) if template == "transcript" else ()


def positions(model: PreTrainedModel) -> int | None:
    """Positions that the model knows, in tokens; past them some models cannot compute at all."""
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return room if isinstance(room, int) and room > 0 else None
