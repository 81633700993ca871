"""The settings of the process's allocator, which make training faster: made by one call, for good, and never unasked.

A training step allocates the same large tensors again and again. By default the C library maps and unmaps each of them,
and the system clears every page of four kilobytes anew: on a CPU that is up to a third of a step.

These settings hold for all that the process does, so nothing else in the library makes them, neither an import nor a
call. The command line does, whose process is its own; from Python it is `tiebreak.tune_process()`. Knows Linux with the
GNU C library; elsewhere nothing is asked for. Imports no torch, for it has to come before.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

# From malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -3, -4, -8
_NEVER, _USUAL_TRIM, _USUAL_MMAP = -1, 128 * 1024, 65536
_LARGE = 2**20
# Where torch reads how it allocates on a GPU; the second is its older name.
_GPU_SETTINGS = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")


class _State:
    """Whether `tune_process` set the allocator of this process to keep what is freed."""

    keeps_memory = False


def tune_process() -> bool:
    """Set the process's allocator to keep freed memory for the next step, and to ask for it in large pages.

    Changes the process for good: `mallopt`, and two environment variables that torch reads at its first tensor, so call
    it before: THP_MEM_ALLOC_ENABLE, and PYTORCH_ALLOC_CONF, by which what torch has of a GPU grows in place, since
    micro-batches of ever other lengths leave holes between blocks that cannot. Where the address space is limited
    (`ulimit -v`), what is kept for tensors would be taken from all else: there freed memory goes back at once, the
    process has one arena, and pyarrow allocates with `malloc` (ARROW_DEFAULT_MEMORY_POOL). What is set in the
    environment already stays.

    Returns:
        Whether memory is kept.
    """
    library = _library()
    if library is None:
        return False
    if _address_space_is_limited():
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own reserves a gigabyte at a time
        library.mallopt(_ARENA_MAX, 1)  # every other arena reserves 128 MiB
        _give_back_at_once(library)
        return False
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if not any(name in os.environ for name in _GPU_SETTINGS):
        os.environ[_GPU_SETTINGS[0]] = "expandable_segments:True"
    _State.keeps_memory = bool(library.mallopt(_MMAP_MAX, 0)) and bool(library.mallopt(_TRIM_THRESHOLD, _NEVER))
    return _State.keeps_memory


def return_freed_memory() -> None:
    """Return freed memory to the system; a process that was tuned to keep it keeps none from now on.

    Where memory is short, others need it more. Settings that `tune_process` did not make are left alone.
    """
    library = _library()
    if library is None:
        return
    if _State.keeps_memory:
        _State.keeps_memory = False
        _give_back_at_once(library)
    library.malloc_trim(0)


def _give_back_at_once(library: Any) -> None:
    library.mallopt(_MMAP_MAX, _USUAL_MMAP)
    library.mallopt(_MMAP_THRESHOLD, _LARGE)  # all that is large goes back as soon as it is free
    library.mallopt(_TRIM_THRESHOLD, _USUAL_TRIM)
    library.malloc_trim(0)


def _address_space_is_limited() -> bool:
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _library() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
