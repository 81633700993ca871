"""The queue of one model: first come first served, a row for each answer at work, and nobody is left waiting.

The model is one that counts: after token n comes n + 1, so that an answer is known beforehand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from tests.serve.live import wait_until
from tiebreak.errors import RunError
from tiebreak.generation.decoding import Decoding
from tiebreak.generation.detokenize import Detokenizer
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.steps import SequenceState
from tiebreak.serve.generation.batching import Batcher, Delivery, Job
from tiebreak.serve.generation.engine import EngineBusy, EngineClosed, Load, Piece

END, BROKEN = 30, 25


@dataclass
class State:
    length: int = 0


@dataclass
class Counting:
    """Steps of a model that counts. It waits where `open` is not set, and fails at the token BROKEN."""

    rows: int = 2
    model: None = None
    head: None = None
    open: threading.Event = field(default_factory=threading.Event)
    widths: list[int] = field(default_factory=list)

    def _after(self, token: int) -> Tensor:
        assert self.open.wait(10)
        if token == BROKEN:
            raise ValueError("a weight is nowhere")
        return torch.nn.functional.one_hot(torch.tensor(token + 1), END + 1).float()

    def prefill(self, ids: Sequence[int], capacity: int) -> tuple[State, Tensor]:
        return State(len(ids)), self._after(ids[-1])

    def step(self, states: Sequence[SequenceState], tokens: Sequence[int]) -> Tensor:
        self.widths.append(len(tokens))
        return torch.stack([self._after(token) for token in tokens])

    def whole(self, ids: Sequence[int]) -> Tensor:
        return torch.stack([self._after(token) for token in ids])


class Numbers(Detokenizer):
    """Writes tokens as their numbers."""

    ended = False  # there is no stop string

    def __init__(self) -> None: ...

    def push(self, token: int) -> str:
        return f"{token} "

    def finish(self) -> str:
        return ""


class Asked:
    """A request and what it was given."""

    def __init__(self, start: int, *, tokens: int = 100, stream: bool = False) -> None:
        self.given: list[Delivery] = []
        sampling = Sampling(temperature=0.0, max_new_tokens=tokens)
        decoding = Decoding([start], sampling=sampling, end_tokens=frozenset({END}), text=Numbers())
        self.job = Job(decoding, stream, self.given.append)

    @property
    def done(self) -> bool:
        last = self.given[-1] if self.given else None
        return isinstance(last, BaseException) or (last is not None and last.finish_reason is not None)

    @property
    def pieces(self) -> list[Piece]:
        return [each for each in self.given if isinstance(each, Piece)]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


Start = Callable[..., tuple[Batcher, Counting]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes batchers, and ends them."""
    made: list[tuple[Batcher, Counting]] = []

    def begin(*, rows: int = 2, queue: int = 10, open: bool = True) -> tuple[Batcher, Counting]:
        steps = Counting(rows)
        if open:
            steps.open.set()
        made.append((Batcher(steps, queue=queue), steps))
        return made[-1]

    yield begin
    for batcher, steps in made:
        steps.open.set()
        batcher.close()


def numbers(first: int, last: int) -> str:
    return "".join(f"{number} " for number in range(first, last + 1))


def test_more_answers_than_rows_are_all_given_whole(start: Start) -> None:
    batcher, steps = start(rows=2)
    cancelled = Asked(10)  # it would count to the token at which the model fails
    cancelled.job.cancelled.set()
    asked = [Asked(26), Asked(10, tokens=4), cancelled, Asked(27, stream=True), Asked(26)]
    for one in asked:
        batcher.submit(one.job)
    asked.remove(cancelled)
    wait_until(lambda: all(one.done for one in asked))
    assert [one.text for one in asked] == [numbers(27, 29), numbers(11, 14), numbers(28, 29), numbers(27, 29)]
    assert [one.pieces[-1].finish_reason for one in asked] == ["stop", "length", "stop", "stop"]
    assert max(steps.widths) == 2
    wait_until(lambda: batcher.load() == Load(0, 0))


def test_pieces_come_as_they_are_made_only_where_they_are_wanted(start: Start) -> None:
    batcher, _ = start()
    streamed, whole = Asked(26, stream=True), Asked(26)
    for one in (streamed, whole):
        batcher.submit(one.job)
    wait_until(lambda: streamed.done and whole.done)
    assert len(streamed.pieces) > 1
    assert len(whole.pieces) == 1
    assert streamed.text == whole.text
    last = whole.pieces[-1]
    assert (last.prompt_tokens, last.completion_tokens) == (1, 4)


def test_a_full_queue_refuses_and_says_when_to_come_back(start: Start) -> None:
    batcher, _ = start(rows=1, queue=2, open=False)
    first = Asked(26)
    batcher.submit(first.job)
    wait_until(lambda: batcher.load() == Load(0, 1))
    waiting = [Asked(26), Asked(26)]
    for one in waiting:
        batcher.submit(one.job)
    with pytest.raises(EngineBusy) as refused:
        batcher.submit(Asked(26).job)
    assert refused.value.retry_after == 3
    batcher.cancel(waiting[0].job)  # makes room
    batcher.submit(Asked(26).job)
    assert batcher.load() == Load(2, 1)


def test_what_a_free_row_takes_in_does_not_wait(start: Start) -> None:
    batcher, _ = start(rows=3, queue=0)
    asked = [Asked(26) for _ in range(3)]
    for one in asked:
        batcher.submit(one.job)
    wait_until(lambda: all(one.done for one in asked))


def test_who_cancels_gets_nothing_more_and_frees_the_row(start: Start) -> None:
    batcher, steps = start(rows=1, open=False)
    gone, stays = Asked(1), Asked(26)
    batcher.submit(gone.job)
    wait_until(lambda: batcher.load().running == 1)
    batcher.submit(stays.job)
    batcher.cancel(gone.job)
    steps.open.set()
    wait_until(lambda: stays.done)
    assert not gone.done
    assert stays.text == numbers(27, 29)


def test_a_model_that_fails_fails_those_at_work_and_goes_on_with_the_next(start: Start) -> None:
    batcher, _ = start(rows=1)
    at_once, later, fine = Asked(BROKEN), Asked(BROKEN - 2), Asked(26)
    for one in (at_once, later, fine):
        batcher.submit(one.job)
    wait_until(lambda: fine.done)
    assert fine.text == numbers(27, 29)
    for one in (at_once, later):
        error = one.given[-1]
        assert isinstance(error, RunError)
        assert str(error.what) == "The model failed: ValueError."  # its own words may hold a path
        assert isinstance(error.__cause__, ValueError)


def test_closing_ends_what_waits_and_what_runs(start: Start) -> None:
    batcher, steps = start(rows=1, open=False)
    asked = [Asked(1), Asked(26)]
    for one in asked:
        batcher.submit(one.job)
    threading.Timer(0.05, steps.open.set).start()
    batcher.close()
    assert all(isinstance(one.given[-1], EngineClosed | Piece | RunError) for one in asked)
    assert isinstance(asked[1].given[-1], EngineClosed)
    with pytest.raises(EngineClosed):
        batcher.submit(Asked(26).job)


def test_finishing_answers_those_that_are_there_and_takes_no_more(start: Start) -> None:
    batcher, steps = start(rows=1, open=False)
    asked = [Asked(26), Asked(27)]
    for one in asked:
        batcher.submit(one.job)
    batcher.finish()
    with pytest.raises(EngineClosed):
        batcher.submit(Asked(26).job)
    steps.open.set()
    wait_until(lambda: all(one.done for one in asked))
    assert [one.text for one in asked] == [numbers(27, 29), numbers(28, 29)]
