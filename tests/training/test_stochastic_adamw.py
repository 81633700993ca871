"""Rounding by chance is right in the mean; in float32 it is torch's AdamW; a resumed run has the same bits."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.training.stochastic_adamw import StochasticAdamW, rounded


@pytest.mark.parametrize("value", [1.0 + 2**-10, -(1.0 + 2**-9), 3e-5, -7.7e8, 0.0, 1.5])
def test_the_mean_over_many_draws_is_the_value(value: float) -> None:
    wide = torch.full((200_000,), value)
    found = rounded(wide, torch.Generator().manual_seed(0)).double()
    assert len(set(found.tolist())) <= 2
    grain = abs(value) * 2**-7
    assert found.sub(value).abs().max() <= grain
    assert abs(found.mean().item() - float(wide[0])) <= 5 * grain / 200_000**0.5 + 1e-12


def test_what_bfloat16_has_and_what_is_not_finite_stays() -> None:
    exact = torch.cat([torch.randn(1000).bfloat16().float(), torch.tensor([torch.inf, -torch.inf, torch.nan])])
    found = rounded(exact, torch.Generator().manual_seed(0)).float()
    torch.testing.assert_close(found, exact, rtol=0, atol=0, equal_nan=True)


def _weights(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    draw = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=draw).to(dtype)) for shape in ((7, 5), (11,))]


def _moved(weights: list[torch.nn.Parameter], optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    for number in range(first, last):
        draw = torch.Generator().manual_seed(number)
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=draw).to(weight.dtype)
        optimizer.step()


def test_in_float32_it_is_adamw() -> None:
    settings: dict[str, Any] = {"lr": 1e-2, "betas": (0.8, 0.95), "weight_decay": 0.1}
    mine, theirs = _weights(torch.float32), _weights(torch.float32)
    _moved(mine, StochasticAdamW(mine, **settings), 0, 20)
    _moved(theirs, torch.optim.AdamW(theirs, **settings), 0, 20)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_steps_too_small_for_bfloat16_add_up() -> None:
    weight = torch.nn.Parameter(torch.ones(4000, dtype=torch.bfloat16))
    lost = torch.nn.Parameter(weight.detach().clone())
    optimizers = StochasticAdamW([weight], lr=1e-4), torch.optim.AdamW([lost], lr=1e-4, weight_decay=0.0)
    for _ in range(100):
        for each, optimizer in zip((weight, lost), optimizers, strict=True):
            each.grad = torch.ones_like(each)
            optimizer.step()
    assert bool((lost == 1).all())
    assert weight.float().mean().item() == pytest.approx(1 - 100 * 1e-4, abs=1e-3)


def test_it_goes_on_from_a_state_with_the_same_bits() -> None:
    whole, first = _weights(torch.bfloat16), _weights(torch.bfloat16)
    _moved(whole, StochasticAdamW(whole, lr=1e-3, seed=3), 0, 10)
    before = StochasticAdamW(first, lr=1e-3, seed=3)
    _moved(first, before, 0, 6)
    after = [torch.nn.Parameter(weight.detach().clone()) for weight in first]
    resumed = StochasticAdamW(after, lr=1e-3, seed=3)
    resumed.load_state_dict(copy.deepcopy(before.state_dict()))
    assert {state["exp_avg"].dtype for state in resumed.state.values()} == {torch.float32}
    _moved(after, resumed, 6, 10)
    other = _weights(torch.bfloat16)
    _moved(other, StochasticAdamW(other, lr=1e-3, seed=4), 0, 10)
    for one, same in zip(whole, after, strict=True):
        assert torch.equal(one, same)
    assert any(not torch.equal(one, another) for one, another in zip(whole, other, strict=True))


def test_a_run_over_bfloat16_weights_resumes_with_the_same_bits(tmp_path: Path) -> None:
    found = []
    for way in ("whole", "resumed"):
        trainer = preference_trainer(
            ARCHITECTURES["llama"]().to(torch.bfloat16),  # type: ignore[arg-type]
            tokenized_pairs(12),
            tmp_path / way,
            batch_size=4,
            learning_rate=1e-4,
            max_steps=6,
            save_every=3,
            keep_checkpoints=3,
        )
        if way == "resumed":
            trainer.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
        else:
            trainer.train()
        assert isinstance(getattr(trainer.optimizer, "optimizer", trainer.optimizer), StochasticAdamW)
        model: Any = trainer.model
        found.append(weights_of(model))
    for name, weight in found[0].items():
        assert torch.equal(weight, found[1][name]), name
