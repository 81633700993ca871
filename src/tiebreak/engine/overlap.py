"""Host and device at work at the same time: what is made ahead in a thread, what is read late, what is never looked at.

A GPU works through what it was given while the host goes on. Who reads a value of it waits until all is done; so within
a step nothing is read, results of scoring are read one micro-batch late, and the next batch is laid out meanwhile. On a
CPU host and device are one: to look costs nothing, and a thread would only take cores from the products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Made = TypeVar("Made")


def reading_waits(device: torch.device) -> bool:
    """Whether reading a value of a tensor there waits for all that was asked before."""
    return device.type != "cpu"


def read_late(tensor: Tensor) -> Callable[[], NDArray[Any]]:
    """Ask for the values of a tensor now; what is returned gives them, and waits for nothing that was asked since.

    Args:
        tensor: without a gradient; it is not changed before it is read.
    """
    if tensor.device.type != "cuda":
        return lambda: np.asarray(tensor.cpu().numpy())
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    host.copy_(tensor, non_blocking=True)
    copied: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record()

    def read() -> NDArray[Any]:
        copied.synchronize()
        return np.asarray(host.numpy())

    return read


class Ahead:
    """A thread that makes what comes next while this one goes on; it ends when this is closed.

    Args:
        on: whether there is one; without it all is made here, when it is asked for.
    """

    def __init__(self, *, on: bool) -> None:
        self.on = on
        self._thread: ThreadPoolExecutor | None = None

    def start(self, make: Callable[[], Made]) -> Callable[[], Made]:
        """Begin to make something.

        Args:
            make: a pure function, so that it matters not when it is called.
        Returns:
            What gives it, waiting if it is not ready, or raises what making it raised.
        """
        if not self.on:
            return make
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="tiebreak-ahead")
        return self._thread.submit(make).result

    def each(self, makes: Iterable[Callable[[], Made]]) -> Iterator[Made]:
        """All of them in order, each begun before the one before it is used."""
        coming: Callable[[], Made] | None = None
        for make in makes:
            following = self.start(make)
            if coming is not None:
                yield coming()
            coming = following
        if coming is not None:
            yield coming()

    def close(self) -> None:
        """End the thread; what was begun and not asked for is dropped. It can be used again."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
