"""The tokenizer and the untrained model."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.bundled.make.initial_model import VOCABULARY, write_model, write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(tokenizer_folder))


def test_the_same_seed_gives_the_same_files(tokenizer_folder: Path, tmp_path: Path) -> None:
    write_tokenizer(tmp_path, seed=0)
    first, again = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in (tokenizer_folder, tmp_path))
    assert first == again


def test_vocabulary_and_special_tokens(tokenizer: Any) -> None:
    assert len(tokenizer) == VOCABULARY
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.pad_token == "<|endoftext|>"
    assert tokenizer.eos_token_id != tokenizer.pad_token_id


def test_any_text_comes_back(tokenizer: Any) -> None:
    @given(st.text(max_size=60))
    def check(text: str) -> None:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids) == text

    check()


def test_digits_are_tokens_of_their_own(tokenizer: Any) -> None:
    assert tokenizer.tokenize("1234") == ["1", "2", "3", "4"]


def test_template_renders_a_conversation_with_a_system_message(tokenizer: Any) -> None:
    turns = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "What is 1 plus 2?"},
    ]
    expected = (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello!<|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nWhat is 1 plus 2?<|im_end|>\n"
    )
    assert tokenizer.apply_chat_template(turns, tokenize=False) == expected
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert prompt == expected + "<|im_start|>assistant\n"


def test_a_turn_marker_is_one_token_and_a_role_another(tokenizer: Any) -> None:
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Hello!"}], return_dict=False)
    pieces = [tokenizer.decode([i]) for i in ids]
    assert pieces[:3] == ["<|im_start|>", "user", "\n"]
    assert pieces[-2:] == ["<|im_end|>", "\n"]


def test_initial_model_is_small_reproducible_and_loads(tokenizer_folder: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(tokenizer_folder, tmp_path, dirs_exist_ok=True)
    before = torch.get_rng_state()
    write_model(tmp_path, seed=0)
    first = (tmp_path / "model.safetensors").read_bytes()
    write_model(tmp_path, seed=0)
    assert (tmp_path / "model.safetensors").read_bytes() == first
    assert torch.equal(torch.get_rng_state(), before)
    assert len(first) <= 8_000_000

    model: Any = AutoModelForCausalLM.from_pretrained(str(tmp_path))
    assert type(model).__name__ == "Qwen2ForCausalLM"
    assert 1_800_000 <= sum(p.numel() for p in model.parameters()) <= 2_000_000
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert model.generation_config.eos_token_id is not None
