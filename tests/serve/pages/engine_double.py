"""An engine of the same interface that says what a test wants, as fast as it wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tiebreak.serve.generation.engine import EngineBusy, GenerationRequest, Load, Piece, ServedModel, find_model

RUN = ServedModel("tern-run", "Tern, tuned", "f1f1f1f1aaaa", "MIT", base="tern-base")
BASE = ServedModel("tern-base", "Tern, base", "b0b0b0b0bbbb", "MIT")
OTHER = ServedModel("plover", "Plover", "c2c2c2c2cccc", None)


class EngineDouble:
    """Answers "MODEL-WORD says seed S: PROMPT", or what `script` has for the prompt, where `{word}` is the model's.

    Attributes:
        requests: all that were asked.
        open: answers that are being written.
        abandoned: answers that were closed before their end.
        pause: seconds between two words.
    """

    def __init__(self, *models: ServedModel, pause: float = 0.0) -> None:
        self.served = models or (RUN, BASE, OTHER)
        self.requests: list[GenerationRequest] = []
        self.script: dict[str, str] = {}
        self.busy = False
        self.open = self.abandoned = 0
        self.pause = pause

    def models(self) -> Sequence[ServedModel]:
        return self.served

    def load(self) -> Load:
        return Load(0, self.open)

    async def close(self) -> None:
        return None

    def answer(self, request: GenerationRequest) -> str:
        prompt = request.turns[-1].content
        number = [model.name for model in self.served].index(request.model)
        word = ("Amber", "Birch", "Cedar")[number % 3]
        if prompt in self.script:
            return self.script[prompt].replace("{word}", word)
        return f"{word} answers with draw {request.seed}: you said {prompt!r} after {len(request.turns) - 1} turns."

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        find_model(self.served, request.model)
        if self.busy:
            raise EngineBusy(3)
        self.requests.append(request)
        self.open += 1
        whole = False
        try:
            words = self.answer(request).split(" ")
            for number, word in enumerate(words):
                await asyncio.sleep(self.pause)
                yield Piece(word if number == 0 else f" {word}")
            whole = True
            yield Piece("", "stop", 3, len(words), request.seed)
        finally:
            self.open -= 1
            self.abandoned += not whole
