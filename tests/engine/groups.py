"""Groups of token sequences that share much and little, the models that take trees, and plain log-probs of both."""

from __future__ import annotations

import random

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tiebreak.engine.batch import ScoredGroup, group_of

BY_TREE = {
    *("gpt2", "llama", "qwen2", "qwen3", "qwen2_moe", "gpt_neox", "opt", "phi", "phi3", "smollm3", "olmo2", "granite"),
    *("mistral_window", "gemma3_window", "qwen2_window", "gemma2", "gemma2_capped", "gpt_oss"),
}
_RANDOM = random.Random(0)


def _tokens(n: int) -> list[int]:
    return [_RANDOM.randrange(3, 61) for _ in range(n)]


_PROMPT, _BEGINNING = _tokens(12), _tokens(3)
GROUPS = [
    # completions that begin alike, one of them the beginning of the others
    group_of(_PROMPT, [_BEGINNING + _tokens(9), _BEGINNING + _tokens(4), _BEGINNING]),
    group_of(_tokens(5), [_tokens(7), _tokens(1)]),  # a completion of one token
    group_of(_PROMPT[:8] + _tokens(3), [_tokens(14)]),  # one completion; a prompt that begins like another
    group_of(_PROMPT, [_tokens(2), _tokens(6)]),  # a prompt that stands twice
    group_of(_tokens(1), [_tokens(3), _tokens(3)]),  # a prompt of one token
]

PAIRS = [
    ScoredGroup((5, 6, 7), ((8, 9, 10, 11, 2), (8, 12, 2)), 0),
    ScoredGroup((5, 6), ((20, 2), (20, 21, 22, 23, 24, 2)), 1),
    ScoredGroup((30, 31, 32, 33), ((34, 2), (35, 2)), 2),
]


def plain_logps(model: PreTrainedModel, groups: list[ScoredGroup]) -> Tensor:
    """One forward pass a sequence, nothing shared, nothing padded."""
    found = []
    for group in groups:
        for completion in group.completions:
            logits = model(input_ids=torch.tensor([group.prompt + completion]), use_cache=False).logits[0].float()
            logp = torch.log_softmax(logits, dim=-1)
            first = len(group.prompt) - 1
            found.append(torch.stack([logp[first + i, token] for i, token in enumerate(completion)]).sum())
    return torch.stack(found)
