"""Nothing learned: no gradient, ln 2, or a coin's accuracy."""

from __future__ import annotations

import math

import pytest

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.training.nothing import nothing_learned

LN2 = math.log(2)


def test_no_gradient_is_a_stop() -> None:
    finding = nothing_learned(facts_of({"grad_norm": [(1, 0.0), (2, 0.0)], "loss": [(1, LN2), (2, LN2)]}))
    assert finding is not None
    assert (finding.severity, finding.sure) == ("stop", "certain")
    assert nothing_learned(facts_of({"grad_norm": [(1, 0.0), (2, 0.1)]})) is None
    assert nothing_learned(facts_of({"grad_norm": [(1, 0.0)]})) is None


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        ({"loss": noisy(0, [LN2] * 60, 0.001)}, "warning"),
        ({"eval_loss": [(100, 0.6925), (200, 0.6920)]}, "warning"),
        ({"eval_loss": [(100, 0.69), (200, 0.67)]}, "note"),
        ({"eval_loss": [(100, 0.65), (200, 0.60)]}, None),
        ({"eval_loss": [(5, 0.6925), (10, 0.6920)]}, None),  # the run has only begun
    ],
)
def test_a_loss_that_stays_at_ln_2(curves: dict[str, list[tuple[float, float]]], expected: str | None) -> None:
    finding = nothing_learned(facts_of(curves))
    assert (finding.severity if finding else None) == expected


def test_a_small_beta_keeps_the_loss_near_ln_2_while_pairs_are_told_apart() -> None:
    curves = {"eval_loss": [(100, 0.692), (200, 0.690)], "eval_rewards/accuracies": [(100, 0.7), (200, 0.9)]}
    assert nothing_learned(facts_of(curves, held_out=300)) is None
    training = {"loss": noisy(0, [0.691] * 40, 0.001), "rewards/accuracies": noisy(0, [0.85] * 40, 0.05)}
    assert nothing_learned(facts_of(training)) is None


@pytest.mark.parametrize(
    ("share", "examples", "expected"),
    [(0.52, 1000, "warning"), (0.56, 60, "note"), (0.60, 1000, None), (0.51, None, "note"), (0.58, None, None)],
)
def test_an_accuracy_that_cannot_be_told_from_a_coins(share: float, examples: int | None, expected: str | None) -> None:
    finding = nothing_learned(facts_of({"eval_rewards/accuracies": [(100, 0.5), (200, share)]}, held_out=examples))
    assert (finding.severity if finding else None) == expected


def test_other_losses_do_not_begin_at_ln_2() -> None:
    assert nothing_learned(facts_of({"eval_loss": [(100, 0.69), (200, 0.69)]}, objective="ipo")) is None
