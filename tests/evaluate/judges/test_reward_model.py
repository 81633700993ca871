"""A reward model: its own tokenizer and template, batches that change no score, texts that are too long."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from tiebreak.data.preference import Message
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


def test_the_score_is_that_of_transformers(tmp_path: Path) -> None:
    name = saved(tmp_path, labels=2)
    tokenizer = load_tokenizer("bundled:base")
    ids = tokenizer("u Why? a Paris ", return_tensors="pt", add_special_tokens=False)["input_ids"]
    logits = Qwen2ForSequenceClassification.from_pretrained(name)(ids).logits[0]
    (score,), _ = reward_model_judge(name).scores([(PROMPT, "Paris")])
    assert score == pytest.approx(float(logits[1] - logits[0]), abs=1e-5)


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
    torch.manual_seed(0)
    config = cast(Any, BertConfig)(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        num_labels=1,
    )
    model: Any = BertForSequenceClassification(config)
    model.eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (one, other), _ = reward_model_judge(str(tmp_path)).scores([(PROMPT, "because"), (PROMPT, "no no because")])
    with torch.no_grad():
        expected = float(model(**tokenizer("Why?", "because", return_tensors="pt")).logits[0, 0])
    assert one == pytest.approx(expected, abs=1e-5)
    assert one != other
