"""A run's model in another form: merged or as GGUF, and refused where there is nothing to write or no way to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflow.conftest import Small
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe
from tiebreak.runs import RunFolder
from tiebreak.workflow.export import export_run


def test_a_whole_run_has_nothing_to_merge(small: Small) -> None:
    run = small(train__max_steps=1)
    with pytest.raises(InputError, match="no adapter to merge"):
        export_run(run.path, merge=True)
    with pytest.raises(InputError, match="Say what to write"):
        export_run(run.path)


def test_an_unfinished_run_is_not_exported(small: Small, tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(), tmp_path / "begun")
    with pytest.raises(InputError, match="no finished model"):
        export_run(folder.path, merge=True)


def test_gguf_needs_the_converter(small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = small(model__adapter="lora", train__max_steps=1)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    with pytest.raises(InputError, match=r"llama\.cpp"):
        export_run(run.path, gguf=True)


def test_gguf_is_made_of_the_merged_model(small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = small(model__adapter="lora", train__max_steps=1)
    tools = tmp_path / "llama.cpp"
    tools.mkdir()
    # Stands for llama.cpp's script, with its arguments: it refuses what is no whole model.
    (tools / "convert_hf_to_gguf.py").write_text(
        "import pathlib, sys\n"
        "model, flag, out = sys.argv[1:]\n"
        "assert flag == '--outfile' and (pathlib.Path(model) / 'model.safetensors').is_file()\n"
        "pathlib.Path(out).write_bytes(b'GGUF')\n"
    )
    monkeypatch.setenv("LLAMA_CPP", str(tools))
    gguf, modelfile = export_run(run.path, gguf=True)
    assert gguf.read_bytes() == b"GGUF"
    assert f"FROM ./{gguf.name}\n" in modelfile.read_text()
    assert "PARAMETER stop" in modelfile.read_text()
    assert not list(run.path.glob("tmp*"))


def test_a_folder_with_something_in_it_is_left_alone(
    small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = small(train__max_steps=1)
    (run.path / "gguf").mkdir()
    (run.path / "gguf" / "thesis.txt").write_text("mine")
    (tmp_path / "convert_hf_to_gguf.py").touch()
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    with pytest.raises(InputError, match="exists"):
        export_run(run.path, gguf=True)
    assert [path.name for path in (run.path / "gguf").iterdir()] == ["thesis.txt"]
