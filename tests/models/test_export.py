"""Models for elsewhere: whole and merged or not at all, and a Modelfile that says what the model was trained to see."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tiebreak.errors import InputError, RunError
from tiebreak.models.adapters import add_adapter, is_adapter_folder
from tiebreak.models.export import find_converter, merged_folder, modelfile, write_gguf
from tiebreak.models.load import load_model
from tiebreak.models.save import save_weights
from tiebreak.recipe import AdapterSection

CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    ARCHITECTURES["llama"]().save_pretrained(tmp_path / "base")
    word_tokenizer().save_pretrained(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    model = load_model(str(base))
    add_adapter(model, AdapterSection(rank=2), base=str(base), seed=0)
    folder = tmp_path / "adapter"
    folder.mkdir()
    save_weights(model, folder)
    word_tokenizer().save_pretrained(folder)
    (folder / "README.md").write_text("a card")
    return folder


def test_a_merged_folder_is_a_whole_model_with_what_lay_beside_the_adapter(adapter: Path, tmp_path: Path) -> None:
    merged_folder(adapter, tmp_path / "merged")
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
    assert not is_adapter_folder(tmp_path / "merged")
    assert not names & {"adapter_config.json", "adapter_model.safetensors"}
    assert load_model(str(tmp_path / "merged")).num_parameters() == load_model(str(adapter)).num_parameters()


def test_a_whole_model_is_not_merged_and_nothing_is_written(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no adapter to merge") as refused:
        merged_folder(base, tmp_path / "merged")
    assert refused.value.fix == f"take {base} as it is"
    assert not (tmp_path / "merged").exists()


def test_what_is_there_is_not_written_over(adapter: Path, tmp_path: Path) -> None:
    taken, file = tmp_path / "taken", tmp_path / "file"
    taken.mkdir()
    (taken / "thesis.txt").write_text("mine")
    file.write_text("mine")
    for to in (taken, file):
        with pytest.raises(InputError, match="exists"):
            merged_folder(adapter, to)
    assert (taken / "thesis.txt").read_text() == file.read_text() == "mine"


def test_the_converter_is_found_in_its_folder_or_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    with pytest.raises(InputError, match=r"llama\.cpp") as refused:
        find_converter()
    assert "LLAMA_CPP" in str(refused.value.fix)
    (tmp_path / "bin").mkdir()
    on_path = tmp_path / "bin" / "convert_hf_to_gguf"
    on_path.write_text("#!/bin/sh\n")
    on_path.chmod(0o755)
    assert find_converter() == on_path
    (tmp_path / "convert_hf_to_gguf.py").touch()
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    assert find_converter() == tmp_path / "convert_hf_to_gguf.py"


def test_a_converter_that_fails_is_quoted_with_its_last_line(tmp_path: Path) -> None:
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text("import sys\nsys.exit('Loading\\nModel FooForCausalLM is not supported')\n")
    with pytest.raises(RunError, match="converter failed: Model FooForCausalLM is not supported"):
        write_gguf(tmp_path, tmp_path / "out.gguf", converter)


def test_a_converter_that_writes_nothing_has_failed(tmp_path: Path) -> None:
    converter = tmp_path / "convert_hf_to_gguf.py"
    converter.write_text("print('done')\n")
    with pytest.raises(RunError, match="converter failed: done"):
        write_gguf(tmp_path, tmp_path / "out.gguf", converter)


def test_a_program_is_run_as_it_is(tmp_path: Path) -> None:
    converter = tmp_path / "convert_hf_to_gguf"
    converter.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\npathlib.Path(sys.argv[3]).write_text(sys.argv[1])\n"
    )
    converter.chmod(0o755)
    write_gguf(tmp_path / "model", tmp_path / "out.gguf", converter)
    assert (tmp_path / "out.gguf").read_text() == str(tmp_path / "model")


def test_a_model_of_transcripts_stops_where_it_would_speak_for_the_human() -> None:
    text = modelfile("m.gguf", template="transcript", chat_template=CHATML, stop="</s>")
    assert text.startswith('FROM ./m.gguf\nTEMPLATE """')
    assert "Human: {{ .Content }}" in text
    assert text.endswith('PARAMETER stop "</s>"\nPARAMETER stop "\\n\\nHuman:"\n')


def test_chatml_is_written_out_and_its_stop_given_once() -> None:
    text = modelfile("m.gguf", template="chat", chat_template=CHATML, stop="<|im_end|>")
    assert "<|im_start|>{{ .Role }}" in text
    assert text.count("PARAMETER stop") == 1


def test_another_template_is_left_to_the_file() -> None:
    assert modelfile("m.gguf", template="chat", chat_template="[INST]", stop=None) == "FROM ./m.gguf\n"
    assert modelfile("m.gguf", template="chat", chat_template="", stop='"\\') == (
        'FROM ./m.gguf\nPARAMETER stop "\\"\\\\"\n'
    )
