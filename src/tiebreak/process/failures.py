"""Telling apart what a library's error means: memory that ran out, a GPU that failed, or something else.

Where memory ran out the same is computed in smaller parts. Nothing else may be taken for it: after any other error the
smaller parts would only hide the fault. Knows errors only; what to do about them is said where they are caught.
"""

from __future__ import annotations

import torch

# oneDNN says these for memory that ran out, but for other reasons too.
NO_PRIMITIVE = "could not create a primitive"
_UNCERTAIN = (NO_PRIMITIVE, "could not create a memory object")
_CERTAIN = (
    "can't allocate memory",
    "not enough memory",
    "DefaultCPUAllocator",
    "std::bad_alloc",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)
_DEVICE = ("CUDA error", "CUBLAS_STATUS_", "CUDNN_STATUS_", "cuDNN error", "NCCL error")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, as far as one can tell from it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in (*_CERTAIN, *_UNCERTAIN))


def may_be_something_else(error: BaseException) -> bool:
    """Whether an error that `is_out_of_memory` takes for one of memory may have another cause."""
    certain = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(words in str(error) for words in _CERTAIN)
    return not certain


def is_device_error(error: BaseException) -> bool:
    """Whether the GPU failed, other than for want of memory: what follows in this process is not to be relied on."""
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return False
    return isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in _DEVICE)


def first_line(error: BaseException) -> str:
    """What an error says, in one line without its full stop; its name where it says nothing."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__


def named(error: BaseException) -> str:
    """An error's name and what it says, in one line."""
    said = first_line(error)
    return said if said == type(error).__name__ else f"{type(error).__name__}: {said[:300]}"
