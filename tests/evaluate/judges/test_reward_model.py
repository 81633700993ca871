"""A reward model: its own tokenizer and template, paths and batches that change no score, texts that are too long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertTokenizer,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from tests.architectures import GROUPED, SHAPE, SPECIAL
from tests.classifiers import PADDED, classifier
from tiebreak.data.preference import Message
from tiebreak.engine.end_check import EndCheck
from tiebreak.errors import InputError
from tiebreak.evaluate.judges.reward_model import reward_model_judge
from tiebreak.models.load import load_tokenizer

TEMPLATE = "{% for m in messages %}{{ m.role[0] }} {{ m.content }} {% endfor %}"
PROMPT = (Message("user", "Why?"),)
WORDS = ["the", "capital", "of", "France", "is", "Paris", "and", "so", "on"]


def saved(folder: Path, *, labels: int = 1, template: str | None = TEMPLATE, pad: int | None = None) -> str:
    """A tiny reward model with a tokenizer of its own."""
    torch.manual_seed(0)
    tokenizer = load_tokenizer("bundled:base")
    tokenizer.chat_template = template
    config = cast(Any, Qwen2Config)(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        num_labels=labels,
        pad_token_id=pad,
    )
    cast(Any, Qwen2ForSequenceClassification)(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("pad", [None, 0])
def test_batches_give_what_each_text_has_alone(tmp_path: Path, pad: int | None) -> None:
    name = saved(tmp_path, pad=pad)
    asked = [(PROMPT, " ".join(WORDS[(i * 7 + j) % 9] for j in range(1 + i))) for i in range(8)]
    together, notes = reward_model_judge(name).scores(asked)
    in_threes, _ = reward_model_judge(name, batch_tokens=60).scores(asked)
    alone = [reward_model_judge(name, batch_tokens=1).scores([one])[0][0] for one in asked[:3]]
    assert notes == {}
    assert len(set(together)) == 8
    assert in_threes == pytest.approx(together, abs=1e-5)
    assert alone == pytest.approx(together[:3], abs=1e-5)


LONG = (Message("user", "What is the capital of France and so on?"), Message("assistant", "Paris."), PROMPT[0])
ASKED = [
    (prompt, " ".join(WORDS[(i * 7 + j) % 9] for j in range(1 + i)))
    for prompt in (PROMPT, LONG, (Message("user", "How?"),))
    for i in range(3)
]
VOCABULARY = {"vocab_size": len(load_tokenizer("bundled:base"))}
_GPT2 = {**SPECIAL, **VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
DECODERS = {
    f"{name}, {labels}": classifier(config, labels, **settings)
    for name, config, settings in (
        ("gpt2", "GPT2Config", _GPT2),
        ("llama", "LlamaConfig", {**GROUPED, **VOCABULARY}),
        ("qwen2", "Qwen2Config", {**GROUPED, **VOCABULARY}),
    )
    for labels in (1, 2)
}


def saved_as(folder: Path, model: Any) -> str:
    """A model beside the tokenizer of the bundled one."""
    tokenizer = load_tokenizer("bundled:base")
    tokenizer.chat_template = TEMPLATE
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@torch.no_grad()
def by_transformers(name: str, asked: Sequence[Any]) -> list[float]:
    """The score of each text, alone and by `transformers` itself."""
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(name), load_tokenizer("bundled:base")
    found = []
    for prompt, answer in asked:
        turns = [*prompt, Message("assistant", answer)]
        text = "".join(f"{turn.role[0]} {turn.content} " for turn in turns)
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        (logits,) = model(ids).logits
        found.append(float(logits[0] if len(logits) == 1 else logits[1] - logits[0]))
    return found


@pytest.mark.parametrize("name", DECODERS)
def test_by_trees_scores_are_those_of_transformers(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    folder = saved_as(tmp_path, DECODERS[name]())
    expected = by_transformers(folder, ASKED)
    for tokens in (1, 90, 8192):
        judge = reward_model_judge(folder, batch_tokens=tokens)
        found, notes = judge.scores(ASKED)
        assert found == pytest.approx(expected, abs=1e-5)
        assert (judge.record["path"], notes) == ("tree", {})
        assert judge.record["path_reason"].startswith("tree batches: scores agree to ")
    assert not caplog.records


@pytest.mark.parametrize("name", ["jamba", "qwen3_next"])
def test_a_model_in_which_texts_depend_on_each_other_goes_by_padded_batches(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = PADDED[name]()
    model.resize_token_embeddings(VOCABULARY["vocab_size"])
    folder = saved_as(tmp_path, model)
    judge = reward_model_judge(folder)
    assert judge.scores(ASKED)[0] == pytest.approx(by_transformers(folder, ASKED), abs=1e-5)
    assert judge.scores(ASKED[:2])[0] == pytest.approx(by_transformers(folder, ASKED[:2]), abs=1e-5)
    assert judge.record["path"] == "padded"
    assert judge.record["path_reason"].startswith("padded batches: by trees scores differ by ")
    (said,) = [record for record in caplog.records if record.name.startswith("tiebreak")]  # once
    assert said.getMessage().startswith(f"the reward model '{folder}' goes by padded batches, slower: by trees scores")


def test_the_path_shows_once_texts_are_there(tmp_path: Path) -> None:
    judge = reward_model_judge(saved(tmp_path))
    assert judge.record == {"reward_model": str(tmp_path)}
    judge.scores(ASKED[:1])
    assert judge.record["path"] == "padded"
    assert judge.record["path_reason"] == "padded batches: a single text shares nothing"
    judge.scores(ASKED)
    assert judge.record["path"] == "tree"


def test_a_text_that_ends_in_padding_is_scored_before_it_on_both_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer("bundled:base")
    model = DECODERS["llama, 1"]()
    (model.config.pad_token_id,) = tokenizer(" Paris", add_special_tokens=False)["input_ids"]
    folder = saved_as(tmp_path, model)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role[0] }} {{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    asked = [(PROMPT, "of Paris Paris"), (PROMPT, "of"), (PROMPT, "of Paris on")]
    judge = reward_model_judge(folder)
    by_trees, _ = judge.scores(asked)
    assert judge.record["path"] == "tree"
    assert by_trees[0] == by_trees[1] != by_trees[2]
    monkeypatch.setattr("tiebreak.evaluate.judges.reward_trees.check_end_scores", _finds_fault)
    padded = reward_model_judge(folder)
    assert padded.scores(asked)[0] == pytest.approx(by_trees, abs=1e-5)
    assert padded.record["path"] == "padded"


def _finds_fault(*_: object) -> EndCheck:
    return EndCheck("a fault")


def test_the_score_is_that_of_transformers(tmp_path: Path) -> None:
    name = saved(tmp_path, labels=2)
    (score,), _ = reward_model_judge(name).scores([(PROMPT, "Paris")])
    assert score == pytest.approx(by_transformers(name, [(PROMPT, "Paris")])[0], abs=1e-5)


def test_what_is_too_long_has_no_score_and_is_counted(tmp_path: Path) -> None:
    found, notes = reward_model_judge(saved(tmp_path)).scores([(PROMPT, "t5"), (PROMPT, "Paris " * 80)])
    assert found[0] is not None
    assert found[1] is None
    assert notes == {"longer than the reward model takes": 1}


def test_a_model_that_gives_no_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 labels"):
        reward_model_judge(saved(tmp_path / "three", labels=3)).scores([(PROMPT, "t5")])
    with pytest.raises(InputError, match="no chat template"):
        reward_model_judge(saved(tmp_path / "bare", template=None)).scores([(PROMPT, "t5")])
    with pytest.raises(InputError, match="is no reward model: its weights lack"):
        reward_model_judge("bundled:base").scores([(PROMPT, "t5")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be loaded"):
        reward_model_judge(str(tmp_path / "empty")).scores([(PROMPT, "t5")])


def test_an_encoder_reads_question_and_answer_as_two_texts(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "why", "?", "because", "no"]
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
    settings = {**SHAPE, "vocab_size": len(words), "type_vocab_size": 2}
    model: Any = classifier("BertConfig", **settings)()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    judge = reward_model_judge(str(tmp_path))
    (one, other), _ = judge.scores([(PROMPT, "because"), (PROMPT, "no no because")])
    with torch.no_grad():
        read = tokenizer("Why?", "because", return_tensors="pt")
        expected, untold = float(model(**read).logits[0, 0]), float(model(read["input_ids"]).logits[0, 0])
    assert one == pytest.approx(expected, abs=1e-5)
    assert abs(expected - untold) > 1e-2  # which text a token is of matters
    assert one != other
    assert judge.record["path"] == "padded"
    assert (
        judge.record["path_reason"]
        == "padded batches: the model is told which tokens are the question's, as encoders are"
    )


def test_an_encoder_without_kinds_of_tokens_says_why_it_is_padded(tmp_path: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "why", "?", "because", "no"]
    model = classifier("DebertaV2Config", **{**SHAPE, "vocab_size": len(words), "type_vocab_size": 0})()
    model.save_pretrained(tmp_path)
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(tmp_path)
    judge = reward_model_judge(str(tmp_path))
    found, _ = judge.scores([(PROMPT, "because"), (PROMPT, "no no because")])
    assert len(set(found)) == 2
    assert judge.record["path"] == "padded"
    assert "no linear head over the last token" in judge.record["path_reason"]
