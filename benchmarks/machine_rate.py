"""What the machine can do at most: its measured rates of matrix products and of moving bytes."""

from __future__ import annotations

import time

import torch

# Large ones, so that reading the operands does not count; several, since libraries have favourites.
_SIZES = {"cpu": (1024, 2048, 3072), "cuda": (4096, 8192, 12288)}


def matrix_rate(dtype: torch.dtype, device: str, *, seconds: float = 2.0) -> float:
    """The best rate of `torch.mm` on square matrices, in operations a second (a product and a sum are two).

    Args:
        dtype: of the operands.
        device: `cpu` or `cuda`.
        seconds: how long each size is tried.
    """
    best = 0.0
    for size in _SIZES[device]:
        a = torch.randn(size, size, device=device).to(dtype)
        b = torch.randn(size, size, device=device).to(dtype)
        torch.mm(a, b)
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            _wait(device)
            began = time.perf_counter()
            torch.mm(a, b)
            _wait(device)
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best


def memory_rate(device: str, *, seconds: float = 2.0) -> float:
    """The best rate of copying a tensor that no cache holds, in bytes a second, those read and those written.

    Args:
        device: `cpu` or `cuda`.
        seconds: how long it is tried.
    """
    source = torch.ones(2**26 if device == "cpu" else 2**29, device=device)
    target = torch.empty_like(source)
    best = 0.0
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        _wait(device)
        began = time.perf_counter()
        target.copy_(source)
        _wait(device)
        best = max(best, 2 * source.numel() * source.element_size() / (time.perf_counter() - began))
    return best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
