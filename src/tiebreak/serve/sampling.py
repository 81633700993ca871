"""How the next token of a text is drawn: by the text's own random numbers, so that company changes nothing."""

from __future__ import annotations

import torch
from torch import Tensor

_ENOUGH = 256


def generator_for(seed: int, device: torch.device) -> torch.Generator:
    """Random numbers of one text, on the device of its logits."""
    return torch.Generator(device=device).manual_seed(seed)


def draw(logits: Tensor, generator: torch.Generator, *, temperature: float, top_p: float) -> int:
    """Draw a token; the same seed gives what `tiebreak chat` draws.

    Args:
        logits: of the next token, shape (vocabulary,).
        generator: of this text.
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from, in (0, 1].
    """
    if temperature == 0:
        return int(logits.argmax())
    # Shifted first: a small temperature must not make infinities of the logits.
    scaled = (logits.float() - logits.max()) / temperature
    if top_p < 1:
        scaled = _within(scaled, top_p)
    return int(torch.multinomial(torch.softmax(scaled, dim=-1), 1, generator=generator))


def _within(logits: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens that have `top_p` of the probability together; the others cannot be drawn."""
    # A few tokens nearly always suffice, and sorting a whole vocabulary takes longer than many a model's step.
    top, order = torch.topk(logits, min(_ENOUGH, len(logits)))
    total = torch.logsumexp(logits, dim=-1)
    if torch.exp(top - total).sum() < top_p:
        top, order = torch.sort(logits, descending=True)
    shares = torch.exp(top - total)
    kept = shares.cumsum(-1) - shares < top_p  # what comes before it does not suffice
    kept[0] = True
    return torch.full_like(logits, float("-inf")).scatter(0, order[kept], top[kept])
