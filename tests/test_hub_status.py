"""A Hub id is a model wherever one is named: with a network, without one, and what is said when it is not."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hub.conftest import environment, python
from tests.hub_server import Hub, serve_hub
from tests.hub_store import COMMIT, Repository
from tiebreak.bundled import base_model_path

SCRIPT = """
import json, sys
from tiebreak.errors import InputError
from tiebreak.models.load import load_config, load_model, load_tokenizer
for name, revision, whole in json.loads(sys.argv[1]):
    try:
        if whole:
            load_model(name, revision=revision)
        load_tokenizer(name, revision=revision)
        print(json.dumps(load_config(name, revision=revision).hidden_size))
    except InputError as error:
        print(json.dumps(str(error)))
"""


def answers(hub: Hub, home: Path, *asked: tuple[str, str | None, bool]) -> list[str | int]:
    env = environment(home, hub, token=None)
    return [json.loads(line) for line in python(SCRIPT, json.dumps(asked), cwd=home, env=env).splitlines()]


def test_models_by_hub_id(tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in base_model_path().iterdir()}
    with serve_hub(gated=("ann/gated",)) as hub:
        for name in ("ann/small", "ann/gated"):
            repository = Repository(commits={COMMIT: {}, "a" * 40: files})
            repository.heads |= {"main": "a" * 40, "empty": COMMIT}
            hub.store.repositories["models", name] = repository
        found, missing, gated, revision, pinned = answers(
            hub,
            tmp_path,
            ("ann/small", None, True),
            ("ann/smal", None, False),
            ("ann/gated", None, False),
            ("ann/small", "v9", False),
            ("ann/small", "a" * 40, False),
        )
        hub.moods.down = True
        before = len(hub.requests)
        kept, other = answers(hub, tmp_path, ("ann/small", None, True), ("ann/smal", None, False))
        # The same cache without a Hub: each question is one, where the client alone asks six times, 23 seconds long.
        assert not [request for request in hub.requests[before:] if "/ann/" in request]
        assert "HEAD /" in hub.requests[before:]
    assert found == pinned == kept == 192
    assert "There is no model 'ann/smal' on the Hub" in str(missing)
    assert "did you mean 'ann/small'" in str(missing)
    assert f"ask for access on {hub.url}/ann/gated" in str(gated)
    assert "no revision 'v9'" in str(revision)
    assert f"The Hub cannot be reached (no answer from {hub.url})" in str(other)
    assert "did you mean 'ann/small', which is in the cache" in str(other)


def test_an_error_of_xet_is_told_by_its_type_its_words_or_its_cause() -> None:
    from huggingface_hub.errors import XetDownloadError

    from tiebreak.hub_status import is_of_xet

    outer = OSError("cannot be fetched")
    outer.__cause__ = RuntimeError("Xet token refresh failed: 404")
    assert is_of_xet(outer)
    assert is_of_xet(XetDownloadError("no"))
    assert not is_of_xet(OSError("cannot be fetched"))
    assert is_of_xet(RuntimeError("Error in the xet storage"))
    assert not is_of_xet(OSError("404 for foxet/xet-like and xet/model"))  # names of people and models
    assert not is_of_xet(None)
