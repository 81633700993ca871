"""GGUF files are read as the models they are, once, and what cannot be read is said."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("gguf", reason="needs the reader of GGUF files: pip install 'tiebreak[gguf]'")

from tests.models.gguf_files import TEMPLATE, write_gguf
from tiebreak.errors import InputError
from tiebreak.models.gguf import gguf_folder, gguf_note, precision_sentence
from tiebreak.models.load import load_config, load_model, load_tokenizer

REAL = Path(__file__).parents[2] / ".cache" / "SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIEBREAK_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    write_gguf(path := tmp_path_factory.mktemp("gguf") / "Tiny.gguf")
    return path


def test_a_file_of_whole_numbers_is_the_model_that_it_was_made_of(whole: Path, cache: Path) -> None:
    before, after = load_model("bundled:base"), load_model(str(whole))
    ids = torch.arange(40)[None]
    with torch.no_grad():
        assert torch.equal(before(ids).logits, after(ids).logits)
    assert gguf_note(str(whole)) == "its weights are float32: nothing was lost"
    config = load_config(str(whole))
    assert (config.model_type, config.license) == ("qwen2", "mit")
    assert not hasattr(config, "quantization_config")


def test_template_and_special_tokens_are_those_of_the_file(whole: Path, cache: Path) -> None:
    before, after = load_tokenizer("bundled:base"), load_tokenizer(str(whole))
    text = "<|im_start|>What is 2 and 3, naïve 🦘?<|im_end|>\n"
    assert after(text)["input_ids"] == before(text)["input_ids"]
    assert (after.chat_template, after.eos_token) == (TEMPLATE, before.eos_token)
    assert {token.content for token in after.added_tokens_decoder.values() if token.special} >= set(
        before.all_special_tokens
    )


def test_what_was_rounded_is_said_by_type(tmp_path: Path, cache: Path) -> None:
    write_gguf(file := tmp_path / "small.gguf", kind="Q8_0")
    model, ids = load_model(str(file)), torch.arange(40)[None]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    with torch.no_grad():
        difference = (model(ids).logits - load_model("bundled:base")(ids).logits).abs().mean()
    assert 0 < difference < 0.05
    assert "99% Q8_0;" in str(gguf_note(str(file)))


def test_a_copy_is_not_read_again_and_a_changed_file_is(tmp_path: Path, cache: Path, whole: Path) -> None:
    folder = gguf_folder(whole)
    made = (folder / "config.json").stat().st_mtime_ns
    copy = tmp_path / "copy.GGUF"
    copy.write_bytes(whole.read_bytes())
    assert gguf_folder(copy) == folder
    assert (folder / "config.json").stat().st_mtime_ns == made
    write_gguf(copy, kind="F16")
    assert gguf_folder(copy) != folder
    assert "99% F16;" in str(gguf_note(str(copy)))


def _read(file: str, found: Any) -> None:
    found.put(str(gguf_folder(Path(file))))


@pytest.mark.journey
def test_two_at_once_make_one_folder(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path))
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    two = [context.Process(target=_read, args=(str(whole), found)) for _ in range(2)]
    for one in two:
        one.start()
    assert found.get(timeout=200) == found.get(timeout=200)
    for one in two:
        one.join()
    assert len([entry for entry in (tmp_path / "gguf").iterdir() if entry.is_dir()]) == 1


def test_what_a_killed_reading_left_is_made_anew(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path))
    monkeypatch.setattr("tiebreak.models.gguf.write_plain", _half)
    with pytest.raises(KeyboardInterrupt):
        gguf_folder(whole)
    assert not [entry for entry in (tmp_path / "gguf").iterdir() if entry.is_dir()]
    monkeypatch.undo()
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path))
    assert (gguf_folder(whole) / "model.safetensors").is_file()


def _half(file: Path, folder: Path) -> None:
    (folder / "config.json").write_text("{")
    raise KeyboardInterrupt


def test_what_is_no_gguf_file_is_refused(tmp_path: Path, cache: Path, whole: Path) -> None:
    files = {"text.gguf": b"What?", "empty.gguf": b"", "cut.gguf": whole.read_bytes()[:-100_000]}
    files |= {"head.gguf": whole.read_bytes()[:30], "middle.gguf": whole.read_bytes()[:5000]}
    said = {"text.gguf": "is no GGUF file", "empty.gguf": "is empty"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=said.get(name, "cut off or damaged")) as caught:
            load_model(str(tmp_path / name))
        assert caught.value.where == str(tmp_path / name)
    with pytest.raises(InputError, match="There is no file") as caught:
        load_model(str(tmp_path / "txet.gguf"))
    assert "text.gguf" in str(caught.value.fix)
    with pytest.raises(InputError, match="holds GGUF files: name one"):
        load_model(str(tmp_path))


def test_a_model_that_nobody_here_can_read_is_refused_by_what_it_is(tmp_path: Path, cache: Path) -> None:
    write_gguf(strange := tmp_path / "strange.gguf", architecture="clip")
    with pytest.raises(InputError, match="architecture 'clip' cannot be read"):
        load_model(str(strange))
    write_gguf(part := tmp_path / "model-00001-of-00002.gguf", parts=2)
    with pytest.raises(InputError, match="one of 2 parts"):
        load_model(str(part))


def test_shares_of_types_are_of_all_weights() -> None:
    assert precision_sentence(Counter({"F32": 5})).endswith("nothing was lost")
    assert "79% Q4_1, 21% Q8_0;" in precision_sentence(Counter({"F32": 1, "Q4_1": 790, "Q8_0": 210}))
    assert "all Q8_0" in precision_sentence(Counter({"Q8_0": 5}))
    assert "under 1% F16" in precision_sentence(Counter({"F32": 999, "F16": 1}))


@pytest.mark.journey
def test_the_real_model_answers() -> None:
    if not (REAL / "config.json").is_file():
        pytest.skip("needs SmolLM2: make real-model fetches it")
    from tiebreak.workflow.chat import open_conversation

    (answer,) = open_conversation(str(REAL)).answers("What is the capital of France?")
    assert "Paris" in "".join(answer[1])
    note = json.loads((REAL / "gguf.json").read_text(encoding="utf-8"))
    assert "Q4_1" in note["tensor_types"]


def test_a_folder_whose_file_may_not_be_read_is_said(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "closed.gguf"
    file.write_bytes(b"GGUF")
    file.chmod(0)
    if os.access(file, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(InputError, match="cannot be read"):
        gguf_folder(file)
