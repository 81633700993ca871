"""Bytes of tensors that are alive: those made within the block, views once, what a backward pass makes included."""

from __future__ import annotations

import threading

import torch
from torch import Tensor, nn

from tiebreak.process.allocated import watching_allocations

CPU = torch.device("cpu")
MATRIX = 4 * 100 * 100


def test_what_is_alive_and_the_most_that_was() -> None:
    before = torch.ones(100, 100)
    with watching_allocations(CPU) as allocated:
        assert (allocated.now(), allocated.peak()) == (0, 0)
        first = before * 2
        assert (allocated.now(), allocated.peak()) == (MATRIX, MATRIX)
        second = first + 1
        del first
        assert (allocated.now(), allocated.peak()) == (MATRIX, 2 * MATRIX)
        del second
        assert (allocated.now(), allocated.peak()) == (0, 2 * MATRIX)
    outside = before * 2
    assert allocated.peak() == 2 * MATRIX
    del outside


def test_views_and_what_is_changed_in_place_are_no_new_memory() -> None:
    before = torch.ones(100, 100)
    with watching_allocations(CPU) as allocated:
        before.mul_(2)
        before.t()[3:].add_(1)
        assert allocated.peak() == 0
        made = before.double()
        parts = [made[0], made.view(-1), made.t()]
        assert allocated.now() == 2 * MATRIX
        del made
        assert allocated.now() == 2 * MATRIX
        parts.clear()
        assert allocated.now() == 0


def test_a_backward_pass_counts() -> None:
    layer = nn.Linear(100, 100, bias=False)
    with watching_allocations(CPU) as allocated:
        out = layer(torch.ones(1, 100))
        forward = allocated.peak()
        torch.autograd.backward(out.sum())
        assert forward < MATRIX
        assert MATRIX <= allocated.peak() < 2 * MATRIX
        assert layer.weight.grad is not None
        assert allocated.now() >= MATRIX
        layer.weight.grad = None
        assert allocated.now() < MATRIX


def test_what_autograd_keeps_is_alive() -> None:
    x = torch.ones(100, 100, requires_grad=True)
    with watching_allocations(CPU) as allocated:
        out = x.exp().exp().sum()
        assert allocated.now() >= 2 * MATRIX  # each exponential keeps its result
        del out
        assert allocated.now() == 0


def test_other_threads_are_not_counted() -> None:
    made: list[Tensor] = []
    with watching_allocations(CPU) as allocated:
        thread = threading.Thread(target=lambda: made.append(torch.ones(100, 100)))
        thread.start()
        thread.join()
    assert made
    assert allocated.peak() == 0
