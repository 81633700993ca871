"""How likely a model finds the tokens of a text: each token's log-prob beside those of the likeliest tokens there.

The model's own probabilities, before temperature, penalties or anything else that a draw is changed by. Knows logits
and token ids; knows no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from tiebreak.engine.lm_head import without_head
from tiebreak.generation.steps import Steps

# Logits of a prompt that are in memory at once.
_BLOCK_BYTES = 64 << 20


@dataclass(frozen=True)
class TokenScore:
    """A token and how likely it was.

    Attributes:
        token: its id.
        logp: its log-prob, in nats; None for the first token of a text, which nothing comes before.
        top: the likeliest tokens in its place with their log-probs, the likeliest first.
    """

    token: int
    logp: float | None
    top: tuple[tuple[int, float], ...] = ()


def score_tokens(logits: Tensor, tokens: Sequence[int], top: int) -> list[TokenScore]:
    """Score tokens by the logits in their places.

    Args:
        logits: shape (tokens, vocabulary).
        tokens: one for each row.
        top: likeliest tokens to be named for each; 0 is none.
    """
    logps = torch.log_softmax(logits.float(), dim=-1)
    own = logps.gather(1, torch.tensor(list(tokens), device=logps.device)[:, None])[:, 0].tolist()
    if top == 0:
        return [TokenScore(token, logp) for token, logp in zip(tokens, own, strict=True)]
    best = torch.topk(logps, min(top, logps.shape[1]), dim=-1)
    named = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [
        TokenScore(token, logp, tuple(zip(ids, values, strict=True)))
        for token, logp, (ids, values) in zip(tokens, own, named, strict=True)
    ]


def score_prompt(steps: Steps, ids: Sequence[int], top: int) -> list[TokenScore]:
    """Score the tokens of a prompt, each after those before it.

    Args:
        steps: of the model, in the thread that uses it.
        ids: at least one token.
        top: as in `score_tokens`.
    """
    scores, at = [TokenScore(ids[0], None)], 0
    for logits in _logits(steps, ids[:-1]) if len(ids) > 1 else ():
        scores += score_tokens(logits, ids[at + 1 : at + 1 + len(logits)], top)
        at += len(logits)
    return scores


@torch.inference_mode()
def _logits(steps: Steps, ids: Sequence[int]) -> Iterator[Tensor]:
    """Logits after each token, some rows at a time, since those of a long prompt need gigabytes together."""
    head = steps.head
    with nullcontext() if head is None else without_head(steps.model):
        out = steps.whole(ids)
    if head is None:
        yield out
        return
    rows = max(1, _BLOCK_BYTES // (4 * head.weight.shape[0]))
    for start in range(0, len(out), rows):
        yield linear(out[start : start + rows], head.weight, head.bias)
