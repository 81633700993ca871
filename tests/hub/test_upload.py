"""Uploads: a name that the Hub can have, a dry run that needs no account, and what a program is told of either."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.errors import InputError
from tiebreak.hub import upload as module
from tiebreak.hub.staging import Staged, StagedFile, staged
from tiebreak.hub.upload import Committed, Pushed, Target, check_repo, deliver, dry_run_folder


@pytest.mark.parametrize("repo", ["ann/tuned", "a.b/c_d-1", "Ann-Lee/Model.v2"])
def test_a_name_that_the_hub_can_have_is_taken(repo: str) -> None:
    check_repo(repo)


@pytest.mark.parametrize(
    "repo",
    ["tuned", "ann/", "/tuned", "ann/a/b", "ann/with--dashes", "ann/x..y", "ann/.x", "ann/x y", "ann/" + "x" * 120],
)
def test_another_name_is_refused_with_the_form(repo: str) -> None:
    with pytest.raises(InputError, match="is not the name of a repository") as refused:
        check_repo(repo)
    assert "owner/name" in str(refused.value.fix)
    assert ".." not in refused.value.what.removeprefix(f"'{repo}'")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes when somebody is asked to be logged in."""
    calls: list[str] = []
    monkeypatch.setattr(module, "logged_in", lambda: calls.append("account"))
    return calls


def test_a_dry_run_needs_no_account_and_has_a_folder(
    asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dry_run_folder("ann/tuned", None, dry_run=True) == Path("tuned-dry-run")
    assert dry_run_folder("ann/tuned", None, dry_run=True, suffix="data") == Path("tuned-data")
    (tmp_path / "empty").mkdir()
    assert dry_run_folder("ann/tuned", "empty", dry_run=True) == Path("empty")
    assert asked == []


def test_a_dry_run_writes_over_nothing(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").touch()
    for out in (tmp_path / "taken", tmp_path / "taken" / "thesis.txt"):
        with pytest.raises(InputError, match="not an empty folder"):
            dry_run_folder("ann/tuned", out, dry_run=True)


def test_an_upload_needs_an_account_and_takes_no_folder(asked: list[str]) -> None:
    assert dry_run_folder("ann/tuned", None, dry_run=False) is None
    assert asked == ["account"]
    with pytest.raises(InputError, match="--out is for --dry-run"):
        dry_run_folder("ann/tuned", "here", dry_run=False)


@pytest.mark.parametrize("dry", [True, False])
def test_notes_are_said_first_and_what_was_gathered_is_uploaded_or_shown(
    dry: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("card")
    target, said = Target("ann/tuned", "model"), list[str]()
    what = staged(tmp_path / "out", ["The base is not on the Hub."])

    def upload(given: Staged, to: Target, **_: object) -> Committed:
        assert (given, to) == (what, target)
        said.append("uploaded")
        return Committed("https://hub/ann/tuned", "a" * 40, True)

    monkeypatch.setattr(module, "upload", upload)
    shown = tmp_path / "shown" if dry else None
    found = deliver(what, target, message="m", ours=(), shown=shown, say=said.append)
    assert said == ["The base is not on the Hub.", *([] if dry else ["uploaded"])]
    assert (found.committed is None) == dry
    assert (tmp_path / "shown" / "README.md").exists() == dry


def test_what_came_of_it_as_plain_values() -> None:
    files = (StagedFile("README.md", 4),)
    done = Pushed("ann/tuned", files, Committed("https://hub/ann/tuned", "a" * 40, False)).to_json()
    assert done == {
        "repo": "ann/tuned",
        "url": "https://hub/ann/tuned",
        "commit": "a" * 40,
        "changed": False,
        "folder": None,
        "files": [{"path": "README.md", "size": 4}],
    }
    dry = Pushed("ann/tuned", files, folder=Path("shown")).to_json()
    assert (dry["url"], dry["commit"], dry["changed"], dry["folder"]) == (None, None, None, "shown")
