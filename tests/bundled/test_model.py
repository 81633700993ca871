import shutil
from pathlib import Path

from tiebreak.bundled import base_model_path, preferences_path
from tiebreak.bundled.model import initial_model


def test_initial_model_is_small_reproducible_and_loads(tokenizer_folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(tokenizer_folder, tmp_path, dirs_exist_ok=True)
    before = torch.get_rng_state()
    initial_model(tmp_path, seed=0)
    first = (tmp_path / "model.safetensors").read_bytes()
    initial_model(tmp_path, seed=0)
    assert (tmp_path / "model.safetensors").read_bytes() == first
    assert torch.equal(torch.get_rng_state(), before)
    assert len(first) <= 8_000_000

    model = AutoModelForCausalLM.from_pretrained(str(tmp_path))
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert 1_800_000 <= sum(p.numel() for p in model.parameters()) <= 2_000_000
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.generation_config.eos_token_id is not None


def test_paths_are_inside_the_package() -> None:
    assert base_model_path().name == "base"
    assert preferences_path("train").is_file()
    assert preferences_path("held_out").is_file()
