"""Slopes of a loss: what they leave to be trained, and what a backward pass of zeros would have left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.training.small import scores_of
from tiebreak.engine.batch import ScoredGroup
from tiebreak.training.slopes import Pulled, is_flat, joined, pulled, slope_of, zeros_where_gradients_would_be

PAIRS = [ScoredGroup((i,), ((10 + i,), (20 + i,)), i) for i in range(4)]
SLOPES = [torch.tensor(values) for values in ([0.5, -0.5], [0.0, 0.0], [0.0, 2.0], [float("nan"), 0.0])]


def _left(found: list[Pulled]) -> list[tuple[int, list[int]]]:
    return [(one.group.row, [ids[0] for ids in one.group.completions]) for one in found]


def test_completions_without_a_slope_are_left_out() -> None:
    found = pulled(PAIRS, SLOPES, apart=True)
    assert _left(found) == [(0, [10, 20]), (2, [22]), (3, [13])]
    assert [one.slope.tolist() for one in found[:2]] == [[0.5, -0.5], [2.0]]
    assert found[0].group.prompt == (0,)


def test_examples_stay_whole_where_their_completions_belong_together() -> None:
    assert _left(pulled(PAIRS, SLOPES, apart=False)) == [(0, [10, 20]), (2, [12, 22]), (3, [13, 23])]


def test_only_some_may_be_left_out() -> None:
    assert _left(pulled(PAIRS, SLOPES, apart=True, only=(1,))) == [(0, [10, 20]), (1, [11]), (2, [12, 22]), (3, [13])]
    assert _left(pulled(PAIRS, SLOPES, apart=True, only=())) == [(i, [10 + i, 20 + i]) for i in range(4)]


def test_marks_of_what_is_scored_stay_with_their_completions() -> None:
    marked = ScoredGroup((0,), ((10, 11), (20, 21, 22)), 0, ((False, True), (True, False, True)))
    (left,) = pulled([marked], [torch.tensor([0.0, 1.0])], apart=True)
    assert (left.group.completions, left.group.scored) == (((20, 21, 22),), ((True, False, True),))
    assert left.group.targets(0) == [0, 2]


def test_nothing_may_be_left() -> None:
    assert pulled(PAIRS[1:2], SLOPES[1:2], apart=True) == []


@pytest.mark.parametrize(("values", "flat"), [([0.0, -0.0], True), ([0.0, 1e-45], False), ([float("nan")], False)])
def test_flat_is_exactly_flat(values: list[float], flat: bool) -> None:
    assert is_flat(torch.tensor(values)) == flat


def test_a_slope_is_the_derivative_of_the_loss() -> None:
    scores = scores_of(-1.0, -2.0, -3.0)
    with torch.no_grad():
        loss, slope = slope_of(lambda given: (given.logp**2).sum() / 2 + given.tokens.sum(), scores)
    assert loss.item() == pytest.approx(7 + 12)
    assert not loss.requires_grad
    assert slope.tolist() == [-1.0, -2.0, -3.0]


def test_zeros_stand_where_a_backward_pass_would_have_left_them() -> None:
    def layers() -> nn.ModuleDict:
        torch.manual_seed(0)
        parts = {name: nn.Linear(3, 3) for name in ("first", "second", "unused", "frozen")}
        parts["frozen"].requires_grad_(False)
        return nn.ModuleDict(parts)

    def logps(of: nn.ModuleDict) -> torch.Tensor:
        hidden = of["second"](of["frozen"](of["first"](torch.ones(2, 3))).tanh()) + of["first"](torch.ones(2, 3))
        out: torch.Tensor = hidden.sum(1)
        return out

    asked, usual = layers(), layers()
    for model in (asked, usual):
        model["second"].bias.grad = torch.full((3,), 7.0)
    zeros_where_gradients_would_be(logps(asked))
    torch.autograd.backward((logps(usual) * torch.zeros(2)).sum())
    for (name, mine), theirs in zip(asked.named_parameters(), usual.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None), name
        if mine.grad is not None and theirs.grad is not None:
            assert torch.equal(mine.grad, theirs.grad)


def test_scores_are_joined_in_order() -> None:
    parts = [(scores_of(-1.0, -2.0), torch.tensor([[1.0, 2.0]])), (scores_of(-3.0, -4.0), torch.tensor([[3.0, 4.0]]))]
    scores, reference = joined([(score, found) for score, found in parts])
    assert scores.logp.tolist() == [-1.0, -2.0, -3.0, -4.0]
    assert scores.confidence is None
    assert reference is not None
    assert reference.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert joined([(parts[0][0], None)])[1] is None
