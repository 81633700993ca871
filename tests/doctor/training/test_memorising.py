"""Memorising speaks where training and held-out figures part, and is silent where they do not."""

from __future__ import annotations

import pytest

from tests.doctor.made import facts_of, noisy
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.training.memorising import memorising
from tiebreak.recipe import parse_recipe

FALLING = noisy(1, [0.69 * 0.9**i for i in range(40)], 0.005)
RISING = [(100, 0.60), (200, 0.58), (300, 0.66), (400, 0.80)]


def test_training_loss_near_zero_and_held_out_loss_rising() -> None:
    finding = memorising(facts_of({"loss": FALLING, "eval_loss": RISING}, held_out=500))
    assert finding is not None
    assert (finding.severity, finding.sure) == ("warning", "certain")
    assert [(figure.what, figure.step) for figure in finding.evidence] == [
        ("training loss", 400),
        ("held-out loss", 200),
        ("held-out loss", 400),
    ]
    assert finding.advice[0] == "The best model that was seen is that of step 200."


@pytest.mark.parametrize(
    ("train", "held"),
    [
        (FALLING, [(100, 0.10), (200, 0.06), (300, 0.05), (400, 0.0501)]),  # both fall: what is learned holds
        (FALLING, [(100, 0.60), (200, 0.55), (300, 0.52), (400, 0.51)]),  # apart, but still falling and below ln 2
        (noisy(2, [0.6] * 40, 0.01), [(100, 0.60), (400, 0.605)]),  # within the noise
        (FALLING, [(400, 0.5)]),  # one look does not say that it rises
        ([], RISING),
        (FALLING, []),
    ],
)
def test_silent_where_held_out_loss_does_not_rise(
    train: list[tuple[float, float]], held: list[tuple[float, float]]
) -> None:
    curves = {name: points for name, points in (("loss", train), ("eval_loss", held)) if points}
    assert memorising(facts_of(curves, held_out=500)) is None


def test_one_look_far_above_ln_2_is_enough_where_ln_2_is_a_bound() -> None:
    curves = {"loss": FALLING, "eval_loss": [(400, 1.2)]}
    assert memorising(facts_of(curves, held_out=500)) is not None
    assert memorising(facts_of(curves, held_out=500, objective="ipo")) is None


def test_a_rise_within_its_interval_is_a_note_and_a_smaller_one_nothing() -> None:
    for last, expected in ((0.80, "warning"), (0.65, "note"), (0.61, None)):
        curves = {"loss": FALLING, "eval_loss": [(200, 0.6), (400, last)]}
        finding = memorising(facts_of(curves, held_out=40))
        assert (finding.severity if finding else None) == expected
        if finding is not None and expected == "note":
            assert finding.sure == "possible"


def test_within_the_first_epoch_no_pair_is_known_by_heart() -> None:
    curves = {"loss": noisy(1, [0.69 - 0.008 * i for i in range(40)], 0.002), "eval_loss": RISING}
    assert memorising(facts_of(curves, held_out=500, epochs=[(0, 0), (400, 0.8)])) is None
    late = memorising(facts_of(curves, held_out=500, epochs=[(0, 0), (400, 4.0)]))
    assert late is not None
    assert late.change["train.epochs"] == "1"


def test_by_accuracy_where_no_loss_is_known() -> None:
    right = [(step, 1.0 if step >= 40 else 0.8) for step in range(10, 210, 10)]
    for held, examples, expected in (
        ([(100, 0.60), (200, 0.68)], None, True),
        ([(100, 0.60), (200, 0.68)], 300, True),
        ([(100, 0.93), (200, 0.95)], 300, False),
        ([(100, 0.85), (200, 0.88)], 20, False),  # its interval reaches 0.97
    ):
        found = memorising(facts_of({"rewards/accuracies": right, "eval_rewards/accuracies": held}, held_out=examples))
        assert (found is not None) is expected, (held, examples)


@pytest.mark.parametrize(
    ("train", "held", "expected"),
    [
        (0.690, [0.6929, 0.6926, 0.6924], None),  # margins of a hair: right on all of them, and sure of none
        (0.30, [0.68, 0.62, 0.58], "note"),  # sure of its own pairs, and others still gain
        (0.30, [0.58, 0.57, 0.571], "warning"),  # others gain no more
        (0.05, [0.60], "warning"),  # one look does not say whether they gain
    ],
)
def test_an_accuracy_that_others_lack_is_weighed_by_the_losses(
    train: float, held: list[float], expected: str | None
) -> None:
    curves = {
        "rewards/accuracies": [(step, 1.0) for step in range(10, 210, 10)],
        "eval_rewards/accuracies": [(200, 0.64)],
        "loss": [(step, train) for step in range(10, 210, 10)],
        "eval_loss": [(100 + 50 * look, value) for look, value in enumerate(held)],
    }
    found = memorising(facts_of(curves, held_out=300))
    assert (found.severity if found else None) == expected


def test_one_lucky_batch_is_no_proof() -> None:
    curves = {"rewards/accuracies": [(10, 0.75), (20, 0.5), (30, 1.0)], "eval_rewards/accuracies": [(30, 0.6)]}
    assert memorising(facts_of(curves)) is None


def test_the_rate_that_is_proposed_is_that_of_what_is_trained() -> None:
    curves = {"loss": FALLING, "eval_loss": RISING}
    facts = facts_of(curves, held_out=500)
    for recipe, expected in (
        ({"model": "gpt2", "train": {"learning_rate": 5e-5}}, "1e-6"),
        ({"model": {"name": "gpt2", "adapter": "lora"}, "train": {"learning_rate": 1e-3}}, "1e-5"),
        ({"model": "gpt2", "train": {"learning_rate": 1e-6}}, "5e-7"),
    ):
        finding = memorising(Facts(log=facts.log, recipe=parse_recipe(recipe, where="test"), held_out=500))
        assert finding is not None
        assert finding.change["train.learning_rate"] == expected
