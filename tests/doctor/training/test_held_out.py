"""Held-out figures that turn, stand still or are not there."""

from __future__ import annotations

import pytest

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.training.held_out import accuracy_stuck, nothing_held_out, over_optimisation

EPOCH = [(0, 0.0), (400, 1.0)]


@pytest.mark.parametrize(
    ("losses", "examples", "expected"),
    [
        ((0.62, 0.58, 0.57, 0.66, 0.75), 1000, "warning"),
        ((0.62, 0.58, 0.57, 0.66, 0.75), None, "warning"),
        ((0.60, 0.58, 0.57, 0.58, 0.602), None, "note"),
        ((0.62, 0.58, 0.57, 0.571, 0.572), 1000, None),
        ((0.62, 0.58, 0.57, 0.55, 0.54), 1000, None),
    ],
)
def test_loss_that_turns_within_the_first_epoch(
    losses: tuple[float, ...], examples: int | None, expected: str | None
) -> None:
    curve = [(80 * i, loss) for i, loss in enumerate(losses, 1)]
    finding = over_optimisation(facts_of({"eval_loss": curve}, held_out=examples, epochs=EPOCH))
    assert (finding.severity if finding else None) == expected
    if finding is not None:
        assert finding.evidence[0].step == 240


def test_silent_where_the_turn_is_later_or_no_epoch_is_known() -> None:
    curve = [(100, 0.6), (200, 0.5), (300, 0.9)]
    assert over_optimisation(facts_of({"eval_loss": curve}, epochs=[(0, 0), (300, 3.0)])) is None
    assert over_optimisation(facts_of({"eval_loss": curve})) is None
    assert over_optimisation(facts_of({"eval_loss": curve}, axis="epoch")) is None


def test_accuracy_that_does_not_move_while_that_of_training_grows() -> None:
    train = noisy(0, [0.6 + 0.01 * i for i in range(35)], 0.02)
    held = [(100, 0.64), (200, 0.65), (300, 0.64)]
    known = accuracy_stuck(facts_of({"rewards/accuracies": train, "eval_rewards/accuracies": held}, held_out=1000))
    unknown = accuracy_stuck(facts_of({"rewards/accuracies": train, "eval_rewards/accuracies": held}))
    assert known is not None
    assert (known.severity, known.sure) == ("warning", "likely")
    assert unknown is not None
    assert unknown.severity == "note"


@pytest.mark.parametrize(
    ("train", "held"),
    [
        ([0.6 + 0.01 * i for i in range(35)], (0.64, 0.75, 0.84)),  # it moves
        ([0.66] * 35, (0.64, 0.65, 0.64)),  # training does not, either
        ([0.7 + 0.005 * i for i in range(35)], (0.90, 0.91, 0.90)),  # nearly all that there is
    ],
)
def test_silent_where_accuracies_go_together(train: list[float], held: tuple[float, ...]) -> None:
    curves = {
        "rewards/accuracies": noisy(0, train, 0.02),
        "eval_rewards/accuracies": [(100 * i, share) for i, share in enumerate(held, 1)],
    }
    assert accuracy_stuck(facts_of(curves, held_out=1000)) is None


def test_a_log_without_held_out_rows() -> None:
    train = {"loss": [(10, 0.69), (20, 0.6)]}
    found = nothing_held_out(facts_of(train))
    assert found is not None
    assert found.severity == "note"
    assert nothing_held_out(facts_of({**train, "eval_loss": [(20, 0.6)]})) is None
    assert nothing_held_out(facts_of({"loss": [(1, 0.6)]}, axis="end")) is None
