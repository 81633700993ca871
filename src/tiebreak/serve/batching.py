"""One model's requests: those that wait, in order, and those that are answered together, a token each at a time.

One thread does all of a model's work. Others hand it jobs and may cancel them; between two steps it lets go of what
was cancelled and takes in what waits. Knows tokens and text, no HTTP and no event loop.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tiebreak.errors import RunError
from tiebreak.serve.answer_text import AnswerText
from tiebreak.serve.engine import EngineBusy, EngineClosed, FinishReason, Load, Piece
from tiebreak.serve.sampling import draw, generator_for
from tiebreak.serve.steps import Steps, TextState

Delivery = Piece | BaseException


@dataclass(eq=False)
class Job:
    """One request at work.

    Attributes:
        ids: tokens of the prompt.
        text: what the answer's tokens become.
        temperature, top_p, seed: how tokens are drawn.
        max_tokens: longest answer.
        ends: tokens that end it.
        stream: whether pieces are wanted before the answer is whole.
        receive: takes what is new, in the thread that works.
        cancelled: set by whoever no longer wants the answer.
    """

    ids: Sequence[int]
    text: AnswerText
    temperature: float
    top_p: float
    seed: int
    max_tokens: int
    ends: frozenset[int]
    stream: bool
    receive: Callable[[Delivery], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    made: list[int] = field(default_factory=list)
    said: str = ""

    def take(self, token: int) -> bool:
        """Add a token, hand on what is certain, and say whether the answer is finished."""
        self.made.append(token)
        if token not in self.ends:
            self.said += self.text.push(token)
        reason: FinishReason | None = None
        if token in self.ends or self.text.ended:
            reason = "stop"
        elif len(self.made) >= self.max_tokens:
            reason = "length"
        if reason is not None:
            self.said += self.text.finish()
            self.receive(Piece(self.said, reason, len(self.ids), len(self.made), self.seed))
            return True
        if self.stream and self.said:
            self.receive(Piece(self.said))
            self.said = ""
        return False


@dataclass(eq=False)
class _Running:
    """A job that has a row."""

    job: Job
    state: TextState
    generator: torch.Generator


class Batcher:
    """The queue and the rows of one model.

    Args:
        steps: computes logits.
        device: of the logits.
        queue: requests that may wait.
        flush: called after each round of deliveries, in the thread that works.
    """

    def __init__(
        self, steps: Steps, device: torch.device, *, queue: int, flush: Callable[[], None] = lambda: None
    ) -> None:
        self._steps, self._device, self._queue, self._flush = steps, device, queue, flush
        self._waiting: deque[Job] = deque()
        self._running: list[_Running] = []
        self._beginning = 0  # jobs whose prompts are being read
        self._changed = threading.Condition()
        self._closing = self._finishing = False
        self._thread = threading.Thread(target=self._work, name="tiebreak-batcher", daemon=True)
        self._thread.start()

    def load(self) -> Load:
        """How many requests wait, and how many have a row; cancelled ones are not counted."""
        with self._changed:
            waiting = sum(not job.cancelled.is_set() for job in self._waiting)
            running = sum(not one.job.cancelled.is_set() for one in self._running)
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
                    left = [*self._waiting, *(one.job for one in self._running)]
                    self._waiting, self._running = deque(), []
                    break
                self._running = [one for one in self._running if not one.job.cancelled.is_set()]
                entering = self._entering()
            self._begin(entering)
            self._step()
            self._flush()
        _fail(left, EngineClosed())
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
            one = None if job.cancelled.is_set() else self._begun(job)
            with self._changed:
                self._beginning -= 1
                if one is not None:
                    self._running.append(one)
            self._flush()

    def _begun(self, job: Job) -> _Running | None:
        """The job with a row; None where it is finished already, or failed."""
        try:
            state, logits = self._steps.begin(job.ids, len(job.ids) + job.max_tokens)
            one = _Running(job, state, generator_for(job.seed, self._device))
            return None if self._draw(one, logits) else one
        except Exception as error:  # noqa: BLE001  handed to the one who waits for the answer
            _fail([job], error)
            return None

    def _step(self) -> None:
        """One more token for each answer."""
        running = self._running
        if not running:
            return
        try:
            logits = self._steps.step([one.state for one in running], [one.job.made[-1] for one in running])
            finished = [self._draw(one, row) for one, row in zip(running, logits, strict=True)]
        except Exception as error:  # noqa: BLE001  handed to those who wait for the answers
            _fail([one.job for one in running], error)
            finished = [True] * len(running)
        with self._changed:
            self._running = [one for one, done in zip(running, finished, strict=True) if not done]

    def _draw(self, one: _Running, logits: Tensor) -> bool:
        job = one.job
        return job.take(draw(logits, one.generator, temperature=job.temperature, top_p=job.top_p))


def _fail(jobs: Iterable[Job], error: BaseException) -> None:
    for job in jobs:
        job.receive(error if isinstance(error, RunError) else _explained(error))


def _explained(error: BaseException) -> Any:
    failure = RunError(f"The model failed: {type(error).__name__}.")
    failure.__cause__ = error
    return failure
