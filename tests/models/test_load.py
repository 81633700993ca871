"""From a name to a model: what is found, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.causal_models import causal_model
from tiebreak.errors import InputError
from tiebreak.models.load import check_readable_again, load_model, load_tokenizer, locate


def test_a_folder_is_loaded_in_float32_without_dropout(tmp_path: Path) -> None:
    ARCHITECTURES["gpt2"]().to(torch.bfloat16).save_pretrained(tmp_path)  # type: ignore[arg-type]
    model = load_model(str(tmp_path))
    assert model.dtype == torch.float32
    assert not model.training


def test_a_run_stands_for_its_model(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("{}")
    with pytest.raises(InputError, match="no finished model yet") as caught:
        locate(str(tmp_path))
    assert "--resume" in str(caught.value)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    assert locate(str(tmp_path)).source == str(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bundled:bose", "bundled:base"),
        ("./nothing", "no model folder"),
        ("a/b/c", "no model folder"),
        ("", "has no name"),
        ("someone/some-model", "cannot be reached"),
    ],
)
def test_a_model_that_is_not_there_is_a_sentence(name: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load_model(name)
    assert says in str(caught.value)


def test_a_near_folder_is_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ARCHITECTURES["gpt2"]().save_pretrained(tmp_path / "my-gpt2")
    with pytest.raises(InputError, match="my-gpt") as caught:
        load_model("my-gpt")
    assert "did you mean 'my-gpt2'?" in str(caught.value)


@pytest.mark.parametrize(("name", "refused"), [("mllama", True), ("emu3", True), ("llama4", False), ("llama", False)])
def test_a_model_that_could_not_be_read_again_is_refused(name: str, refused: bool) -> None:
    model = causal_model(name)
    if not refused:
        check_readable_again(model)
        return
    with pytest.raises(InputError, match="cannot be loaded again") as caught:
        check_readable_again(model)
    assert "--adapter lora" in str(caught.value)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    model = ARCHITECTURES["gpt2"]()
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="no safetensors"):
        load_model(str(tmp_path))


def test_a_folder_that_is_no_language_model_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(str(tmp_path))
    with pytest.raises(InputError, match="cannot be loaded"):
        load_tokenizer(str(tmp_path))


def test_half_a_file_of_weights_is_named(tmp_path: Path) -> None:
    ARCHITECTURES["gpt2"]().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(InputError) as caught:
        load_model(str(tmp_path))
    assert caught.value.where == str(file)


def test_a_model_without_tokenizer_is_a_sentence(tmp_path: Path) -> None:
    ARCHITECTURES["qwen2"]().save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no tokenizer"):
        load_tokenizer(str(tmp_path))
