"""Errors are told apart: memory that ran out, a GPU that failed, and everything else."""

from __future__ import annotations

import pytest
import torch

from tiebreak.process.failures import (
    NO_PRIMITIVE,
    first_line,
    is_device_error,
    is_out_of_memory,
    may_be_something_else,
    named,
)

MEMORY = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("std::bad_alloc"),
    torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
)
UNCERTAIN = (RuntimeError(NO_PRIMITIVE), RuntimeError("could not create a memory object"))
DEVICE = (
    torch.AcceleratorError("CUDA error: device-side assert triggered"),
    torch.AcceleratorError("unspecified launch failure"),
    RuntimeError("CUDA error: an illegal memory access was encountered"),
    RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR"),
)
OTHER = (
    RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"),
    RuntimeError("Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"),
    ValueError("std::bad_alloc"),  # only the errors of libraries are read
    OSError(28, "No space left on device"),
    TypeError("forward() got an unexpected keyword argument 'tree'"),
)


@pytest.mark.parametrize("error", [*MEMORY, *UNCERTAIN], ids=repr)
def test_memory_that_ran_out(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_error(error)
    assert may_be_something_else(error) == (error in UNCERTAIN)


@pytest.mark.parametrize("error", DEVICE, ids=repr)
def test_a_gpu_that_failed(error: Exception) -> None:
    assert is_device_error(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("error", OTHER, ids=repr)
def test_everything_else(error: Exception) -> None:
    assert not is_device_error(error)
    assert not is_out_of_memory(error)


def test_an_error_in_one_line() -> None:
    assert first_line(RuntimeError("one.\ntwo")) == "one"
    assert first_line(OSError(28, "No space left on device", "/x")) == "No space left on device"
    assert first_line(MemoryError()) == "MemoryError"
    assert named(MemoryError()) == "MemoryError"
    assert named(TypeError("one\ntwo")) == "TypeError: one"
