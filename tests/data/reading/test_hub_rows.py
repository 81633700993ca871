from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import pairs, write
from tests.hub_server import COMMIT, serve_hub

# The client takes the Hub's address from its environment when it is imported, so each test has a process of its own.
SCRIPT = """
import json, sys
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

for asked in json.loads(sys.argv[1]):
    try:
        loaded = load_preferences(SourceSpec(**asked))
        found = {**loaded.report.to_json(), "schema": loaded.recognition.schema, "first": loaded.dataset[0]["chosen"]}
        found["commit"] = loaded.commit
    except InputError as error:
        found = {"error": str(error)}
    print(json.dumps(found))
"""


def _transcripts(count: int) -> list[dict[str, str]]:
    return [
        {name: f"\\n\\nHuman: q{i}\\n\\nAssistant: {name} {i}".replace("\\n", "\n") for name in ("chosen", "rejected")}
        for i in range(count)
    ]


@pytest.fixture
def hub_folder(tmp_path: Path) -> Path:
    root = tmp_path / "hub"
    write(root / "tiny" / "hh" / "harmless-base" / "train.jsonl.gz", _transcripts(12))
    write(root / "tiny" / "hh" / "harmless-base" / "test.jsonl.gz", _transcripts(3))
    write(root / "tiny" / "hh" / "helpful-base" / "train.jsonl.gz", _transcripts(5))
    write(root / "tiny" / "feedback" / "data" / "train_prefs-00000-of-00001.parquet", pairs(7))
    write(root / "tiny" / "feedback" / "data" / "test_prefs-00000-of-00001.parquet", pairs(2))
    write(root / "tiny" / "oddly" / "data" / "one-00000-of-00001.parquet", pairs(7))
    write(root / "tiny" / "oddly" / "data" / "two-00000-of-00001.parquet", pairs(7))
    (root / "tiny" / "closed").mkdir()
    return root


def _ask(address: str, home: Path, asked: list[dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env |= {"HF_ENDPOINT": address, "HF_HOME": str(home), "TIEBREAK_CACHE": str(home / "tiebreak"), **environment}
    command = [sys.executable, "-c", SCRIPT, json.dumps(asked)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env, cwd=home.parent, timeout=200)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_hub_data_set_is_read_through_the_real_client(hub_folder: Path, tmp_path: Path) -> None:
    with serve_hub(hub_folder) as hub:
        train, test, pinned, feedback = _ask(
            hub.url,
            tmp_path / "home",
            [
                {"source": "tiny/hh", "data_dir": "harmless-base"},
                {"source": "tiny/hh", "data_dir": "harmless-base", "split": "test"},
                {"source": "tiny/hh", "data_dir": "helpful-base", "revision": COMMIT},
                {"source": "tiny/feedback"},
            ],
        )
    assert (train["made"], train["schema"], train["first"]) == (12, "transcript", "chosen 0")
    assert train["source"] == "tiny/hh (train)"
    assert {each["commit"] for each in (train, test, pinned, feedback)} == {COMMIT}
    assert train["splits"] == ["train", "test"]
    assert (test["made"], pinned["made"]) == (3, 5)
    assert (feedback["made"], feedback["source"]) == (7, "tiny/feedback (train_prefs)")
    assert all(request.split()[0] in ("GET", "HEAD", "POST") for request in hub.requests)


def test_what_the_hub_refuses_is_said_in_a_sentence(hub_folder: Path, tmp_path: Path) -> None:
    with serve_hub(hub_folder, gated=("tiny/closed",)) as hub:
        answers = _ask(
            hub.url,
            tmp_path / "home",
            [
                {"source": "tiny/nothing"},
                {"source": "tiny/closed"},
                {"source": "tiny/hh", "data_dir": "harmless-base", "split": "tset"},
                {"source": "tiny/hh", "revision": "v9"},
                {"source": "tiny/hh", "config": "other"},
                {"source": "tiny/oddly"},
            ],
        )
    for answer, said in zip(
        answers,
        [
            "There is no dataset 'tiny/nothing'",
            "'tiny/closed' is gated",
            "did you mean 'test'?",
            "no revision 'v9'",
            "the configuration 'other'",
            "one, two",
        ],
        strict=True,
    ):
        assert said in answer["error"]


def test_a_data_set_that_was_fetched_is_read_again_without_a_network(hub_folder: Path, tmp_path: Path) -> None:
    asked = [{"source": "tiny/feedback", "split": "train_prefs"}]
    with serve_hub(hub_folder) as hub:
        online = _ask(hub.url, tmp_path / "home", asked)
    offline = _ask(hub.url, tmp_path / "home", asked, HF_HUB_OFFLINE="1")
    assert online[0]["made"] == offline[0]["made"] == 7


def test_a_hub_that_cannot_be_reached_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (answer,) = _ask("http://127.0.0.1:9", tmp_path / "home", [{"source": "tiny/hh"}], HF_HUB_OFFLINE="1")
    assert "The Hub cannot be reached" in answer["error"]
    assert "'tiny/hh'" in answer["error"]
