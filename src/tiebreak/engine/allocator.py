"""Asking for memory that is kept within the process and comes in large pages.

A training step allocates the same large tensors again and again. By default the C library maps and unmaps each of them,
and the system clears every page of four kilobytes anew: on a CPU that is up to a third of a step. Knows Linux with the
GNU C library; elsewhere nothing is asked for.
"""

from __future__ import annotations

import ctypes
import os
import sys

# From malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = -1


def keep_memory() -> bool:
    """Reuse freed memory within the process from now on, in large pages where torch has not allocated any yet.

    Returns:
        Whether the C library took the request.
    """
    if not sys.platform.startswith("linux"):
        return False
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it once, at its first tensor
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
