"""How many bytes of tensors are alive while something is computed: now, and at most so far.

On a GPU its allocator counts them. On a CPU nobody does, and the system's figure of the process has in it all that an
allocator keeps for later; so every operation's results are noted here as they come and go. What was there before is not
counted. Space that a single operation takes and gives back within itself is not seen on a CPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocated(Protocol):
    """Bytes of tensors that were made since the watching began."""

    def now(self) -> int:
        """Those that are alive."""

    def peak(self) -> int:
        """The most that were alive at once."""


@contextmanager
def watching_allocations(device: torch.device) -> Iterator[Allocated]:
    """Within the block, count the bytes of the tensors that this thread makes on a device, in backward passes too.

    Args:
        device: where they are made. On a GPU its peak since the start of the process is forgotten.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        yield _OnGpu(device)
        return
    with _Noting() as noting:
        yield noting


class _OnGpu:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = torch.cuda.memory_allocated(device)

    def now(self) -> int:
        return int(torch.cuda.memory_allocated(self._device)) - self._before

    def peak(self) -> int:
        return int(torch.cuda.max_memory_allocated(self._device)) - self._before


class _Noting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation of its thread, and notes the memory of its results until it is free."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive: dict[int, weakref.ref[Any]] = {}
        self._now = self._peak = 0

    def now(self) -> int:
        return self._now

    def peak(self) -> int:
        return self._peak

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        there = {_place(tensor) for tensor in tree_leaves((args, given)) if isinstance(tensor, Tensor)}
        out = func(*args, **given)
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and _place(tensor) not in there:
                self._note(tensor.untyped_storage())
        return out

    def _note(self, storage: torch.UntypedStorage) -> None:
        place, size = storage._cdata, storage.nbytes()
        if place in self._alive:
            return

        def gone(_: object) -> None:
            if self._alive.pop(place, None) is not None:
                self._now -= size

        self._alive[place] = weakref.ref(storage, gone)
        self._now += size
        self._peak = max(self._peak, self._now)


def _place(tensor: Tensor) -> int:
    """Which memory a tensor lies in."""
    return int(tensor.untyped_storage()._cdata)
