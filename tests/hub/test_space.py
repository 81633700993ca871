"""A run goes to the Hub as a Space that needs nothing of this machine: what comes back starts, and serves its pages."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.hub.conftest import TOKEN, Ask, environment, python
from tests.hub_server import Hub
from tests.hub_store import COMMIT, Repository
from tests.votes.made import vote
from tiebreak.hub.space import SERVING, pinned_requirements
from tiebreak.hub.space_app import OwnVotesStore, SpaceDoor
from tiebreak.serve.api.guard import Guard
from tiebreak.serve.settings import ServeSettings
from tiebreak.votes.address import parse_address
from tiebreak.votes.filters import VoteFilter

# Whole runs and a server of its own, which take a minute together.
pytestmark = pytest.mark.journey
WEIGHTS = "model/model.safetensors"
FETCH = """
import sys
from huggingface_hub import snapshot_download
snapshot_download(sys.argv[1], repo_type="space", local_dir=sys.argv[2])
"""
FROM_THE_HUB = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "iframe",
}


def head_of(card: str) -> dict[str, object]:
    return dict(yaml.safe_load(card.split("---\n")[1]))


def change_model(run: Path, **settings: object) -> None:
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    recipe["model"] |= settings
    (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))


@contextmanager
def running(folder: Path, home: Path, log: Path) -> Iterator[str]:
    """`python app.py` in its own folder, knowing of no repository; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    env = environment(home, None, token=None) | {"TIEBREAK_PORT": str(port)}
    env.pop("PYTHONPATH", None)
    address = f"http://127.0.0.1:{port}"
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "app.py"], cwd=folder, env=env, stdout=out, stderr=out)
        try:
            until = time.monotonic() + 60
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                try:
                    if httpx.get(f"{address}/healthz", timeout=5).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def test_a_pushed_space_starts_from_its_own_files_and_serves_its_pages(
    run: Path, hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    said, again = ask(
        ["push", "runs/mine", "--space", "ann/talk", "--private", "--json"],
        ["push", "runs/mine", "--space", "ann/talk"],
    )
    assert said.code == 0, said.err
    assert (again.code, "Nothing has changed" in again.err) == (0, True)
    pushed, repository = json.loads(said.out), hub.repository("ann/talk", "spaces")
    assert repository.messages == ["Upload mine as a Space with Tiebreak"]
    assert repository.private
    assert pushed["url"] == f"{hub.url}/spaces/ann/talk"
    assert repository.files()[WEIGHTS] == (run / WEIGHTS).read_bytes()

    folder = tmp_path / "elsewhere" / "space"
    python(FETCH, "ann/talk", str(folder), cwd=tmp_path, env=environment(tmp_path / "elsewhere", hub))
    version = folder / "tiebreak" / "version.py"
    version.write_text('"""A mark by which this copy is known."""\n\n__version__ = "0.0.1.copied"\n')
    with running(folder, tmp_path / "elsewhere", tmp_path / "log.txt") as address:
        framed = httpx.get(f"{address}/", headers=FROM_THE_HUB)
        assert framed.status_code == 200
        assert "text/html" in framed.headers["content-type"]
        assert "0.0.1.copied" in framed.text  # the package that came along is the one that runs
        assert "bundled:base, before talk" in framed.text
        assert "frame-ancestors 'self' https://huggingface.co" in framed.headers["content-security-policy"]
        assert "x-frame-options" not in framed.headers
        # Other sites can do nothing, and what is not meant for everybody is closed.
        assert httpx.post(f"{address}/gradio_api/queue/join", headers=FROM_THE_HUB, json={}).status_code == 403
        assert httpx.get(f"{address}/votes/export.jsonl").status_code == 403
        for path in ("/v1/models", "/metrics", "/openapi.json", "/space.json"):
            assert httpx.get(address + path).status_code == 404, path
    assert (folder / "votes.db").is_file()


def test_a_dry_run_shows_a_space_with_nothing_private_in_it(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    (said,) = ask(["push", "mine", "--space", "ann/talk", "--dry-run", "--out", "shown"], online=False)
    assert said.code == 0, said.err
    shown = tmp_path / "shown"
    paths = {path.relative_to(shown).as_posix() for path in shown.rglob("*") if path.is_file()}
    assert {"README.md", "app.py", "requirements.txt", "space.json", WEIGHTS, "model/tokenizer.json"} <= paths
    assert {"tiebreak/__init__.py", "tiebreak/serve/pages/style.css", "tiebreak/LICENSE"} <= paths
    assert not [path for path in paths if "__pycache__" in path or path.endswith(".pyc") or "/tests/" in path]
    assert not [path for path in paths if path.startswith("model/") and path.endswith((".py", ".md", ".html", ".yaml"))]
    assert hub.requests == []
    private = [str(tmp_path), str(Path(__file__).parents[2]), str(Path.home()) + "/", sys.prefix, TOKEN]
    for path in shown.rglob("*"):
        found = path.read_bytes() if path.is_file() else b""
        assert not [text for text in private if text.encode() in found], path
        assert not path.is_symlink()

    head = head_of((shown / "README.md").read_text())
    requirements = (shown / "requirements.txt").read_text().split()
    assert (head["title"], head["sdk"], head["app_file"], head["license"]) == ("talk", "gradio", "app.py", "mit")
    assert "emoji" not in head
    assert "models" not in head  # the bundled base is nothing that the Hub knows
    assert f"gradio=={head['sdk_version']}" in requirements


def test_every_requirement_is_one_exact_version_that_an_index_can_have() -> None:
    lines = pinned_requirements().split()
    assert all(re.fullmatch(r"[a-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in lines), lines
    assert {"torch", "transformers", *SERVING} <= {line.split("==")[0] for line in lines}
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extra = {re.split(r"[^\w-]", line)[0] for line in project["optional-dependencies"]["serve"]}
    assert extra == {*SERVING}


def test_an_adapter_is_merged_unless_its_base_is_on_the_hub(adapter_run: Path, ask: Ask, tmp_path: Path) -> None:
    of_the_hub = shutil.copytree(adapter_run, tmp_path / "runs" / "of-the-hub")
    change_model(of_the_hub, name="some-owner/some-base")
    merged, named = ask(
        ["push", "runs/adapter", "--space", "ann/talk", "--dry-run", "--out", "merged"],
        ["push", "runs/of-the-hub", "--space", "ann/talk", "--dry-run", "--out", "named"],
        online=False,
    )
    assert (merged.code, named.code) == (0, 0), merged.err + named.err
    held = {path.name for path in (tmp_path / "merged" / "model").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= held
    assert "adapter_config.json" not in held

    held = {path.name for path in (tmp_path / "named" / "model").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= held
    assert head_of((tmp_path / "named" / "README.md").read_text())["models"] == ["some-owner/some-base"]
    (model,) = json.loads((tmp_path / "named" / "space.json").read_text())["models"]
    assert (model["source"], model["base"]) == ("model", None)


def test_a_push_names_one_place_and_what_a_space_can_be(run: Path, hub: Hub, ask: Ask) -> None:
    change_model(Path(shutil.copytree(run, run.with_name("coded"))), trust_remote_code=True)
    neither, both, branch, alone, name, coded = ask(
        ["push", "runs/mine"],
        ["push", "runs/mine", "ann/tuned", "--space", "ann/talk"],
        ["push", "runs/mine", "--space", "ann/talk", "--revision", "second"],
        ["push", "runs/mine", "--space", "ann/talk", "--adapter-only"],
        ["push", "runs/mine", "--space", "talk", "--dry-run"],
        ["push", "runs/coded", "--space", "ann/talk"],
    )
    for said, word in (
        (neither, "No repository is named"),
        (both, "both are named"),
        (branch, "--revision"),
        (alone, "--adapter-only"),
        (name, "owner/name"),
        (coded, "trust_remote_code"),
    ):
        assert (said.code, word in said.err) == (2, True), said.err
    assert hub.count("POST") == 0


def test_files_of_an_older_push_go_and_others_stay(run: Path, hub: Hub, ask: Ask) -> None:
    old = {"tiebreak/gone.py": b"old", "model/adapter_config.json": b"{}", "notes.txt": b"of the owner"}
    hub.store.repositories["spaces", "ann/talk"] = Repository(commits={COMMIT: old})
    closed, said = ask(
        ["push", "runs/mine", "--space", "ann/talk", "--private"], ["push", "runs/mine", "--space", "ann/talk"]
    )
    assert (closed.code, "exists and is public" in closed.err) == (2, True)
    assert said.code == 0, said.err
    left = hub.repository("ann/talk", "spaces").files()
    assert {"notes.txt", WEIGHTS, "app.py"} <= left.keys()
    assert not {"tiebreak/gone.py", "model/adapter_config.json"} & left.keys()


async def _answered(method: str, path: str, headers: dict[str, str]) -> int:
    """The status of a request to what is behind the door of a Space, whose proxy calls it by another name."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("here")(scope, receive, send)

    host = "ann-talk.hf.space"
    door = SpaceDoor(Guard(served, settings=ServeSettings(allowed_hosts=(host,))), host=host)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://10.0.0.1") as client:
        return (await client.request(method, path, headers=headers)).status_code


def test_the_hub_may_frame_the_first_page_and_only_the_pages_may_act() -> None:
    own = {"sec-fetch-site": "same-origin", "origin": "https://ann-talk.hf.space"}
    for expected, method, path, headers in (
        (200, "GET", "/", FROM_THE_HUB),
        (403, "POST", "/", FROM_THE_HUB),
        (403, "GET", "/config", FROM_THE_HUB),
        (403, "GET", "/", FROM_THE_HUB | {"sec-fetch-dest": "script"}),
        (200, "POST", "/gradio_api/queue/join", own),
        (403, "POST", "/gradio_api/queue/join", {"origin": "https://elsewhere.example"}),
    ):
        assert asyncio.run(_answered(method, path, headers)) == expected, (method, path, headers)


def test_visitors_list_no_votes_but_their_own_and_all_are_counted(tmp_path: Path) -> None:
    with OwnVotesStore(parse_address(str(tmp_path / "votes.db")), create=True) as store:
        for number, voter in enumerate(("ann", "ben")):
            assert store.add(vote(number, voter=voter))
        assert store.votes() == store.votes(VoteFilter(contains="a")) == []
        assert [one.voter for one in store.votes(VoteFilter(voter="ann"))] == ["ann"]
        assert sorted(str(one.voter) for one in store.every()) == ["ann", "ben"]
