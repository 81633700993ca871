"""One model's requests: those that wait, in order, and those that are answered together, a token each at a time.

One thread does all of a model's work. Others hand it jobs and may cancel them; between two steps it lets go of what
was cancelled and takes in what waits. How an answer comes about is known to `generation.decoding`; here is who is next.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tiebreak.errors import RunError
from tiebreak.generation.decoding import Decoding, next_logits
from tiebreak.generation.steps import Steps
from tiebreak.generation.token_scores import TokenScore
from tiebreak.generation.tool_calls import CallReader
from tiebreak.serve.generation.engine import EngineBusy, EngineClosed, Load, Piece, ScoredToken

Delivery = Piece | BaseException


@dataclass(eq=False)
class Job:
    """One request at work.

    Attributes:
        decoding: the answer.
        stream: whether pieces are wanted before the answer is whole.
        receive: takes what is new, in the thread that works.
        echo: text that comes before the answer.
        told: makes of a score what is told of it; None where none is asked for.
        calls: tells calls of tools from text; None where there are no tools.
        cancelled: set by whoever no longer wants the answer.
    """

    decoding: Decoding
    stream: bool
    receive: Callable[[Delivery], None]
    echo: str = ""
    told: Callable[[TokenScore], ScoredToken] | None = None
    calls: CallReader | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    _held: str = field(default="", init=False)
    _called: list[dict[str, Any]] = field(default_factory=list, init=False)
    _calls_given: int = field(default=0, init=False)
    _told: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._held = self.echo

    def deliver(self, text: str) -> bool:
        """Hand on new text, now or with the whole answer; says whether the answer is finished."""
        one = self.decoding
        self._held += text if self.calls is None else self._without_calls(self.calls, text)
        if one.finish_reason is not None:
            counts = len(one.ids), len(one.tokens), one.sampling.seed
            tokens, calls = self._new_tokens(), self._new_calls()
            self.receive(Piece(self._held, one.finish_reason, *counts, tokens=tokens, tool_calls=calls))
            return True
        if self.stream and (self._held or self._calls_given < len(self._called)):
            self.receive(Piece(self._held, tokens=self._new_tokens(), tool_calls=self._new_calls()))
            self._held = ""
        return False

    def _without_calls(self, reader: CallReader, text: str) -> str:
        """What is said in a text; the calls in it are kept, and end the answer where no more are wanted."""
        said, calls = reader.push(text)
        if self.decoding.finish_reason is not None:
            rest, more = reader.finish()
            said, calls = said + rest, [*calls, *more]
        for call in calls:
            function = {"name": call.name, "arguments": call.arguments}
            called = {"index": len(self._called), "id": f"call_{secrets.token_hex(12)}", "type": "function"}
            self._called.append({**called, "function": function})
        if reader.ended:
            self.decoding.end()
        return said

    def _new_calls(self) -> tuple[dict[str, Any], ...]:
        new = tuple(self._called[self._calls_given :])
        self._calls_given = len(self._called)
        return new

    def _new_tokens(self) -> tuple[ScoredToken, ...]:
        if self.told is None:
            return ()
        one, before = self.decoding, self._told
        scores = [*one.prompt_scores, *one.scored]
        self._told = len(scores)
        return tuple(self.told(score) for score in scores[before:])


class Batcher:
    """The queue and the rows of one model.

    Args:
        steps: computes logits.
        queue: requests that may wait.
        flush: called after each round of deliveries, in the thread that works.
    """

    def __init__(self, steps: Steps, *, queue: int, flush: Callable[[], None] = lambda: None) -> None:
        self._steps, self._queue, self._flush = steps, queue, flush
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._beginning = 0  # jobs whose prompts are being read
        self._changed = threading.Condition()
        self._closing = self._finishing = False
        self._thread = threading.Thread(target=self._work, name="tiebreak-batcher", daemon=True)
        self._thread.start()

    def load(self) -> Load:
        """How many requests wait, and how many have a row; cancelled ones are not counted."""
        with self._changed:
            waiting = sum(not job.cancelled.is_set() for job in self._waiting)
            running = sum(not job.cancelled.is_set() for job in self._running)
            return Load(waiting, running + self._beginning)

    def submit(self, job: Job) -> None:
        """Put a job in the queue.

        Raises:
            EngineBusy: the queue is full.
            EngineClosed: no more jobs are taken.
        """
        with self._changed:
            if self._closing or self._finishing:
                raise EngineClosed
            self._waiting = deque(job for job in self._waiting if not job.cancelled.is_set())
            # What a free row will take in at the next step does not wait.
            free = self._steps.rows - self._beginning - len(self._running)
            if len(self._waiting) >= self._queue + free:
                raise EngineBusy(1 + len(self._waiting) // self._steps.rows)
            self._waiting.append(job)
            self._changed.notify()

    def cancel(self, job: Job) -> None:
        """Let go of a job; its row is free at the next step."""
        job.cancelled.set()
        with self._changed:
            self._changed.notify()

    def finish(self) -> None:
        """Take no more jobs; the thread ends once those that there are have been answered."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def close(self) -> None:
        """End all work; jobs that are not finished fail. Returns when the thread has ended."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._finishing or self._at_work)
                if self._closing or not self._at_work:
                    unfinished = [*self._waiting, *self._running]
                    self._waiting, self._running = deque(), []
                    break
                self._running = [job for job in self._running if not job.cancelled.is_set()]
                entering = self._entering()
            self._begin(entering)
            self._step()
            self._flush()
        _fail(unfinished, EngineClosed())
        self._flush()

    @property
    def _at_work(self) -> bool:
        return bool(self._waiting or self._running)

    def _entering(self) -> list[Job]:
        entering: list[Job] = []
        while self._waiting and len(self._running) + len(entering) < self._steps.rows:
            job = self._waiting.popleft()
            if not job.cancelled.is_set():
                entering.append(job)
        self._beginning = len(entering)
        return entering

    def _begin(self, jobs: Iterable[Job]) -> None:
        """Read the prompts, and draw the first token of each answer."""
        for job in jobs:
            goes_on = not job.cancelled.is_set() and self._prefill(job)
            with self._changed:
                self._beginning -= 1
                if goes_on:
                    self._running.append(job)
            self._flush()

    def _prefill(self, job: Job) -> bool:
        """Whether there is more to come; not where the answer is finished already, or failed."""
        try:
            return not job.deliver(job.decoding.prefill(self._steps))
        except Exception as error:  # noqa: BLE001  handed to the one who waits for the answer
            _fail([job], error)
            return False

    def _step(self) -> None:
        """One more token for each answer."""
        running = self._running
        if not running:
            return
        try:
            logits = next_logits(self._steps, [job.decoding for job in running])
        except Exception as error:  # noqa: BLE001  handed to those who wait for the answers
            _fail(running, error)
            finished = [True] * len(running)
        else:
            finished = [_advanced(job, row) for job, row in zip(running, logits, strict=True)]
        with self._changed:
            self._running = [job for job, done in zip(running, finished, strict=True) if not done]


def _advanced(job: Job, logits: Tensor) -> bool:
    """Whether the answer is finished by its next token, or failed; a fault of one is none of the others."""
    try:
        return job.deliver(job.decoding.add_from(logits))
    except Exception as error:  # noqa: BLE001  handed to the one who waits for the answer
        _fail([job], error)
        return True


def _fail(jobs: Iterable[Job], error: BaseException) -> None:
    for job in jobs:
        job.receive(error if isinstance(error, RunError) else _explained(error))


def _explained(error: BaseException) -> Any:
    failure = RunError(f"The model failed: {type(error).__name__}.")
    failure.__cause__ = error
    return failure
