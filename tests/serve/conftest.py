"""The bundled model behind a live server, once for all tests that only ask it something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="needs the extra of the server: pip install 'tiebreak[serve]'")

from tests.serve.caller import write_caller
from tests.serve.live import live
from tiebreak.serve.app import create_app
from tiebreak.serve.generation.loading import find_models
from tiebreak.serve.generation.local import LocalEngine
from tiebreak.serve.settings import Limits, ServeSettings


@pytest.fixture(scope="session")
def bundled_engine() -> LocalEngine:
    return LocalEngine(find_models(["bundled:base"]), rows=8, queue=64)


@pytest.fixture(scope="session")
def bundled_server(bundled_engine: LocalEngine) -> Iterator[str]:
    settings = ServeSettings(limits=Limits(requests_per_minute=0, answer_tokens=128))
    with live(create_app(bundled_engine, settings)) as address:
        yield address


@pytest.fixture(scope="session")
def calling_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model named `caller` that calls a tool when it is asked for a sum."""
    write_caller(folder := tmp_path_factory.mktemp("caller") / "caller")
    engine = LocalEngine(find_models([str(folder)]), rows=4)
    with live(create_app(engine, ServeSettings(limits=Limits(requests_per_minute=0)))) as address:
        yield address
