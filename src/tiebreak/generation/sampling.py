"""How the next token of an answer is drawn: by the answer's own random numbers, so that company changes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_ENOUGH = 256


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from, in (0, 1].
        max_new_tokens: longest answer, in tokens.
        seed: of the draws.
        top_k: so many of the likeliest tokens are drawn from; 0 is all.
        min_p: tokens less likely than this share of the likeliest one are not drawn, in [0, 1].
        presence_penalty: taken from the logit of each token that the answer has already.
        frequency_penalty: the same, as often as the answer has it.
        repetition_penalty: divides the logits of tokens that prompt or answer have already (multiplies negative ones).
        logit_bias: added to the logits of single tokens: pairs of token and number.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    max_new_tokens: int = 128
    seed: int = 0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()


def generator_for(seed: int, device: torch.device) -> torch.Generator:
    """Random numbers of one answer, on the device of its logits."""
    return torch.Generator(device=device).manual_seed(seed)


def adjusted(logits: Tensor, sampling: Sampling, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """The logits with biases and penalties; the same tensor where there are none.

    Args:
        logits: of the next token, shape (vocabulary,).
        sampling: of the answer.
        prompt, answer: token ids so far.
    Source: Keskar et al. 2019, "CTRL" (repetition); OpenAI's API reference (presence, frequency, bias).
    """
    changed = logits
    if sampling.logit_bias:
        changed = changed.float().clone()
        tokens = torch.tensor([token for token, _ in sampling.logit_bias], device=logits.device)
        added = torch.tensor([bias for _, bias in sampling.logit_bias], device=logits.device)
        changed.index_add_(0, tokens, added)
    if sampling.repetition_penalty != 1:
        seen = torch.tensor(sorted({*prompt, *answer}), device=logits.device)
        changed = changed.float() if sampling.logit_bias else changed.float().clone()
        before = changed[seen]
        penalty = sampling.repetition_penalty
        changed[seen] = torch.where(before > 0, before / penalty, before * penalty)
    if (sampling.presence_penalty or sampling.frequency_penalty) and answer:
        counts = torch.bincount(torch.tensor(list(answer), device=logits.device), minlength=len(logits))
        changed = changed.float() - sampling.frequency_penalty * counts - sampling.presence_penalty * (counts > 0)
    return changed


def draw(
    logits: Tensor,
    generator: torch.Generator,
    *,
    temperature: float,
    top_p: float,
    top_k: int = 0,
    min_p: float = 0.0,
) -> int:
    """Draw a token.

    Args:
        logits: of the next token, shape (vocabulary,).
        generator: of this answer.
        temperature: 0 is greedy.
        top_p, top_k, min_p: as in `Sampling`; taken in the order top_k, top_p, min_p.
    """
    if temperature == 0:
        return int(logits.argmax())
    # Shifted first: a small temperature must not make infinities of the logits.
    scaled = (logits.float() - logits.max()) / temperature
    if 0 < top_k < len(scaled):
        scaled = scaled.masked_fill(scaled < torch.topk(scaled, top_k).values[-1], float("-inf"))
    if top_p < 1:
        scaled = _nucleus(scaled, top_p)
    if min_p > 0:  # the likeliest token stands at 0
        scaled = scaled.masked_fill(scaled < math.log(min_p), float("-inf"))
    return int(torch.multinomial(torch.softmax(scaled, dim=-1), 1, generator=generator))


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens that have `top_p` of the probability together; the others cannot be drawn.

    Source: Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration".
    """
    # A few tokens nearly always suffice, and sorting a whole vocabulary takes longer than many a model's step.
    top, order = torch.topk(logits, min(_ENOUGH, len(logits)))
    total = torch.logsumexp(logits, dim=-1)
    if torch.exp(top - total).sum() < top_p:
        top, order = torch.sort(logits, descending=True)
    shares = torch.exp(top - total)
    kept = shares.cumsum(-1) - shares < top_p  # what comes before it does not suffice
    kept[0] = True
    return torch.full_like(logits, float("-inf")).scatter(0, order[kept], top[kept])
