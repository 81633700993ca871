"""Computing in another thread, where oneDNN can make no more code in this one.

oneDNN makes code for every new shape of a product. Where memory runs out while it does, it remembers the error in that
thread and refuses every shape that it does not know yet, however much memory is free by then. Another thread does not
remember.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

NO_CODE = "could not create a primitive"
_THREAD_BYTES = 128 * 2**20  # address space for a stack, and for what a thread allocates from

Result = TypeVar("Result")


class _State(threading.local):
    """What holds in this thread: whether oneDNN makes code in it, and the thread that computes instead."""

    refused: bool = False
    other: ThreadPoolExecutor | None = None


_state = _State()


def in_usable_thread(compute: Callable[[], Result]) -> Result:
    """What a computation gives, done in a thread in which oneDNN makes code.

    Args:
        compute: what is to be done, with gradients or without as they are here.
    Raises:
        MemoryError: there is no room for another thread, and it needs one.
        Whatever the computation raises.
    """
    try:
        return _in_the_other(compute) if _state.refused else compute()
    except (RuntimeError, MemoryError) as error:
        _state.refused = _state.refused or NO_CODE in str(error)
        other, _state.other = _state.other, None
        if other is not None:
            other.shutdown()  # and with the thread goes what a backward pass that failed had still to do
        raise


def _in_the_other(compute: Callable[[], Result]) -> Result:
    if _state.other is None:
        try:
            mmap.mmap(-1, _THREAD_BYTES).close()  # a thread without memory ends the process, not with an exception
        except OSError as error:
            raise MemoryError("no memory for another thread") from error
        _state.other = ThreadPoolExecutor(1)
    return _state.other.submit(torch.set_grad_enabled(torch.is_grad_enabled())(compute)).result()
