"""A served loop: the accepted model answers without a restart, and what is being answered is finished."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.serve.generation.test_local import answer
from tests.serve.live import wait_until
from tiebreak.data.preference import Message
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import parse_recipe
from tiebreak.runs import RunFolder
from tiebreak.runs.loop import LoopFolder, Turn
from tiebreak.runs.manifest import Manifest, ModelRecord
from tiebreak.serve.generation.engine import GenerationRequest, ServedModel
from tiebreak.serve.generation.following import _Watch, following
from tiebreak.serve.generation.loading import Found, find_models
from tiebreak.serve.generation.local import LocalEngine
from tiebreak.serve.pages.mount import footer


@pytest.fixture
def loop(tmp_path: Path) -> LoopFolder:
    """A loop that began with the bundled model, and the model of a first turn, not accepted yet."""
    folder = LoopFolder(tmp_path / "circle")
    folder.begin("bundled:base")
    recipe = parse_recipe({"model": "bundled:base", "data": "bundled:preferences"}, where="test")
    (folder.path / "recipe.yaml").write_text(recipe.to_yaml())
    run = RunFolder.create(recipe, folder.path / "turn-1" / "run")
    run.save_manifest(Manifest(model=ModelRecord(name="bundled:base", license="apache-2.0")))
    model = load_model("bundled:base")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)), alpha=0.02)
    model.save_pretrained(run.path / "model")
    load_tokenizer("bundled:base").save_pretrained(run.path / "model")
    return folder


def turn(number: int) -> Turn:
    return Turn(
        number=number,
        outcome="accepted",
        why="better",
        model=f"turn-{number}/run",
        against="bundled:base",
        began_from=number - 1,
        votes=8,
        pairs=4,
        base=0,
        measure="win_rate",
        value=0.6,
        low=0.55,
        high=0.65,
        pass_rate=None,
        time="2026-01-01T00:00:00Z",
    )


class Served:
    def __init__(self, loop: LoopFolder) -> None:
        self.found: list[Found] = find_models([str(loop.path)])
        self.said: list[str] = []
        self.looks = 0
        self.engine = LocalEngine(self.found, rows=4, queue=64)

    def look_again(self) -> None:
        """Wait until the loop has been looked at several times more."""
        wanted = self.looks + 5
        wait_until(lambda: self.looks >= wanted)

    @property
    def model(self) -> ServedModel:
        return self.engine.models()[0]

    def say(self, **settings: object) -> str:
        values = {"seed": 5, "max_tokens": 24, **settings}
        request = GenerationRequest("circle", (Message("user", "Tell me a joke."),), **values)  # type: ignore[arg-type]
        return asyncio.run(answer(self.engine, request))[0]


@pytest.fixture
def served(loop: LoopFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served, look = Served(loop), _Watch.look

    def counted(self: _Watch) -> str:
        news = look(self)
        served.looks += 1
        return news

    monkeypatch.setattr(_Watch, "look", counted)
    with following(served.engine, served.found, on_message=served.said.append, every=0.02):
        yield served
    asyncio.run(served.engine.close())


def test_the_accepted_model_answers_from_then_on_and_after_a_roll_back_the_one_before(
    loop: LoopFolder, served: Served
) -> None:
    first, before = served.model, served.say()
    assert (first.name, first.run, first.license) == ("circle", None, "MIT")
    loop.add(turn(1))
    wait_until(lambda: served.said)
    assert served.said == ["circle: turn-1 answers from now on."]
    assert served.say() != before
    assert (served.model.name, served.model.license) == ("circle", "apache-2.0")
    assert served.model.fingerprint != first.fingerprint
    assert "<strong>circle</strong> · turn-1 · licence apache-2.0" in footer([served.model])
    loop.roll_back()
    wait_until(lambda: len(served.said) == 2)
    assert served.said[1] == "circle: bundled:base answers from now on."
    assert (served.say(), served.model) == (before, first)


def test_what_is_being_answered_is_finished_by_the_model_that_began_it(loop: LoopFolder, served: Served) -> None:
    long = GenerationRequest("circle", prompt="The", max_tokens=400, temperature=2.0, seed=3)
    alone = asyncio.run(answer(served.engine, long))[0]
    texts: list[str] = []
    asking = threading.Thread(target=lambda: texts.append(asyncio.run(answer(served.engine, long))[0]))
    asking.start()
    wait_until(lambda: served.engine.load().running)
    (later,) = find_models([str(loop.path / "turn-1" / "run")])
    assert later.name == "turn-1"
    before = served.model.fingerprint
    served.engine.exchange(replace(later, name="circle"))
    assert served.model.fingerprint != before
    assert served.say() != alone
    asking.join()
    assert texts == [alone]


def test_the_model_before_is_let_go_of(loop: LoopFolder, served: Served) -> None:
    before = weakref.ref(served.engine._workers["circle"].loaded.model)
    served.say()
    loop.add(turn(1))
    wait_until(lambda: served.said)

    def gone() -> bool:
        gc.collect()
        return before() is None

    wait_until(gone)


def test_answers_go_on_while_models_are_exchanged(loop: LoopFolder, served: Served) -> None:
    known = {served.say()}
    loop.add(turn(1))
    wait_until(lambda: served.said)
    known.add(served.say())
    ended = threading.Event()
    heard: list[str] = []

    def ask() -> None:
        while not ended.is_set():
            heard.append(served.say())

    def said_so_often(count: int) -> bool:
        return len(served.said) == count

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for count in range(2, 6):
        loop.roll_back() if count % 2 == 0 else loop.add(turn(1))
        wait_until(partial(said_so_often, count))
    ended.set()
    for thread in asking:
        thread.join()
    assert set(heard) == known


def test_a_model_that_cannot_be_loaded_is_said_once_and_the_one_before_goes_on(
    loop: LoopFolder, served: Served
) -> None:
    before = served.say()
    for file in (loop.path / "turn-1" / "run" / "model").glob("*.safetensors"):
        file.write_bytes(b"no weights")
    loop.add(turn(1))
    wait_until(lambda: served.said)
    served.look_again()
    assert len(served.said) == 1
    assert served.said[0].startswith("circle: turn-1 was accepted and cannot be served, bundled:base goes on: ")
    assert served.say() == before
    loop.roll_back()
    (loop.path / "damaged").write_text("{")
    (loop.path / "damaged").replace(loop.state_path)
    wait_until(lambda: len(served.said) == 2)
    served.look_again()
    assert served.said[1].startswith("circle: bundled:base goes on: The loop's file is damaged")
    assert len(served.said) == 2
    assert served.say() == before


def test_the_base_of_a_loop_is_what_it_began_with(loop: LoopFolder) -> None:
    loop.add(turn(1))
    base, found = find_models([str(loop.path)], base=True)
    assert (found.name, found.base, base.section.name) == ("circle", "bundled:base", "bundled:base")
