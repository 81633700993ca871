"""The process of a tracker's client: what it does with the lines that it gets, and what it never says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiebreak.trackers import clients
from tiebreak.trackers.client_process import serve, without_secrets
from tiebreak.trackers.clients import TrackedRun

KEY = "0123456789abcdef0123456789abcdef01234567"


class _Recorded:
    """A client that keeps what it gets."""

    calls: list[tuple[Any, ...]]

    def __init__(self, run: TrackedRun, known: str | None) -> None:
        self.id, self.where = known or "new", "nowhere"
        self.calls.append(("open", run.name, known))

    def log(self, step: int, row: dict[str, Any]) -> None:
        if row.get("loss") == "bad":
            raise ValueError("no such loss")
        self.calls.append(("log", step, row["loss"]))

    def show(self, step: int, metrics: dict[str, float], samples: list[Any], report_path: Path) -> None:
        self.calls.append(("show", step, metrics, [sample["prompt"] for sample in samples], report_path.name))

    def close(self, failed: bool) -> None:
        self.calls.append(("close", failed))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    monkeypatch.setattr(_Recorded, "calls", found, raising=False)
    monkeypatch.setattr(clients, "Wandb", _Recorded)
    return found


def _lines(folder: Path, *messages: dict[str, Any]) -> list[str]:
    settings = {"name": "wandb", "run": "mine", "folder": str(folder), "config": {}, "recipe": ""}
    return [json.dumps(message) for message in (settings, *messages)]


def _row(step: int, loss: float | str) -> dict[str, Any]:
    return {"log": {"step": step, "loss": loss}}


FINISHED = {
    "finished": {
        "metrics": {"after/eval_loss": 0.5},
        "steps": 9,
        "samples": [{"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}],
        "report": "/runs/mine/report.html",
    }
}


def test_rows_final_metrics_and_the_end_reach_the_client(tmp_path: Path, calls: list[tuple[Any, ...]]) -> None:
    replies: list[dict[str, str]] = []
    lines = _lines(tmp_path, _row(1, 0.7), _row(2, 0.6), FINISHED, {"close": {"failed": False}})
    assert serve(lines, lambda **reply: replies.append(reply)) == 0
    assert calls == [
        ("open", "mine", None),
        ("log", 1, 0.7),
        ("log", 2, 0.6),
        ("show", 2, {"after/eval_loss": 0.5}, ["user: a\n\nassistant: b"], "report.html"),
        ("close", False),
    ]
    assert replies == [{"where": "nowhere"}]


def test_a_later_session_sends_only_what_is_new(tmp_path: Path, calls: list[tuple[Any, ...]]) -> None:
    serve(_lines(tmp_path, _row(1, 0.7), _row(2, 0.6)), lambda **_: None)
    assert calls[-1] == ("close", True), "a pipe that ends without a close is a run that was killed"
    calls.clear()
    serve(_lines(tmp_path, _row(2, 0.6), _row(3, 0.5), FINISHED, {"close": {"failed": False}}), lambda **_: None)
    assert [call[:2] for call in calls] == [("open", "mine"), ("log", 3), ("show", 3), ("close", False)]
    assert calls[0] == ("open", "mine", "new")


def test_a_session_without_rows_shows_the_final_metrics_at_the_last_step(
    tmp_path: Path, calls: list[tuple[Any, ...]]
) -> None:
    serve(_lines(tmp_path, FINISHED, {"close": {"failed": False}}), lambda **_: None)
    assert calls[1][:2] == ("show", 9)


def test_what_a_client_raises_is_replied_and_ends_the_process(tmp_path: Path, calls: list[tuple[Any, ...]]) -> None:
    replies: list[dict[str, str]] = []
    assert serve(_lines(tmp_path, _row(1, "bad"), _row(2, 0.5)), lambda **reply: replies.append(reply)) == 1
    assert replies[-1] == {"error": "ValueError: no such loss"}
    assert calls[-1] == ("close", True)


def test_secrets_of_the_environment_are_taken_out_of_what_is_said() -> None:
    environment = {"WANDB_API_KEY": KEY, "SOME_TOKEN": "tok", "HOME": "/home/somebody"}
    said = without_secrets(f"401 for {KEY} at https://me:pass@host/x in /home/somebody, tok", environment)
    assert said == "401 for *** at https://***@host/x in /home/somebody, tok"
