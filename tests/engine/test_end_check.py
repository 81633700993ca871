"""The check of a sequence classifier: trees only where they are right, and no error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.classifiers import BY_TREE, PADDED
from tests.engine.groups import GROUPS
from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import group_of
from tiebreak.engine.end_check import EndCheck, check_end_scores, compare_longest
from tiebreak.engine.end_scores import one_score

PAIRS = [group for group in GROUPS if len(group.completions) == 2]


def plain(make: Callable[[], Any]) -> Callable[[Sequence[Sequence[int]]], Tensor]:
    """Scores of each text alone, in a fresh model."""
    return lambda ids: torch.stack([one_score(make()(input_ids=torch.tensor([each])).logits)[0] for each in ids])


@pytest.mark.parametrize("name", BY_TREE)
def test_nothing_speaks_against_trees_where_they_are_right(name: str) -> None:
    make = BY_TREE[name]
    for groups in (PAIRS, GROUPS, GROUPS[:1]):
        found = check_end_scores(make(), groups, plain(make))
        assert found.fault == ""
        assert found.difference < 1e-5
    assert compare_longest(make(), GROUPS, plain(make)).fault == ""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("bert", "the model has no linear head over the last token of a text"),
        ("deberta", "the model has no linear head over the last token of a text"),
        ("bloom", "the model does not let its attention be chosen"),
        ("jamba", "by trees scores differ by "),
        ("qwen3_next", "by trees scores differ by "),
    ],
)
def test_what_speaks_against_trees_is_said(name: str, fault: str) -> None:
    make = PADDED[name]
    assert check_end_scores(make(), PAIRS, plain(make)).fault.startswith(fault)


@pytest.mark.parametrize("name", ["jamba", "qwen3_next"])
def test_a_leak_too_small_to_be_seen_in_a_score_is_a_leak(name: str) -> None:
    def small() -> Any:
        model = PADDED[name]()
        with torch.no_grad():
            for layer in model.model.layers:
                for parameter in layer.parameters():
                    parameter.mul_(0.1)
        return model

    found = check_end_scores(small(), PAIRS, plain(small))
    assert found.fault == "by trees texts depend on each other"
    assert 0 < found.difference < 1e-4


MANY = [
    group_of([5, 6, 7], [[10, 11], [12, 13, 14], [15, 16], [17, 18]]),
    group_of([20, 21], [[30, 31], [32, 33]]),
]


@pytest.mark.parametrize(("teller", "told"), [(a, b) for a in range(6) for b in range(6) if a != b])
def test_a_leak_between_any_two_texts_is_seen(teller: int, told: int) -> None:
    from tiebreak.engine.layout import build_tree

    model: Any = BY_TREE["llama"]()
    last = build_tree(MANY).last

    def whisper(_layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = given[0].clone()
        hidden[:, last[told]] += 1e-7 * given[0][:, last[teller]]
        return (hidden, *given[1:])

    model.model.layers[1].register_forward_pre_hook(whisper)
    assert check_end_scores(model, MANY, plain(BY_TREE["llama"])).fault == "by trees texts depend on each other"


def test_what_a_model_does_otherwise_with_long_texts_is_seen() -> None:
    make = BY_TREE["llama"]

    def long_ones_differ(ids: Sequence[Sequence[int]]) -> Tensor:
        return plain(make)(ids) + torch.tensor([float(len(each) > 40) for each in ids])

    groups = [*PAIRS, group_of(list(range(3, 60)), [[5, 6], [7], [8, 9, 10]])]
    assert check_end_scores(make(), groups, long_ones_differ).fault == ""
    found = compare_longest(make(), groups, long_ones_differ)
    assert "in texts of up to 60 tokens" in found.fault
    assert found.difference > 1e-2


def test_numbers_that_are_none_are_no_agreement() -> None:
    found = check_end_scores(BY_TREE["llama"](), PAIRS, lambda ids: torch.full((len(ids),), float("nan")))
    assert found.fault.startswith("by trees scores differ by nan")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (TreesUnsupported("it needs a mask"), "it needs a mask"),
        (IndexError("index 7\nsecond line"), "trees fail with this model: IndexError: index 7"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory does not suffice to try trees"),
    ],
)
def test_an_error_by_trees_is_a_fault(error: Exception, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("tiebreak.engine.end_check.end_scores", fails)
    assert check_end_scores(BY_TREE["llama"](), PAIRS, plain(BY_TREE["llama"])) == EndCheck(fault)


def test_a_gpu_that_failed_ends_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr("tiebreak.engine.end_check.end_scores", fails)
    with pytest.raises(torch.AcceleratorError):
        check_end_scores(BY_TREE["llama"](), PAIRS, plain(BY_TREE["llama"]))


def test_a_long_text_for_which_memory_does_not_suffice_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("tiebreak.engine.end_check.end_scores", fails)
    assert compare_longest(BY_TREE["llama"](), PAIRS, plain(BY_TREE["llama"])) == EndCheck("")
    assert "was not compared: memory does not suffice" in caplog.text
