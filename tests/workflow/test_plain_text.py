"""What a model says of the plain text: as a plain forward pass says it, within its positions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rich.console import Console
from transformers import GPT2Config, GPT2LMHeadModel

from tests.training.small import word_tokenizer
from tiebreak.evaluate.perplexity import paragraphs
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import Recipe
from tiebreak.workflow.model import prepare_model
from tiebreak.workflow.plain_text import read_plain_text
from tiebreak.workflow.progress import Progress

BASE = "bundled:base"


def recipe_of(name: str) -> Recipe:
    return Recipe().with_settings({"model.name": name})


def test_the_bundled_model_reads_all_of_it_after_the_token_that_separates_texts() -> None:
    recipe = recipe_of(BASE)
    found = read_plain_text(recipe.model, prepare_model(recipe), Progress())
    assert list(found.texts) == paragraphs()
    model, tokenizer = load_model(BASE), load_tokenizer(BASE)
    assert [tokenizer.decode(list(ids)) for ids in found.ids] == paragraphs()  # no letter is unknown
    for number in (0, 7):
        row = torch.tensor([[tokenizer.eos_token_id, *found.ids[number]]])
        with torch.no_grad():
            scores = model(row).logits[0, :-1].double().log_softmax(-1)
        expected = float(scores.gather(1, row[0, 1:, None]).sum())
        assert found.logp[number] == pytest.approx(expected, rel=1e-5)


def test_paragraphs_are_cut_by_the_word_to_what_a_small_model_takes(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(vocab_size=61, n_positions=9, n_embd=8, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    recipe = recipe_of(str(tmp_path))
    found = read_plain_text(recipe.model, prepare_model(recipe), Progress())
    assert found.texts[0] == "A river begins where more water falls on"
    assert {len(ids) for ids in found.ids} == {8}  # and the token before them
    assert all(logp < 0 for logp in found.logp)


def test_a_tokenizer_without_a_token_to_begin_after_leaves_the_text_out_and_says_so(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(vocab_size=61, n_positions=64, n_embd=8, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    tokenizer = word_tokenizer()
    tokenizer.bos_token = tokenizer.eos_token = None
    tokenizer.save_pretrained(tmp_path)
    recipe, said = recipe_of(str(tmp_path)), io.StringIO()
    found = read_plain_text(recipe.model, prepare_model(recipe), Progress(Console(file=said)))
    assert set(found.texts) == {""}
    assert set(found.logp) == {0.0}
    assert "plain text is left out" in said.getvalue()
