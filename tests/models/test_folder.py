"""A model folder that is not whole is refused by the file that is wrong, before anything large is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.architectures import ARCHITECTURES
from tiebreak.bundled import base_model_path
from tiebreak.errors import InputError
from tiebreak.models.folder import check_model_folder, near_models, parameters_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a whole model with its tokenizer."""
    path = tmp_path / "my-model"
    path.mkdir()
    for file in base_model_path().iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    check_model_folder(path, str(path))
    return path


def _refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        check_model_folder(folder, str(folder))
    return caught.value


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.3, 0.9999])
def test_a_file_of_weights_that_is_cut_off_is_named(folder: Path, share: float) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    assert _refused(folder).where == str(file)


@pytest.mark.parametrize("text", [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9", b"<html>" * 9])
def test_a_file_that_is_no_weights_is_named(folder: Path, text: bytes) -> None:
    (folder / "model.safetensors").write_bytes(text)
    assert _refused(folder).where == str(folder / "model.safetensors")


def test_a_missing_shard_is_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert _refused(folder).where == str(folder / "model-00002-of-00002.safetensors")


def test_a_model_without_tokenizer_is_refused(folder: Path) -> None:
    for file in folder.glob("*token*"):
        file.unlink()
    error = _refused(folder)
    assert "has no tokenizer" in error.what
    assert "save_pretrained" in str(error.fix)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_configuration_is_named(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    assert _refused(folder).where == str(folder / "config.json")


def test_a_folder_that_is_no_model_names_those_that_are(folder: Path) -> None:
    assert str(folder) in str(_refused(folder.parent).fix)
    other = folder.parent / "my-modell"
    other.mkdir()
    assert f"did you mean '{folder}'?" in str(_refused(other).fix)


def test_neighbours_of_a_path_are_proposed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert near_models(Path("./my-modle"), "./my-modle") == "did you mean 'my-model'?"
    assert near_models(Path("./zzz"), "./zzz") == "models beside it: my-model"
    assert near_models(Path("x/y/z"), "x/y/z") == "there is no folder 'x/y' either"


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_parameters_are_counted_in_the_files(name: str, tmp_path: Path) -> None:
    model = ARCHITECTURES[name]()
    model.save_pretrained(tmp_path)
    stored = len({p.data_ptr() for p in model.parameters()})
    assert stored
    assert parameters_in(tmp_path) == sum(p.numel() for p in model.parameters())
