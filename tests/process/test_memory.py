"""Computing goes on where memory ran out, and only there: in smaller parts, in another thread, with nothing kept."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from tiebreak.process.failures import NO_PRIMITIVE
from tiebreak.process.memory import free_bytes, in_usable_thread, unless_memory_runs_out

WITHOUT_MEMORY_ONCE = """
import resource, psutil, torch
from tiebreak.process.memory import in_usable_thread
from tiebreak.process.fast_linear import multiply

def limit(size):
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))

multiply(torch.ones(300, 300), torch.ones(300, 300))
x, weight = torch.ones(41, 24), torch.ones(16, 24)
limit(psutil.Process().memory_info().vms + 4096)
try:
    in_usable_thread(lambda: multiply(x, weight))
except RuntimeError as error:
    said = str(error)
limit(resource.RLIM_INFINITY)
print(said)
try:
    multiply(torch.ones(42, 24), weight)
except RuntimeError as error:
    print(error)
print(bool((in_usable_thread(lambda: multiply(torch.ones(43, 24), weight)) == 24).all()))
"""


def _here() -> str:
    return threading.current_thread().name


def _refused() -> None:
    raise RuntimeError(NO_PRIMITIVE)


def _in_a_thread(work: Callable[[], None]) -> None:
    """What a thread remembers would reach other tests."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def test_another_thread_computes_once_code_was_refused_with_gradients_as_they_are_here() -> None:
    def work() -> None:
        here = _here()
        assert in_usable_thread(_here) == here
        with pytest.raises(RuntimeError, match=NO_PRIMITIVE):
            in_usable_thread(_refused)
        there = in_usable_thread(_here)
        assert there != here
        assert in_usable_thread(_here) == there
        assert in_usable_thread(torch.is_grad_enabled)
        with torch.no_grad():
            assert not in_usable_thread(torch.is_grad_enabled)
        with pytest.raises(ValueError, match="bad"):
            in_usable_thread(lambda: int("bad"))

    _in_a_thread(work)


def _shapes() -> None:
    raise RuntimeError("shapes differ")


def test_other_errors_leave_the_thread_as_it_is() -> None:
    def work() -> None:
        with pytest.raises(RuntimeError, match="shapes"):
            in_usable_thread(_shapes)
        assert in_usable_thread(_here) == _here()

    _in_a_thread(work)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory hold on Linux only")
def test_products_go_on_after_memory_ran_out_in_earnest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MEMORY_ONCE], capture_output=True, text=True, timeout=120, check=False
    )
    if "name 'said' is not defined" in done.stderr:
        pytest.skip("this processor's products need no code made for them")
    assert done.stdout.splitlines() == [NO_PRIMITIVE, NO_PRIMITIVE, "True"], done.stdout + done.stderr


def test_what_a_failed_backward_pass_held_is_let_go_of() -> None:
    held: list[weakref.ref[object]] = []

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, fails: bool) -> Tensor:
            ctx.fails = fails
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
            if ctx.fails:
                raise MemoryError
            return grad, None

    def step() -> Tensor:
        weight = torch.ones(1000, requires_grad=True)
        first = Held.apply(weight * 2, False)  # type: ignore[no-untyped-call]
        second = Held.apply(weight * 3, True)  # type: ignore[no-untyped-call]
        held.extend([weakref.ref(first.grad_fn), weakref.ref(second.grad_fn)])
        loss: Tensor = first.sum() + second.sum()
        torch.autograd.backward(loss)
        return loss

    assert unless_memory_runs_out(step) is None
    assert [node() for node in held] == [None, None]


def _raising(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)"),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        ValueError("bad"),
    ],
    ids=repr,
)
def test_what_is_not_about_memory_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        unless_memory_runs_out(_raising(error))
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "warned"),
    [
        (MemoryError(), False),
        (torch.OutOfMemoryError("CUDA out of memory."), False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), False),
        (RuntimeError("could not create a memory object"), True),
        (RuntimeError(NO_PRIMITIVE), True),
    ],
    ids=repr,
)
def test_what_may_be_something_else_than_memory_is_named_in_a_warning(
    error: Exception, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    _in_a_thread(lambda: _none(unless_memory_runs_out(_raising(error))))
    assert [str(error) in record.getMessage() for record in caplog.records] == [True] * warned


def _none(found: object) -> None:
    assert found is None


def test_what_a_gpus_allocator_has_and_does_not_use_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 8000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200)
    assert free_bytes(torch.device("cuda")) == 1300
