"""A judge behind an endpoint: both orders of two answers, several requests at once, replies kept on the disk.

A comparison has a verdict where both orders agree on the better answer; where they do not, it is a tie. Equal answers
are a tie that nobody is asked about.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from tiebreak.evaluate.judges.calls import Endpoint, Reply
from tiebreak.evaluate.judges.judge import Comparison, Cost, OnProgress, Verdicts, quiet
from tiebreak.evaluate.judges.verdict import VERSION, question
from tiebreak.evaluate.kept import Kept, key_of
from tiebreak.recipe.judge import OpenAISection

_BYTES = 4  # of text, a token, about
_BESIDE = 8  # tokens of a request beside its text
_POINTS = {"A": 1.0, "tie": 0.5, "B": 0.0}
Messages = list[dict[str, str]]


@dataclass(frozen=True)
class EndpointJudge:
    """A judge of pairs behind an endpoint.

    Attributes:
        settings: which, and how it is asked.
        where: what names it, for errors.
    """

    settings: OpenAISection
    where: str = "evaluate.judge"

    @property
    def name(self) -> str:
        """Its model and address."""
        return f"{self.settings.model} at {self.settings.base_url}"

    @property
    def record(self) -> Mapping[str, Any]:
        """What it was asked, and the name of its key's variable."""
        return {"openai": self.settings.model_dump(mode="json")}

    def cost(self, comparisons: Sequence[Comparison]) -> Cost:
        """Calls and tokens that are still to be paid for."""
        asked = dict(self._questions(comparisons))
        kept = self._kept().get(asked)
        texts = [sum(len(turn["content"].encode()) for turn in asked[key]) for key in asked if key not in kept]
        tokens = sum(math.ceil(text / _BYTES) + _BESIDE for text in texts)
        return Cost(len(texts), len(kept), tokens, len(texts) * self.settings.max_tokens)

    def compare(self, comparisons: Sequence[Comparison], progress: OnProgress = quiet) -> Verdicts:
        """Judge comparisons, each in both orders; replies that are kept are not asked for again.

        Raises:
            InputError: the server refuses the key or the model.
            RunError: the server does not answer, or gives no verdicts. What it said so far is kept.
        """
        asked = dict(self._questions(comparisons))
        kept = self._kept()
        replies = {key: Reply(**value) for key, value in kept.get(asked).items()}
        missing = {key: messages for key, messages in asked.items() if key not in replies}
        if missing:
            self._ask(missing, replies, kept, lambda: progress(len(replies) * len(comparisons) // len(asked)))
        progress(len(comparisons))
        return self._verdicts(comparisons, replies)

    def _ask(self, missing: Mapping[bytes, Messages], replies: dict[bytes, Reply], kept: Kept, done: Any) -> None:
        endpoint = Endpoint(self.settings, self.where)

        def one(key: bytes) -> tuple[bytes, Reply]:
            reply = endpoint.ask(missing[key])
            if reply.choice is not None or reply.keep:
                kept.put(key, {"choice": reply.choice, "why": reply.why})
            return key, reply

        pool = ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="judge")
        waiting, reached = iter(missing), False
        try:
            # The first alone: what is wrong with the server is said once, and the form that it takes is found out.
            running: set[Future[tuple[bytes, Reply]]] = {pool.submit(one, next(waiting))}
            while running:
                ended, running = wait(running, timeout=1.0, return_when=FIRST_COMPLETED)
                for future in ended:
                    key, reply = future.result()
                    replies[key] = reply
                    done()
                reached = reached or bool(ended)
                if reached:
                    while len(running) < self.settings.concurrency and (key_next := next(waiting, None)) is not None:
                        running.add(pool.submit(one, key_next))
        finally:
            endpoint.stop()
            pool.shutdown(wait=False, cancel_futures=True)

    def _verdicts(self, comparisons: Sequence[Comparison], replies: Mapping[bytes, Reply]) -> Verdicts:
        points: list[float | None] = []
        notes, same, places = Counter[str](), [], []
        for each in comparisons:
            if each.first == each.second:
                points.append(0.5)
                notes["equal answers, a tie without asking"] += 1
                continue
            there, back = replies[self._key(each)], replies[self._key(each, swapped=True)]
            if there.choice is None or back.choice is None:
                points.append(None)
                notes[there.why or back.why] += 1
                continue
            first, second = _POINTS[there.choice], 1 - _POINTS[back.choice]
            points.append(first if first == second else 0.5)
            same.append(first == second)
            places += [_POINTS[there.choice], _POINTS[back.choice]]
        return Verdicts(
            tuple(points),
            notes=dict(notes),
            consistent=sum(same) / len(same) if same else None,
            first_place=sum(places) / len(places) if places else None,
        )

    def _questions(self, comparisons: Sequence[Comparison]) -> Iterator[tuple[bytes, Messages]]:
        for each in comparisons:
            if each.first != each.second:
                yield self._key(each), self._messages(each)
                yield self._key(each, swapped=True), self._messages(each, swapped=True)

    def _messages(self, each: Comparison, *, swapped: bool = False) -> Messages:
        answers = (each.second, each.first) if swapped else (each.first, each.second)
        return question(each.prompt, *answers, self.settings.criterion)

    def _key(self, each: Comparison, *, swapped: bool = False) -> bytes:
        s = self.settings
        return key_of(VERSION, s.base_url, s.model, s.temperature, s.max_tokens, self._messages(each, swapped=swapped))

    def _kept(self) -> Kept:
        return Kept("judge", "the judge's replies")
