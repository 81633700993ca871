"""Generation on this machine: each model in memory once, with a thread of its own that answers several users together.

The continuous batching of `transformers` is not used: it draws every request's tokens from one stream of random
numbers, so that a seed would mean nothing in company, and on a CPU it is many times slower than the steps here.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from weakref import WeakSet

import torch

from tiebreak.data.encode import encode_prompts
from tiebreak.data.preference import Message
from tiebreak.data.render import prompt_text
from tiebreak.errors import InputError
from tiebreak.evaluate.generate import end_marks, end_tokens
from tiebreak.serve.answer_text import AnswerText
from tiebreak.serve.batching import Batcher, Delivery, Job
from tiebreak.serve.choose_steps import choose_steps
from tiebreak.serve.engine import EngineClosed, GenerationRequest, Load, Piece, ServedModel, UnfitRequest, find_model
from tiebreak.serve.loading import Found, LoadedModel, load_found

_SEEDS = 2**31


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


class _Room:
    """One model at work."""

    def __init__(self, loaded: LoadedModel, *, rows: int, queue: int) -> None:
        chosen = choose_steps(loaded.model, rows)
        self.loaded = loaded
        self.reason = chosen.reason
        self.ends = frozenset(end_tokens(loaded.model, loaded.tokenizer))
        self.outbox = _Outbox()
        self.reading = threading.Lock()  # tokenizers are not made for several threads
        self.batcher = Batcher(chosen.steps, torch.device(loaded.model.device), queue=queue, flush=self.outbox.flush)

    def ids(self, request: GenerationRequest) -> list[int]:
        """The tokens that the answer continues."""
        loaded = self.loaded
        with self.reading:
            if request.prompt is not None:
                return encode_prompts(loaded.tokenizer, [request.prompt], "transcript")[0]
            system = (Message("system", request.system),) if request.system else ()
            try:
                text = prompt_text([*system, *request.turns], loaded.tokenizer, loaded.template)
            except InputError as error:
                raise UnfitRequest(error.what, where="messages") from error
            return encode_prompts(loaded.tokenizer, [text], loaded.template)[0]


class LocalEngine:
    """Models in the memory of this machine.

    Args:
        models: from `find_models`; loaded here, one after the other.
        rows: requests of a model that are answered together.
        queue: requests of a model that may wait besides.
        max_prompt_tokens: longest prompt.
        tell: called with a sentence about each model.
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
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._max_prompt_tokens, self._rows, self._queue, self._tell = max_prompt_tokens, rows, queue, tell
        self._rooms = {found.name: self._room(found) for found in models}
        self._finishing: WeakSet[Batcher] = WeakSet()  # each lives as long as its thread

    def exchange(self, found: Found) -> None:
        """Let another model answer under a name that is served; what is being answered is finished by the one before.

        Args:
            found: the model and the name.
        Raises:
            InputError: the model cannot be loaded; the one before goes on answering.
        """
        room = self._room(found)
        before, self._rooms[found.name] = self._rooms[found.name], room
        self._finishing.add(before.batcher)
        before.batcher.finish()

    def _room(self, found: Found) -> _Room:
        room = _Room(load_found(found, tell=self._tell), rows=self._rows, queue=self._queue)
        self._tell(f"{found.title}: {room.reason}")
        return room

    def models(self) -> Sequence[ServedModel]:
        """As in `Engine`."""
        return [room.loaded.served for room in self._rooms.values()]

    def load(self) -> Load:
        """As in `Engine`."""
        loads = [room.batcher.load() for room in self._rooms.values()]
        return Load(sum(load.waiting for load in loads), sum(load.running for load in loads))

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """As in `Engine`."""
        inbox: asyncio.Queue[Delivery] = asyncio.Queue()
        room, job = await self._submitted(request, inbox)
        try:
            while True:
                what = await inbox.get()
                if isinstance(what, BaseException):
                    raise what
                yield what
                if what.finish_reason is not None:
                    return
        finally:
            room.batcher.cancel(job)

    async def close(self) -> None:
        """As in `Engine`."""
        for batcher in [*self._finishing, *(room.batcher for room in self._rooms.values())]:
            await asyncio.to_thread(batcher.close)

    async def _submitted(self, request: GenerationRequest, inbox: asyncio.Queue[Delivery]) -> tuple[_Room, Job]:
        loop = asyncio.get_running_loop()
        while True:
            room = self._rooms[find_model(self.models(), request.model).name]
            ids = await asyncio.to_thread(room.ids, request)
            job = self._job(room, request, ids, partial(room.outbox.put, loop, inbox))
            try:
                room.batcher.submit(job)
                return room, job
            except EngineClosed:
                if self._rooms[request.model] is room:
                    raise  # else the model has been exchanged in the meantime

    def _job(self, room: _Room, request: GenerationRequest, ids: list[int], receive: Callable[[Delivery], None]) -> Job:
        talk = request.prompt is None
        marks = end_marks(room.loaded.template) if talk else ()
        return Job(
            ids=ids,
            text=AnswerText(room.loaded.tokenizer, (*marks, *request.stop), strip=talk, as_it_grows=request.stream),
            temperature=request.temperature,
            top_p=request.top_p,
            seed=secrets.randbelow(_SEEDS) if request.seed is None else request.seed,
            max_tokens=self._answer_room(room.loaded.served, request, ids),
            ends=room.ends,
            stream=request.stream,
            receive=receive,
        )

    def _answer_room(self, model: ServedModel, request: GenerationRequest, ids: Sequence[int]) -> int:
        """How long the answer can be: what was asked for, or what the model has room for."""
        where = "messages" if request.prompt is None else "prompt"
        if not ids:
            raise UnfitRequest("The prompt is empty.", where=where)
        longest = self._max_prompt_tokens if model.context is None else min(self._max_prompt_tokens, model.context - 1)
        if len(ids) > longest:
            raise UnfitRequest(
                f"The prompt has {len(ids)} tokens; at most {longest} are taken.",
                where=where,
                code="context_length_exceeded",
            )
        return request.max_tokens if model.context is None else min(request.max_tokens, model.context - len(ids))
