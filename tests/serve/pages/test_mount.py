"""The pages in the app: what is open, what is closed, and that what was there before still answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.serve.pages.engine_double import EngineDouble
from tiebreak.serve.api.guard import RateLimit
from tiebreak.serve.pages import PAGE_POLICY, PageSettings, mount_pages
from tiebreak.votes import open_votes


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    app = FastAPI()
    app.get("/healthz")(lambda: {"status": "ok"})
    with open_votes(str(tmp_path / "votes.db")) as votes:
        mount_pages(app, EngineDouble(), votes=votes, runs=tmp_path / "runs", settings=PageSettings())
        with TestClient(app) as client:
            yield client


def test_the_page_is_at_the_root_with_its_policy_and_other_routes_stay(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Generate Response" in answer.text
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert client.get("/healthz").json() == {"status": "ok"}


def test_an_export_without_votes_is_an_empty_file(client: TestClient) -> None:
    answer = client.get("/votes/export.jsonl")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["content-disposition"] == 'attachment; filename="votes.jsonl"'


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_reaches_gradio(client: TestClient, method: str) -> None:
    assert client.request(method, "/").status_code == 404


def test_a_saved_state_cannot_be_asked_for_by_the_query(client: TestClient) -> None:
    assert client.get("/", params={"deep_link": "../../etc/passwd"}).status_code == 200


def test_what_the_page_says_of_itself_holds_no_path_of_the_machine(client: TestClient, tmp_path: Path) -> None:
    assert str(tmp_path) not in client.get("/").text
    assert str(tmp_path) not in client.get("/config").text


def test_without_votes_there_is_no_data_page_and_no_export(tmp_path: Path) -> None:
    app = mount_pages(FastAPI(), EngineDouble(), votes=None, runs=tmp_path, settings=PageSettings())
    with TestClient(app) as client:
        assert "data-withdraw-all" not in client.get("/").text
        assert client.get("/votes/export.jsonl").status_code == 404


def test_whoever_does_too_much_on_the_pages_is_told_to_wait(tmp_path: Path) -> None:
    app = FastAPI()
    app.state.rate_limit = RateLimit(2, clock=lambda: 0.0)
    mount_pages(app, EngineDouble(), votes=None, runs=tmp_path, settings=PageSettings())
    with TestClient(app) as client:
        found = [client.post("/gradio_api/queue/join", json={"data": []}) for _ in range(3)]
        assert [answer.status_code for answer in found] == [400, 400, 429]
        assert found[-1].headers["retry-after"] == "30"
        assert client.get("/").status_code == 200
