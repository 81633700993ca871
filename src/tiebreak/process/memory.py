"""Memory that runs out: what is free, and a computation that lets go of all it held, so that a smaller one can follow.

oneDNN makes code for every new shape of a product. Where memory runs out while it does, it remembers the error in that
thread and refuses every shape that it does not know yet, however much memory is free by then. Another thread does not
remember: there it is computed from then on.

Knows nothing of what is computed; whoever asked makes smaller parts of it, or says that there are none.
"""

from __future__ import annotations

import gc
import logging
import mmap
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from tiebreak.process.allocator import return_freed_memory
from tiebreak.process.failures import NO_PRIMITIVE, is_out_of_memory, may_be_something_else, named

logger = logging.getLogger(__name__)

_RESERVE = 4 * 2**20
_THREAD_BYTES = 128 * 2**20  # address space for a stack, and for what a thread allocates from
_CGROUP = Path("/sys/fs/cgroup")

Result = TypeVar("Result")


def unless_memory_runs_out(compute: Callable[[], Result]) -> Result | None:
    """What a computation gives, or None where memory ran out: then all that it held has been let go of.

    An error that may mean something else than memory is named in a warning.

    Raises:
        Whatever the computation raises, unless it tells that memory ran out.
    """
    reserve = bytearray(_RESERVE)  # with nothing left at all, the error could not even be looked at
    try:
        return in_usable_thread(compute)
    except (RuntimeError, MemoryError) as error:
        del reserve
        if not is_out_of_memory(error):
            raise
        if may_be_something_else(error):
            logger.warning("taken for memory that ran out, though it may mean something else: %s", named(error))
    give_back()  # only here: until the error is gone, it holds what was computed
    return None


def give_back() -> None:
    """Let go of what nobody holds any more."""
    gc.collect()
    # What a backward pass that failed had still to do waits in its thread, with all it needs, for the next pass.
    with torch.enable_grad():
        torch.zeros((), requires_grad=True).mul(1).backward()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return_freed_memory()


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
        _state.refused = _state.refused or NO_PRIMITIVE in str(error)
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


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take: of the GPU, or of the machine within the limits set on the process.

    What the GPU's allocator has taken and does not use is free too.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    free = [int(psutil.virtual_memory().available), _left_of_limit(), _left_of_container()]
    return max(0, min(left for left in free if left is not None))


def _left_of_limit() -> int | None:
    """What `ulimit -v` leaves, or None where it is not set."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit - int(psutil.Process().memory_info().vms)


def _left_of_container() -> int | None:
    """What the container's limit leaves, or None where there is none."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        return None if limit == "max" else int(limit) - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):  # no such files, or empty ones: no such limit
        return None
