"""Memory: how much is free, telling that it ran out, giving back what can be given back, moving without waiting."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import torch
from torch import Tensor

from tiebreak.engine.allocator import stop_keeping_memory
from tiebreak.engine.fresh_thread import NO_CODE, Result, in_usable_thread
from tiebreak.engine.sequences import ScoredGroup
from tiebreak.errors import RunError

_SAID = (
    "can't allocate memory",
    "not enough memory",
    "DefaultCPUAllocator",
    "std::bad_alloc",
    NO_CODE,  # where there is no room for it
    "could not create a memory object",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_RESERVE = 4 * 2**20
_CGROUP = Path("/sys/fs/cgroup")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID)


def unless_memory_runs_out(compute: Callable[[], Result]) -> Result | None:
    """What a computation gives, or None where memory ran out: then all that it held has been let go of.

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
    give_back()  # only here: until the error is gone, it holds what was computed
    return None


def does_not_fit(groups: Sequence[ScoredGroup], *, training: bool) -> RunError:
    """The error for memory that does not suffice for a single group.

    Args:
        groups: what was computed when memory ran out; the longest is named.
        training: whether gradients were wanted, which take most of the memory.
    """
    longest = max(groups, key=lambda group: group.tokens)
    other = "set train.gradient_checkpointing=true" if training else "choose a smaller model"
    return RunError(
        f"Memory does not suffice for a single example of {longest.tokens:,} tokens.",
        where=f"row {longest.row} of the data",
        fix=f"lower data.max_length, set train.precision=bf16, or {other}",
    )


def give_back() -> None:
    """Let go of what nobody holds any more."""
    gc.collect()
    # What a backward pass that failed had still to do waits in its thread, with all it needs, for the next pass.
    with torch.enable_grad():
        torch.zeros((), requires_grad=True).mul(1).backward()  # type: ignore[no-untyped-call]
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    stop_keeping_memory()


def free_bytes(device: torch.device) -> int:
    """Memory that this process may still take: of the GPU, or of the machine within the limits set on the process."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
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
    except (OSError, ValueError):  # no such files: no such limit
        return None


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device; a GPU fetches it while the CPU goes on."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
