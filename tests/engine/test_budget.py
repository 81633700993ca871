"""The token budget: what is measured, and that the result of a step does not depend on it."""

from __future__ import annotations

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import tokenized_pairs
from tiebreak.engine import budget
from tiebreak.engine.budget import kept_bytes, token_budget
from tiebreak.engine.checkpointing import checkpoint_layers
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.microbatch import build_batch, split
from tiebreak.engine.score import Scorer
from tiebreak.training.examples import Groups

CPU = torch.device("cpu")


def _groups(n: int) -> Groups:
    return Groups(tokenized_pairs(n), ("chosen", "rejected"))


def test_what_is_kept_grows_with_the_tokens_and_is_seen_by_measuring() -> None:
    model, groups = ARCHITECTURES["qwen2"](), _groups(40)
    few, some = kept_bytes(model, groups[:10], Scorer())
    many, more = kept_bytes(model, groups[:40], Scorer())
    assert many / more == pytest.approx(few / some, rel=0.3)
    hidden, layers = model.config.hidden_size, model.config.num_hidden_layers
    assert few / some > 4 * hidden * layers * 5  # each layer keeps its input and more


def test_checkpointing_layers_keeps_less() -> None:
    model, groups = ARCHITECTURES["llama"](), _groups(10)
    plain, _ = kept_bytes(model, groups[:10], Scorer())
    checkpoint_layers(model)
    assert kept_bytes(model, groups[:10], Scorer())[0] < plain / 3
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("path", ["tree", "padded"])
def test_less_free_memory_gives_a_smaller_budget(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(20)
    scorer = Scorer("tree" if path == "tree" else "padded")
    found = []
    for free in (10**12, 10**8, 10**7, 0):
        monkeypatch.setattr(budget, "free_bytes", lambda device, free=free: free)
        found.append(token_budget(model, groups, scorer))
    assert [b.tokens for b in found] == sorted((b.tokens for b in found), reverse=True)
    assert found[0].tokens == 4096
    assert found[-1].tokens == 256
    assert all(b.tokens & (b.tokens - 1) == 0 for b in found)
    for b in found[1:3]:
        if 256 < b.tokens < 4096:
            assert b.tokens * b.bytes_per_token <= 0.6 * (b.free_bytes - b.reserved_bytes)


def test_a_live_reference_takes_its_share() -> None:
    model, groups = ARCHITECTURES["gpt2"](), _groups(5)
    alone = token_budget(model, groups, Scorer()).reserved_bytes
    size = sum(p.numel() * 4 for p in model.parameters())
    assert token_budget(model, groups, Scorer(), live_reference=True).reserved_bytes == alone + size


@pytest.mark.parametrize("name", ["gpt2", "qwen2", "llama"])
@pytest.mark.parametrize("path", ["tree", "padded"])
def test_the_gradient_does_not_depend_on_the_budget(name: str, path: str) -> None:
    """Budgets from one pair to all, in float32, within 1e-6 of the gradient's norm."""
    groups = _groups(16)[:16]
    kind = "tree" if path == "tree" else "padded"

    def gradient(tokens: int) -> torch.Tensor:
        model = ARCHITECTURES[name]()
        for part in split(groups, tokens, kind):
            batch = build_batch([groups[i] for i in part], kind, CPU)
            (sequence_logps(model, batch).logp.sum() / len(groups)).backward()
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    torch.manual_seed(0)
    expected = gradient(1)
    for tokens in (16, 40, 100, 300, 10**6):
        torch.manual_seed(0)
        assert torch.norm(gradient(tokens) - expected) <= 1e-6 * torch.norm(expected)
