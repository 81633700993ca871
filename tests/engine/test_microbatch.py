"""Splitting a step: every group once, within the budget, and the sum of gradients does not depend on it."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.architectures import ARCHITECTURES
from tiebreak.engine.batch import group_of
from tiebreak.engine.logprobs import sequence_logps
from tiebreak.engine.microbatch import BatchPath, build_batch, split

CPU = torch.device("cpu")
_GROUPS = st.lists(
    st.tuples(
        st.lists(st.integers(3, 5), min_size=1, max_size=20),
        st.lists(st.lists(st.integers(3, 9), min_size=1, max_size=20), min_size=2, max_size=2),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("path", ["tree", "padded"])
@given(groups=_GROUPS, budget=st.integers(1, 200))
def test_every_group_once_and_none_over_the_budget(
    path: BatchPath, groups: list[tuple[list[int], list[list[int]]]], budget: int
) -> None:
    made = [group_of(*group) for group in groups]
    parts = split(made, budget, path)
    assert sorted(i for part in parts for i in part) == list(range(len(made)))
    for part in parts:
        assert len(part) == 1 or build_batch([made[i] for i in part], path, CPU).tokens <= budget


def test_equal_prompts_stay_together() -> None:
    prompt = list(range(3, 40))
    groups = [group_of(prompt if i % 2 else [4 + i, 5], [[6], [7]]) for i in range(6)]
    parts = split(groups, 50, "tree")
    assert [1, 3, 5] in [[i for i in part if i % 2] for part in parts]


def test_the_gradient_does_not_depend_on_the_budget() -> None:
    model = ARCHITECTURES["qwen2"]().double()
    draw = random.Random(1)
    groups = [
        group_of([draw.randrange(3, 61) for _ in range(9)], [[draw.randrange(3, 61) for _ in range(n)] for n in (3, 6)])
        for _ in range(8)
    ]

    def gradient(budget: int) -> torch.Tensor:
        model.zero_grad()
        for part in split(groups, budget, "tree"):
            batch = build_batch([groups[i] for i in part], "tree", CPU)
            torch.autograd.backward(sequence_logps(model, batch).logp.sum())
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    whole = gradient(10_000)
    for budget in (1, 30, 64):
        assert torch.norm(gradient(budget) - whole) <= 1e-6 * torch.norm(whole)
