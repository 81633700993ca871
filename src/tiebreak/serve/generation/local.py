"""Generation on this machine: each model in memory once, with a thread of its own that answers several users together.

The continuous batching of `transformers` is not used: it draws every request's tokens from one stream of random
numbers, so that a seed would mean nothing in company, and on a CPU it is many times slower than the steps here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from weakref import WeakKeyDictionary, WeakSet

from tiebreak.serve.generation.batching import Batcher, Delivery, Job
from tiebreak.serve.generation.engine import EngineClosed, GenerationRequest, Load, Piece, ServedModel, find_model
from tiebreak.serve.generation.loading import Found, load_found
from tiebreak.serve.generation.worker import Worker


class _Outbox:
    """What a thread has for the event loops of those who wait, handed over in one call a round."""

    def __init__(self) -> None:
        self._held: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Delivery], Delivery]] = []

    def put(self, loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Delivery], what: Delivery) -> None:
        self._held.append((loop, inbox, what))

    def flush(self) -> None:
        held, self._held = self._held, []
        for loop in dict.fromkeys(loop for loop, _, _ in held):
            mine = [(inbox, what) for owner, inbox, what in held if owner is loop]
            try:
                loop.call_soon_threadsafe(_hand_over, mine)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue


def _hand_over(items: Sequence[tuple[asyncio.Queue[Delivery], Delivery]]) -> None:
    for inbox, what in items:
        inbox.put_nowait(what)


class LocalEngine:
    """Models in the memory of this machine.

    Args:
        models: from `find_models`; loaded here, one after the other.
        rows: requests of a model that are answered together.
        queue: requests of a model that may wait besides.
        max_prompt_tokens: longest prompt.
        on_message: called with a sentence about each model.
    Raises:
        InputError: a model cannot be loaded.
    """

    def __init__(
        self,
        models: Sequence[Found],
        *,
        rows: int = 16,
        queue: int = 64,
        max_prompt_tokens: int = 4096,
        on_message: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._max_prompt_tokens, self._rows, self._queue, self._on_message = max_prompt_tokens, rows, queue, on_message
        self._outboxes: WeakKeyDictionary[Worker, _Outbox] = WeakKeyDictionary()
        self._workers = {found.name: self._worker(found) for found in models}
        self._finishing: WeakSet[Batcher] = WeakSet()  # each lives as long as its thread

    def exchange(self, found: Found) -> None:
        """Let another model answer under a name that is served; what is being answered is finished by the one before.

        Args:
            found: the model and the name.
        Raises:
            InputError: the model cannot be loaded; the one before goes on answering.
        """
        worker = self._worker(found)
        before, self._workers[found.name] = self._workers[found.name], worker
        self._finishing.add(before.batcher)
        before.batcher.finish()

    def _worker(self, found: Found) -> Worker:
        outbox = _Outbox()
        worker = Worker(
            load_found(found, on_message=self._on_message),
            rows=self._rows,
            queue=self._queue,
            max_prompt_tokens=self._max_prompt_tokens,
            flush=outbox.flush,
        )
        self._outboxes[worker] = outbox
        self._on_message(f"{found.title}: {worker.reason}")
        return worker

    def models(self) -> Sequence[ServedModel]:
        """As in `Engine`."""
        return [worker.loaded.served for worker in self._workers.values()]

    def load(self) -> Load:
        """As in `Engine`."""
        loads = [worker.batcher.load() for worker in self._workers.values()]
        return Load(sum(load.waiting for load in loads), sum(load.running for load in loads))

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        """As in `Engine`."""
        inbox: asyncio.Queue[Delivery] = asyncio.Queue()
        worker, job = await self._submitted(request, inbox)
        try:
            while True:
                what = await inbox.get()
                if isinstance(what, BaseException):
                    raise what
                yield what
                if what.finish_reason is not None:
                    return
        finally:
            worker.batcher.cancel(job)

    async def close(self) -> None:
        """As in `Engine`."""
        for batcher in [*self._finishing, *(worker.batcher for worker in self._workers.values())]:
            await asyncio.to_thread(batcher.close)

    async def _submitted(self, request: GenerationRequest, inbox: asyncio.Queue[Delivery]) -> tuple[Worker, Job]:
        loop = asyncio.get_running_loop()
        while True:
            worker = self._workers[find_model(self.models(), request.model).name]
            receive = partial(self._outboxes[worker].put, loop, inbox)
            job = await asyncio.to_thread(worker.job, request, receive)
            try:
                worker.batcher.submit(job)
                return worker, job
            except EngineClosed:
                if self._workers[request.model] is worker:
                    raise  # else the model has been exchanged in the meantime
