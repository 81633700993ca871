"""Figures of the harness as plain data: errors over documents, differences of two models on the same ones, rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tiebreak.evaluate.harness.scores import HarnessRow, Score, TaskScore, difference, error_of, rows, written


def scored(values: Sequence[Any], **more: Any) -> TaskScore:
    """Accuracy on documents that each give such a value."""
    value = sum(map(float, values)) / len(values) if values else 0.0
    settings: dict[str, Any] = {
        "task": "facts",
        "metric": "acc",
        "filter": "none",
        "shots": 0,
        "documents": len(values),
        "higher_is_better": True,
        "score": Score(value, error_of(values)),
        "values": dict(enumerate(values)),
        "aggregate": "mean",
    }
    return TaskScore(**(settings | more))


def test_the_error_of_a_mean_is_its_formula() -> None:
    # Deviations of 1/2 each: a sample variance of 4 · 1/4 / 3, over four documents.
    assert error_of([1, 0, 1, 0]) == pytest.approx(math.sqrt(1 / 12))
    assert error_of([True, True]) == 0.0


@pytest.mark.parametrize("values", [[], [1.0]])
def test_too_few_documents_have_no_error(values: list[float]) -> None:
    assert error_of(values) is None


def test_no_error_is_made_up() -> None:
    assert error_of([1.0, math.inf]) is None
    assert error_of([1.0, 0.0], None) is None


def test_what_is_no_mean_is_drawn_again_and_the_same_each_time() -> None:
    values = [float(i % 2) for i in range(100)]

    def mean(drawn: list[Any]) -> float:
        return float(sum(drawn)) / len(drawn)

    by_draws = error_of(values, mean)
    assert by_draws == error_of(values, mean)
    assert by_draws == pytest.approx(error_of(values), rel=0.1)
    assert error_of(values, mean, draws=100) != by_draws


def test_a_difference_is_taken_document_by_document() -> None:
    before, after = scored([1, 0, 1, 0]), scored([1, 1, 1, 0])
    found = difference(after, before)
    assert found.value == 0.25
    assert found.error == error_of([0, 1, 0, 0])  # far below that of two independent figures
    assert before.score.error is not None
    assert found.error == pytest.approx(0.25)
    assert difference(after, after) == Score(0.0, 0.0)


def test_a_difference_of_what_is_no_mean_is_drawn_by_pairs() -> None:
    def largest(drawn: list[Any]) -> float:
        return float(max(drawn))

    before, after = scored([1, 2, 3], aggregate=largest), scored([2, 3, 4], aggregate=largest)
    found = difference(replace(after, score=Score(4)), replace(before, score=Score(3)))
    assert found == Score(1, 0.0)  # in every draw it is one ahead


@pytest.mark.parametrize("aggregate", ["mean", None])
def test_other_documents_give_a_difference_without_an_error(aggregate: Any) -> None:
    after = scored([1, 1, 1], aggregate=aggregate)
    before = scored([1, 0], aggregate=aggregate)
    assert difference(after, before) == Score(0.5)
    assert difference(scored([1], aggregate=None), scored([0], aggregate=None)) == Score(1.0)


def test_rows_stand_beside_the_same_metric_of_the_other_model() -> None:
    group = scored([], task="group", group=True, parts=("facts",), documents=2, score=Score(0.5, 0.1))
    lead = Score(0.5, 0.2)
    found = rows([group, scored([1, 0])], [group, scored([0, 0])], {group.key: lead})
    assert [(row.task, row.group, row.part) for row in found] == [("group", True, False), ("facts", False, True)]
    assert found[0].difference == lead
    assert found[1].before == Score(0.0, 0.0)
    assert found[1].difference == Score(0.5, 0.5)


def test_rows_of_one_model_have_nothing_beside_them() -> None:
    (row,) = rows([scored([1, 0])], None)
    assert (row.before, row.difference) == (None, None)
    (other,) = rows([scored([1, 0])], [scored([1, 0], metric="f1")])
    assert (other.before, other.difference) == (None, None)


def test_how_figures_are_written() -> None:
    assert written(Score(0.55, 0.11413)) == "0.5500 ± 0.1141"
    assert written(Score(-0.05, 0.05), lead=True) == "−0.0500 ± 0.0500"
    assert written(Score(0.0), lead=True) == "0.0000"
    assert written(None) == "–"
    assert written(Score(math.inf, None)) == "not finite"
    assert HarnessRow("t", "em", "strict", 0, 1, True, group=False, part=False, after=Score(1)).name == "em (strict)"
    assert HarnessRow("t", "em", "none", 0, 1, True, group=False, part=False, after=Score(1)).name == "em"
