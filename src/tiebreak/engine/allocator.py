"""Asking for memory that is kept within the process and comes in large pages.

A training step allocates the same large tensors again and again. By default the C library maps and unmaps each of them,
and the system clears every page of four kilobytes anew: on a CPU that is up to a third of a step. Knows Linux with the
GNU C library; elsewhere nothing is asked for.
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


def keep_memory() -> bool:
    """Reuse freed memory within the process from now on, in large pages where torch has not allocated any yet.

    Returns:
        Whether the C library took the request.
    """
    library = _library()
    if library is None:
        return False
    if _address_space_is_limited():  # what is kept for tensors would be taken from all else
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own reserves a gigabyte at a time
        library.mallopt(_ARENA_MAX, 1)  # every other arena reserves 128 MiB
        stop_keeping_memory()
        return False
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it once, at its first tensor
    return bool(library.mallopt(_MMAP_MAX, 0)) and bool(library.mallopt(_TRIM_THRESHOLD, _NEVER))


def stop_keeping_memory() -> None:
    """Return freed memory to the system, now and from now on: where memory is short, others need it more."""
    library = _library()
    if library is not None:
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
