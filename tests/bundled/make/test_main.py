"""`python -m tiebreak.bundled.make`: its parts alone, or the model that is taught on them, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiebreak.bundled.make import __main__ as module


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """What was made, in order."""
    calls: list[tuple[str, Path]] = []

    def note(name: str) -> None:
        def part(path: Path, seed: int) -> None:
            assert seed == 7
            calls.append((name, path))

        monkeypatch.setattr(module, name, part)

    for name in ("write_preferences", "write_corpus", "write_tokenizer", "write_model"):
        note(name)
    monkeypatch.setattr(module, "teach", lambda out: calls.append(("teach", out)))
    return calls


@pytest.mark.parametrize("alone", [True, False])
def test_the_parts_come_before_the_model_that_learns_from_them(
    alone: bool, made: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--parts-only"] if alone else []
    monkeypatch.setattr("sys.argv", ["make", "out", "--seed", "7", *flags])
    module.main()
    out = Path("out")
    parts = [
        ("write_preferences", out / "preferences"),
        ("write_corpus", out / "corpus.jsonl"),
        ("write_tokenizer", out / "initial"),
        ("write_model", out / "initial"),
    ]
    assert made == parts + ([] if alone else [("teach", out)])


@pytest.mark.parametrize("begun", [True, False])
def test_teaching_goes_on_where_it_was_cut_off_and_gives_the_model_alone(
    begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def write_run() -> None:
        (tmp_path / "run" / "model").mkdir(parents=True)
        for name in ("model.safetensors", "README.md"):
            (tmp_path / "run" / "model" / name).touch()

    def train(recipe: object, *, out: Path, progress: object) -> None:
        calls.append("train")
        write_run()

    def resume(path: Path, *, progress: object) -> None:
        calls.append("resume")
        write_run()

    monkeypatch.setattr("tiebreak.workflow.train.train", train)
    monkeypatch.setattr("tiebreak.workflow.train.resume", resume)
    if begun:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "recipe.yaml").touch()
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "old.safetensors").touch()
    module.teach(tmp_path)
    assert calls == ["resume" if begun else "train"]
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["model.safetensors"]
