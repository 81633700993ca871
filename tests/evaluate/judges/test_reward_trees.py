"""Texts in bundles that begin alike, read once; and what happens when trees fail in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.classifiers import BY_TREE
from tiebreak.engine.attention import TreesUnsupported
from tiebreak.engine.batch import ScoredGroup, TreeBatch
from tiebreak.engine.end_scores import EndScores, end_scores, one_score
from tiebreak.evaluate.judges.reward_trees import Bundle, RewardTrees, bundles_of

LLAMA = BY_TREE["llama"]


def test_texts_of_one_prompt_are_parted_where_they_begin_to_differ() -> None:
    ids = {0: [1, 2, 3, 4], 1: [7, 8, 9], 2: [1, 2, 5], 4: [7, 8, 9, 6], 5: [1, 2, 3]}
    prompts = ["a", "b", "a", "x", "b", "a"]
    assert bundles_of([0, 1, 2, 4, 5], ids, prompts) == [
        Bundle((0, 2, 5), ScoredGroup((1, 2), ((3, 4), (5,), (3,)), 0)),
        Bundle((1, 4), ScoredGroup((7, 8), ((9,), (9, 6)), 1)),  # one text is the beginning of the other
    ]


def test_texts_that_share_nothing_or_all_are_texts_too() -> None:
    ids = [[1, 2, 3], [4, 5], [6, 7], [6, 7]]
    assert bundles_of(range(4), dict(enumerate(ids)), ["a", "a", "b", "b"]) == [
        Bundle((0,), ScoredGroup((1, 2), ((3,),), 0)),
        Bundle((1,), ScoredGroup((4,), ((5,),), 1)),
        Bundle((2, 3), ScoredGroup((6,), ((7,), (7,)), 2)),
    ]


def plain(ids: Sequence[Sequence[int]]) -> Tensor:
    model: Any = LLAMA()
    return torch.stack([one_score(model(input_ids=torch.tensor([[*each]])).logits)[0] for each in ids])


def texts(prompts: int, length: int = 20) -> tuple[list[list[int]], list[Bundle]]:
    made = [
        [(prompt * 7 + at) % 50 + 3 for at in range(length)] + [answer + 3, prompt % 58 + 3, answer + 9]
        for prompt in range(prompts)
        for answer in range(2)
    ]
    return made, bundles_of(range(len(made)), dict(enumerate(made)), [number // 2 for number in range(len(made))])


def scored(trees: RewardTrees, bundles: Sequence[Bundle], tokens: int) -> dict[int, float]:
    found: dict[int, float] = {}
    with torch.no_grad():
        for members, scores in trees.score(bundles, tokens):
            found.update(zip(members, scores, strict=True))
    return found


@pytest.mark.parametrize("tokens", [1, 70, 10_000])
def test_every_text_has_its_score_and_a_prompt_is_read_once(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, bundles = texts(300)  # more than are looked at together
    trees = RewardTrees("m", LLAMA(), plain)
    scored(trees, bundles, tokens)  # with the check
    read: list[int] = []

    def counting(model: Any, batch: TreeBatch) -> EndScores:
        read.append(batch.tokens)
        return end_scores(model, batch)

    monkeypatch.setattr("tiebreak.evaluate.judges.reward_trees.end_scores", counting)
    found = scored(trees, bundles, tokens)
    assert [found[number] for number in range(len(ids))] == pytest.approx(plain(ids).tolist(), abs=1e-5)
    assert trees.fault == ""
    assert sum(read) <= 300 * (20 + 2 * 3)
    assert max(read) <= max(tokens, 26)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (ValueError("not expected"), "trees fail with this model: ValueError: not expected"),
        (TreesUnsupported("it needs a mask"), "it needs a mask"),
        (torch.OutOfMemoryError("CUDA out of memory"), "memory does not suffice for a tree"),
        (None, "by trees scores are no numbers"),
    ],
)
def test_trees_that_fail_in_the_middle_leave_the_rest_to_others(
    error: Exception | None, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids, bundles = texts(6)
    trees = RewardTrees("mine", LLAMA(), plain)
    scored(trees, bundles, 30)
    calls: Iterator[int] = iter(range(1000))

    def failing(model: Any, batch: TreeBatch) -> EndScores:
        if next(calls) < 2:
            return end_scores(model, batch)
        if error is not None:
            raise error
        return EndScores(torch.full((batch.sequences,), float("nan")), torch.zeros(batch.sequences))

    monkeypatch.setattr("tiebreak.evaluate.judges.reward_trees.end_scores", failing)
    found = scored(trees, bundles, 30)
    assert len(found) == 4
    assert [found[number] for number in sorted(found)] == pytest.approx(
        plain([ids[number] for number in sorted(found)]).tolist(), abs=1e-5
    )
    assert trees.fault == fault
    assert scored(trees, bundles, 30) == {}
    said = [record.getMessage() for record in caplog.records if "goes by padded" in record.getMessage()]
    assert said == [f"the reward model 'mine' goes by padded batches, slower: {fault}"]


def test_where_memory_does_not_suffice_for_a_batch_its_halves_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, bundles = texts(6)
    trees = RewardTrees("m", LLAMA(), plain)

    def small_alone(model: Any, batch: TreeBatch) -> EndScores:
        if batch.sequences > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return end_scores(model, batch)

    monkeypatch.setattr("tiebreak.evaluate.judges.reward_trees.end_scores", small_alone)
    found = scored(trees, bundles, 10_000)
    assert [found[number] for number in range(12)] == pytest.approx(plain(ids).tolist(), abs=1e-5)
    assert trees.fault == ""


def test_a_gpu_that_failed_is_not_taken_for_a_fault_of_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr("tiebreak.evaluate.judges.reward_trees.end_scores", fails)
    with pytest.raises(torch.AcceleratorError):
        scored(RewardTrees("m", LLAMA(), plain), texts(2)[1], 100)


def test_texts_that_are_longer_than_any_before_are_compared_again() -> None:
    compared: list[int] = []

    def watched(ids: Sequence[Sequence[int]]) -> Tensor:
        compared.append(max(map(len, ids)))
        return plain(ids) + torch.tensor([float(len(each) > 50) for each in ids])

    trees = RewardTrees("m", LLAMA(), watched)
    short, long = texts(3)[1], texts(3, length=60)[1]
    assert len(scored(trees, short, 100)) == 6
    assert compared == [23, 23]
    assert len(scored(trees, short, 100)) == 6
    assert compared == [23, 23]  # nothing is longer
    assert scored(trees, long, 100) == {}
    assert compared == [23, 23, 63]
    assert "in texts of up to 63 tokens" in trees.fault
