"""What is wrong is one sentence and exit code 2, nothing is half done, and the token is said nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hub.conftest import TOKEN, Ask
from tests.hub_server import Hub
from tests.hub_store import Repository

pytestmark = pytest.mark.journey  # each of these is a run, or a server that is asked many times

PUSH = ["push", "runs/mine"]


def one_sentence(err: str) -> str:
    lines = err.strip().splitlines()
    assert lines[0].startswith("error: "), err
    assert all(line.startswith(("  where: ", "  what to do: ")) for line in lines[1:]), err
    assert "Traceback" not in err
    return lines[0]


def test_what_the_user_got_wrong_is_said_before_anything_is_asked(
    run: Path, hub: Hub, ask: Ask, tmp_path: Path
) -> None:
    unfinished = tmp_path / "runs" / "half"
    unfinished.mkdir()
    (unfinished / "recipe.yaml").write_text((run / "recipe.yaml").read_text())
    (unfinished / "manifest.json").write_text(json.dumps({"status": "interrupted"}))
    answers = ask(
        [*PUSH, "no-owner"],
        [*PUSH, "ann/with--dashes"],
        ["push", "runs/none", "ann/tuned"],
        ["push", "runs/half", "ann/tuned"],
        [*PUSH, "ann/tuned", "--merge"],
        [*PUSH, "ann/tuned", "--adapter-only"],
        [*PUSH, "ann/tuned", "--out", "here"],
    )
    for said, expected in zip(
        answers,
        [
            "owner/name",
            "with--dashes",
            "There is no run",
            "not finished (interrupted)",
            "--merge",
            "--adapter-only",
            "--dry-run",
        ],
        strict=True,
    ):
        assert said.code == 2, said
        one_sentence(said.err)
        assert expected in said.err
    assert hub.requests == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("hf", "tiebreak")) == ["runs"]


def test_without_a_token_it_says_how_to_get_one(run: Path, hub: Hub, ask: Ask) -> None:
    (said,) = ask([*PUSH, "ann/tuned"], token=None)
    assert said.code == 2
    assert "hf auth login" in one_sentence(said.err) + said.err
    assert "HF_TOKEN" in said.err
    assert hub.requests == []


def test_a_token_that_the_hub_does_not_know(run: Path, hub: Hub, ask: Ask) -> None:
    (said,) = ask([*PUSH, "ann/tuned"], token="hf_nobody")
    assert said.code == 2
    assert "does not accept the token" in one_sentence(said.err)


def test_the_repository_of_somebody_else(run: Path, hub: Hub, ask: Ask) -> None:
    (said,) = ask([*PUSH, "bob/tuned"])
    assert said.code == 2
    assert "The account 'ann' may not write to 'bob/tuned'" in one_sentence(said.err)
    assert not hub.store.repositories


def test_a_public_repository_is_not_taken_for_a_private_one(run: Path, hub: Hub, ask: Ask) -> None:
    hub.store.repositories["models", "ann/tuned"] = Repository()
    (said,) = ask([*PUSH, "ann/tuned", "--private"])
    assert said.code == 2
    assert "is public" in one_sentence(said.err)
    assert hub.repository("ann/tuned").messages == []


@pytest.mark.parametrize("offline", [False, True])
def test_a_hub_that_cannot_be_reached(run: Path, ask: Ask, offline: bool) -> None:
    settings = {"HF_HUB_OFFLINE": "1"} if offline else {"HF_ENDPOINT": "http://127.0.0.1:9"}
    (said,) = ask([*PUSH, "ann/tuned"], **settings)
    assert said.code == 2
    assert "The Hub cannot be reached" in one_sentence(said.err)
    assert ("HF_HUB_OFFLINE is set" in said.err) == offline


REFUSALS = [
    ("put", 507, "Insufficient Storage", 2, "no room"),
    ("commit", 413, "Payload too large", 2, "no room"),
    ("preupload", 403, "Private repository storage limit reached", 2, "no room"),
    ("batch", 403, "read-only", 2, "may not write"),
    ("commit", 409, "conflict", 1, "changed by somebody else"),
    ("commit", 400, "bad for TOKEN", 2, "does not accept the upload"),
]


def test_a_server_that_refuses_leaves_no_half(run: Path, hub: Hub, ask: Ask) -> None:
    names = [f"ann/tuned-{number}" for number in range(len(REFUSALS))]
    for name, (step, status, message, _, _) in zip(names, REFUSALS, strict=True):
        hub.moods.refuse[f"{step} {name}"] = (status, message)
    answers = ask(*([*PUSH, name] for name in names))
    for name, said, (_, _, message, code, expected) in zip(names, answers, REFUSALS, strict=True):
        assert said.code == code, said
        assert expected in one_sentence(said.err)
        assert TOKEN not in said.out + said.err
        assert hub.repository(name).messages == []
        assert message == "conflict" or message.split(" TOKEN")[0] in said.err
    assert not list(run.glob(".push-*"))


def test_a_file_over_the_limit_of_the_hub_is_refused(run: Path, hub: Hub, ask: Ask) -> None:
    with (run / "model" / "model.safetensors").open("r+b") as weights:
        weights.truncate(50 * 1000**3 + 1)  # a hole: it takes no room on the disk
    (said,) = ask([*PUSH, "ann/tuned"])
    assert said.code == 2
    assert "at most 50 GB a file" in one_sentence(said.err)
    assert not hub.store.repositories


def test_the_token_is_nowhere(run: Path, hub: Hub, ask: Ask, tmp_path: Path) -> None:
    hub.moods.refuse["commit ann/tuned"] = (400, "you sent TOKEN")
    debug, said, dry = ask(
        ["--debug", *PUSH, "ann/tuned"],
        [*PUSH, "ann/other", "--json"],
        [*PUSH, "ann/other", "--dry-run"],
    )
    assert (debug.code, said.code, dry.code) == (2, 0, 0)
    assert "Traceback" in debug.err
    for each in (debug, said, dry):
        assert TOKEN not in each.out + each.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path
    for content in hub.repository("ann/other").files().values():
        assert TOKEN.encode() not in content
