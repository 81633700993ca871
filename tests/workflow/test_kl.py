"""KL from a reference: by hand on the very tokens that were drawn, at temperature 1 whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.workflow.conftest import small_recipe
from tiebreak.errors import InputError
from tiebreak.generation.generate import Sampling
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.recipe import ModelSection
from tiebreak.runs import RunFolder
from tiebreak.workflow.judging import AnswersQuestion, evaluate_answers
from tiebreak.workflow.kl import check_one_reference, kl_sampling, references

BASE = "bundled:base"
ASKED = ["What is the capital of France?", "What is 2 plus 3?", "word " * 3000, "How do you spell 'cat'?"]
PLAIN = Sampling(1.0, max_new_tokens=6, seed=1)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with other weights."""
    folder = tmp_path_factory.mktemp("other")
    model = load_model(BASE)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.1 * weights.std() * torch.randn_like(weights))
    model.save_pretrained(folder)
    load_tokenizer(BASE).save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("prompts.txt").write_text("\n".join(ASKED))


def question(model: str, sampling: Sampling = PLAIN, **more: object) -> AnswersQuestion:
    """How far is a model from the bundled one?"""
    asked = AnswersQuestion((model,), "prompts.txt", sampling=sampling, kl=True, reference=BASE)
    return replace(asked, **more)  # type: ignore[arg-type]


def logp(name: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """The log-prob of an answer, by a plain forward pass."""
    model = load_model(name)
    row = torch.tensor([[*prompt, *answer]])
    with torch.no_grad():
        scores = model(row).logits[0].double().log_softmax(-1)
    return sum(float(scores[len(prompt) - 1 + at, token]) for at, token in enumerate(answer))


def test_it_is_the_log_ratio_of_the_very_tokens_that_were_drawn(other: str) -> None:
    found = evaluate_answers(question(other))
    (measured,) = found.kl
    ((answers, _),) = found.alone
    assert measured.answers is answers  # asked at temperature 1, so nothing is drawn for the KL alone
    assert (measured.model, measured.reference) == (other, BASE)
    for number, ratio in enumerate(measured.log_ratios):
        if number == 2:
            assert ratio is None  # no room for an answer
            assert answers.ids[2] == ()
            continue
        both = [logp(name, answers.prompt_ids[number], answers.ids[number]) for name in (other, BASE)]
        assert ratio == pytest.approx(both[0] - both[1], abs=1e-3)
    there = [each for each in measured.log_ratios if each is not None]
    assert measured.found is not None
    assert measured.found.value.value == pytest.approx(sum(there) / 3)
    assert measured.found.answers == 3
    assert measured.left_out == 1
    ends = load_tokenizer(BASE).eos_token_id
    for ended, ids in zip(answers.ended, answers.ids, strict=True):
        assert not ids or (ids[-1] == ends) == ended  # the token that ends an answer is part of it
    assert measured.cut == sum(len(ids) == 6 and ids[-1] != ends for ids in answers.ids)
    assert f"{other} kl" in found.sheet().headings
    assert f"{other} kl answer" not in found.sheet().headings
    written = found.to_json()["kl"][0]
    assert (written["left_out"], written["kl"]["answers"]) == (1, 3)


def test_answers_of_another_temperature_are_drawn_again_for_it(other: str) -> None:
    found = evaluate_answers(question(other, replace(PLAIN, temperature=0.0)))
    (measured,) = found.kl
    ((answers, _),) = found.alone
    assert answers.record["sampling"]["temperature"] == 0.0
    assert measured.answers.record["sampling"]["temperature"] == 1.0
    assert measured.log_ratios == evaluate_answers(question(other)).kl[0].log_ratios
    names = [name.removeprefix(other) for name in found.sheet().headings]
    assert names == ["prompt", "", " tokens", " ended", " kl", " kl answer"]
    again = evaluate_answers(question(other, replace(PLAIN, temperature=0.0)))
    assert again.kl[0].answers.kept == len(ASKED)
    assert again.kl[0].found == measured.found


def test_what_is_asked_beside_the_temperature_is_asked_of_the_answers_for_kl_too() -> None:
    asked = Sampling(0.7, top_p=0.9, max_new_tokens=5, seed=9, top_k=3, repetition_penalty=1.2)
    assert kl_sampling(asked) == Sampling(1.0, max_new_tokens=5, seed=9)
    assert kl_sampling(kl_sampling(asked)) == kl_sampling(asked)


def test_a_model_is_no_way_from_itself_and_without_room_there_is_nothing_to_say(other: str) -> None:
    (measured,) = evaluate_answers(question(BASE)).kl
    assert measured.found is not None
    assert measured.found.value.value == 0.0
    Path("prompts.txt").write_text("word " * 3000)
    (nothing,) = evaluate_answers(question(other)).kl
    assert (nothing.found, nothing.log_ratios, nothing.left_out) == (None, (None,), 1)
    assert nothing.to_json()["kl"] is None


def test_whose_reference_is_which(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.recipe_path.write_text(small_recipe(model__name="gpt2", model__adapter="lora").to_yaml())
    run = str(folder.path)
    assert references([run], None, "other")[run] == ModelSection(name="gpt2")
    assert references([run], "named", "other")[run] == ModelSection(name="named")
    assert references(["plain", "other"], None, "other") == {"plain": ModelSection(name="other")}
    with pytest.raises(InputError, match="'plain' is no run, so there is nothing to measure its KL from"):
        references([run, "plain"], None, None)


def test_one_picture_needs_one_reference(tmp_path: Path) -> None:
    base, gpt2 = ModelSection(name=BASE), ModelSection(name="gpt2")
    check_one_reference({"a": base, "b": base})
    check_one_reference({})
    check_one_reference({"a": ModelSection(name=str(tmp_path)), "b": ModelSection(name=f"{tmp_path}/")})
    with pytest.raises(InputError, match="'a' is measured from 'bundled:base' and 'b' from 'gpt2'"):
        check_one_reference({"a": base, "b": gpt2, "c": gpt2})
    with pytest.raises(InputError, match="one picture needs one reference"):
        check_one_reference({"a": gpt2, "b": ModelSection(name="gpt2", revision="v2")})


def test_a_reference_with_other_tokens_is_refused(other: str, tmp_path: Path) -> None:
    folder = tmp_path / "words"
    load_model(BASE).save_pretrained(folder)
    tokenizer = load_tokenizer(BASE)
    tokenizer.add_tokens(["<|more|>"])
    tokenizer.save_pretrained(folder)
    with pytest.raises(InputError, match="has another vocabulary"):
        evaluate_answers(question(other, reference=str(folder)))


def test_a_reference_without_some_of_the_tokens_is_refused(other: str, tmp_path: Path) -> None:
    folder = tmp_path / "narrow"
    model = load_model(BASE)
    model.resize_token_embeddings(3)
    model.save_pretrained(folder)
    load_tokenizer(BASE).save_pretrained(folder)
    with pytest.raises(InputError, match="writes tokens that the reference"):
        evaluate_answers(question(other, reference=str(folder)))
