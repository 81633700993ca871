"""A model through the harness: the figures are those of its own command, and nothing of the process stays changed."""

from __future__ import annotations

import copy
import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.evaluate.harness.folder import needs_harness, own_tasks
from tiebreak.errors import InputError
from tiebreak.evaluate.harness.ask import ask, group_differences
from tiebreak.evaluate.harness.scores import TaskScore, difference
from tiebreak.evaluate.harness.tasks import LoadedTasks, load_tasks
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.process.host import same_host

pytestmark = needs_harness

BASE = "bundled:base"
ALONE = ("tiebreak_facts", "tiebreak_facts_written", "tiebreak_facts_read", "tiebreak_facts_classes")


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return load_model(BASE)


@pytest.fixture(scope="module")
def other(model: PreTrainedModel) -> PreTrainedModel:
    """One that answers otherwise."""
    found = copy.deepcopy(model)
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in found.parameters():
            weights.add_(0.3 * weights.std() * torch.randn_like(weights))
    return found


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(BASE)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = own_tasks(tmp_path, monkeypatch)
    with same_host():
        yield found


def by_key(scores: tuple[TaskScore, ...]) -> dict[str, TaskScore]:
    return {f"{each.task} {each.metric}": each for each in scores}


def test_figures_are_those_of_the_harness_by_itself(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    loaded = load_tasks(ALONE, folder)
    done: list[tuple[int, int]] = []
    found, cut = ask(model, tokenizer, loaded, name=BASE, on_progress=lambda count, total: done.append((count, total)))
    theirs: Any = lm_eval.simple_evaluate(
        model=HFLM(pretrained=model, tokenizer=tokenizer),
        tasks=list(ALONE),
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        bootstrap_iters=0,
    )
    scores = by_key(found)
    assert cut == 0
    assert set(scores) == {
        *("tiebreak_facts acc", "tiebreak_facts acc_norm", "tiebreak_facts_written exact_match"),
        *("tiebreak_facts_read word_perplexity", "tiebreak_facts_classes mcc"),
    }
    for each in found:
        expected = theirs["results"][each.task][f"{each.metric},{each.filter}"]
        assert each.score.value == pytest.approx(expected, rel=1e-5), each.key
        assert each.documents == 20
        assert each.shots == theirs["n-shot"][each.task]
    assert 0.3 < scores["tiebreak_facts acc"].score.value < 1  # it knows some of it: neither chance nor all
    assert scores["tiebreak_facts_written exact_match"].shots == 1
    assert scores["tiebreak_facts_read word_perplexity"].higher_is_better is False
    assert max(total for _, total in done) == 2 * 80  # four choices of each document, for two tasks
    assert [count for count, total in done if count == total] == [total for count, total in done if count == total]


def test_errors_are_those_of_the_harness(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    from lm_eval.api.metrics import bootstrap_stderr, matthews_corrcoef, mean_stderr

    found, _ = ask(model, tokenizer, load_tasks(ALONE, folder), name=BASE)
    scores = by_key(found)
    accuracy = scores["tiebreak_facts acc"]
    assert accuracy.score.error == pytest.approx(mean_stderr(list(accuracy.values.values())))
    assert scores["tiebreak_facts_read word_perplexity"].score.error is None  # the harness knows none either
    classes = scores["tiebreak_facts_classes mcc"]
    os.environ["DISABLE_MULTIPROC"] = "1"
    expected = bootstrap_stderr(matthews_corrcoef, list(classes.values.values()), iters=1000)
    assert classes.score.error == pytest.approx(expected, rel=0.15)


def test_the_same_model_again_differs_by_nothing_few_shot_examples_included(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    loaded = load_tasks(ALONE, folder)
    first, _ = ask(model, tokenizer, loaded, name=BASE)
    second, _ = ask(model, tokenizer, loaded, name=BASE)
    for one, again in zip(first, second, strict=True):
        assert difference(again, one).value == 0
        assert one.values == again.values


def test_two_models_differ_document_by_document_and_groups_as_the_harness_weights_them(
    model: PreTrainedModel, other: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    loaded = load_tasks(["tiebreak_group"], folder)
    before, _ = ask(model, tokenizer, loaded, name=BASE)
    after, _ = ask(other, tokenizer, loaded, name="other")
    scores, others = by_key(after), by_key(before)
    parts = [f"{task} acc" for task in ("tiebreak_facts", "tiebreak_group::facts_small")]
    leads = [difference(scores[part], others[part]) for part in parts]
    assert leads[0].value != 0
    group = group_differences(loaded, after, before)["tiebreak_group", "acc", "none"]
    whole = scores["tiebreak_group acc"]
    assert whole.group
    assert whole.documents == 25
    assert whole.parts == ("tiebreak_facts", "tiebreak_group::facts_small")
    assert whole.score.value == pytest.approx(
        (20 * scores[parts[0]].score.value + 5 * scores[parts[1]].score.value) / 25
    )
    assert group.value == pytest.approx((20 * leads[0].value + 5 * leads[1].value) / 25)
    assert group.value == pytest.approx(whole.score.value - others["tiebreak_group acc"].score.value)
    assert group.error is not None
    assert group.error > 0
    assert group.error < sum(lead.error for lead in leads if lead.error is not None)


def test_only_the_first_documents_are_asked(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    loaded = load_tasks(["tiebreak_facts"], folder)
    whole, _ = ask(model, tokenizer, loaded, name=BASE)
    some, _ = ask(model, tokenizer, loaded, name=BASE, limit=7)
    assert {each.documents for each in some} == {7}
    assert some[0].values == {number: whole[0].values[number] for number in range(7)}


def test_the_chat_template_is_used_where_it_is_asked_for(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_tasks(["tiebreak_facts_written"], folder)
    ask(model, tokenizer, loaded, name=BASE)
    (task,) = loaded.tasks.values()
    assert "<|im_start|>" not in task.instances[0].args[0]
    ask(model, tokenizer, loaded, name=BASE, chat=True)
    assert task.instances[0].args[0].startswith("<|im_start|>user\n")
    monkeypatch.setattr(tokenizer, "chat_template", None)
    with pytest.raises(InputError, match="has no chat template"):
        ask(model, tokenizer, loaded, name=BASE, chat=True)


def changed_task(folder: Path, *changes: tuple[str, str]) -> LoadedTasks:
    """The task of answers that are written, changed."""
    path = folder / "facts_written.yaml"
    for old, new in changes:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    return load_tasks(["tiebreak_facts_written"], folder)


def test_a_task_that_wants_more_than_the_model_can_is_a_sentence(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    loaded = changed_task(folder, ("max_gen_toks: 12", "max_gen_toks: 512"))
    with pytest.raises(InputError, match="wants answers of 512 tokens, and the model 'bundled:base' takes 512 in all"):
        ask(model, tokenizer, loaded, name=BASE)


def test_texts_that_are_cut_are_counted(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    loaded = changed_task(
        folder,
        ('doc_to_text: "{{question}}"', 'doc_to_text: "{% for _ in range(200) %}{{question}} {% endfor %}"'),
        ("num_fewshot: 1", "num_fewshot: 0"),
    )
    _, cut = ask(model, tokenizer, loaded, name=BASE, limit=3)
    assert cut == 3


def test_nothing_is_printed_and_nothing_stays_changed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = logging.getLogger("lm_eval")
    level, environment, drawn = log.level, dict(os.environ), random.getstate()
    capfd.readouterr()
    with same_host():
        ask(model, tokenizer, load_tasks(ALONE, folder), name=BASE)
        ask(model, tokenizer, load_tasks(["tiebreak_facts"], folder), name=BASE, limit=1)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert (log.level, log.handlers) == (level, [])
    assert dict(os.environ) == environment
    assert random.getstate() == drawn
