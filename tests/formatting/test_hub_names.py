"""What can be looked up on the Hub is told from what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.formatting.hub_names import hub_id, license_fields


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt2", True),
        ("someone/model-1.5", True),
        ("bundled:base", False),
        ("/a/folder", False),
        ("./folder", False),
        ("a/b/c", False),
        ("votes.jsonl", False),
        ("with space", False),
        ("a--b", False),
        ("evil\n", False),
        ("", False),
        (None, False),
    ],
)
def test_hub_ids_are_told_from_paths(name: str | None, expected: bool) -> None:
    assert (hub_id(name) is not None) == expected


def test_a_folder_of_that_name_is_not_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "first").mkdir(parents=True)
    assert hub_id("runs/first") is None


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("MIT", {"license": "mit"}),
        ("llama3.1", {"license": "llama3.1"}),
        ("our own", {"license": "other", "license_name": "our own"}),
        ("mit-like", {"license": "other", "license_name": "mit-like"}),
    ],
)
def test_the_hub_gets_only_licenses_that_it_knows(name: str, fields: dict[str, str]) -> None:
    assert license_fields(name) == fields
