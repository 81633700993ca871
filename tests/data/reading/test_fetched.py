"""Sources that are no path: standard input, pipes, and addresses through fsspec."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import fsspec
import pytest

from tests.data.files import load, pairs, preferences, write
from tests.data.reading.storage import serve_s3
from tests.hub.conftest import environment, python
from tests.hub_server import serve_hub
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

LINES = "".join(json.dumps(row) + "\n" for row in pairs(3))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("rows", [LINES, json.dumps(pairs(3)), "prompt,chosen,rejected\na,b,c\nd,e,f\ng,h,i\n"])
def test_standard_input_is_converted(tmp_path: Path, rows: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tiebreak", "data", "convert", "-", str(tmp_path / "out.jsonl")],
        input=rows,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert "wrote 3 pairs" in done.stdout
    assert load(tmp_path / "out.jsonl").report.made == 3


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(LINES))
    writer.start()
    loaded = load(pipe)
    writer.join()
    assert preferences(loaded) == preferences(load(write(tmp_path / "plain.jsonl", pairs(3))))


def test_an_address_of_a_storage_is_read_and_a_change_is_seen(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/rows/train-1.jsonl", LINES.encode())
    memory.pipe_file("/rows/train-2.jsonl", LINES.replace("question", "other").encode())
    assert load_preferences(SourceSpec("memory://rows/train-1.jsonl")).report.made == 3
    assert load_preferences(SourceSpec("memory://rows/train-*.jsonl")).report.made == 6
    memory.pipe_file("/rows/train-1.jsonl", LINES.splitlines()[0].encode())
    assert load_preferences(SourceSpec("memory://rows/train-1.jsonl")).report.made == 1


def test_a_file_address_is_that_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a b.jsonl", pairs(3))
    assert load_preferences(SourceSpec(path.as_uri())).report.made == 3


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("memory://nothing.jsonl", "There is no file at"),
        ("memory://nothing-*.jsonl", "Nothing is at"),
        ("nonsense://x/y.jsonl", "cannot be opened"),
        ("https://user:secret@example.com/x.jsonl", "holds a password"),
        ("http://127.0.0.1:9/x.jsonl?token=secret", "or it cannot be reached"),
        ("file:///nowhere/x.jsonl", "no file"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(source: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        load_preferences(SourceSpec(source))
    assert said in str(error.value)
    assert "secret" not in str(error.value)


_READ = """
import json, sys
from tiebreak.data.load import load_preferences
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError
for source in sys.argv[1:]:
    try:
        print(json.dumps([row["prompt"][0]["content"] for row in load_preferences(SourceSpec(source)).dataset]))
    except InputError as error:
        print(json.dumps(str(error)))
"""


def _read(env: dict[str, str], *sources: str, cwd: Path) -> list[list[str] | str]:
    """The prompts of each source, or what is said instead, in a process of its own with the real clients."""
    return [json.loads(line) for line in python(_READ, *sources, cwd=cwd, env=env).splitlines()]


@pytest.mark.journey
def test_files_of_the_hub_are_read_through_its_own_client(tmp_path: Path) -> None:
    for name in ("train-1", "train-2"):
        write(tmp_path / "root" / "ann" / "rows" / "data" / f"{name}.jsonl", pairs(2, name))
    write(tmp_path / "root" / "ann" / "rows" / "data" / "train-3.parquet", pairs(2, "train-3"))
    base = "hf://datasets/ann/rows/data"
    with serve_hub(tmp_path / "root") as hub:
        env = environment(tmp_path / "home", hub)
        one, several, columns, nothing = _read(
            env,
            f"{base}/train-1.jsonl",
            f"{base}/train-*.jsonl",
            f"{base}/train-3.parquet",
            f"{base}/gone.jsonl",
            cwd=tmp_path,
        )
    assert one == ["train-1 0", "train-1 1"]
    assert several == ["train-1 0", "train-1 1", "train-2 0", "train-2 1"]
    assert columns == ["train-3 0", "train-3 1"]
    assert "There is no file at 'hf://datasets/ann/rows/data/gone.jsonl'" in nothing


@pytest.mark.journey
@pytest.mark.skipif(importlib.util.find_spec("s3fs") is None, reason="pip install s3fs")
def test_objects_of_a_bucket_are_read_through_its_own_client(tmp_path: Path) -> None:
    objects = {
        f"rows/{name}": write(tmp_path / name, pairs(2, name)).read_bytes()
        for name in ("train-1.jsonl", "train-2.jsonl", "other.parquet")
    }
    asked: list[str] = []
    env = {
        **os.environ,
        "TIEBREAK_CACHE": str(tmp_path / "cache"),
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    sources = [f"s3://shelf/rows/{name}" for name in ("train-1.jsonl", "train-*.jsonl", "other.parquet", "gone.jsonl")]
    with serve_s3("shelf", objects, asked) as address:
        env |= {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1"}
        one, several, columns, nothing = _read(env, *sources, cwd=tmp_path)
        fetched = sum(request == "GET /shelf/rows/train-1.jsonl" for request in asked)
        objects["rows/train-1.jsonl"] = objects["rows/train-2.jsonl"]
        (changed,) = _read(env, sources[0], cwd=tmp_path)
    assert one == ["train-1.jsonl 0", "train-1.jsonl 1"]
    assert several == [*one, "train-2.jsonl 0", "train-2.jsonl 1"]
    assert columns == ["other.parquet 0", "other.parquet 1"]
    assert "There is no file at 's3://shelf/rows/gone.jsonl'" in nothing
    assert fetched == 1  # the second time from the cache, since the storage says that nothing changed
    assert changed == ["train-2.jsonl 0", "train-2.jsonl 1"]


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_storage_without_its_library_says_what_to_install() -> None:
    with pytest.raises(InputError) as error:
        load_preferences(SourceSpec("s3://shelf/rows.jsonl"))
    assert error.value.fix == "pip install s3fs"
