"""Where objectives must agree with one another, or with a number that is known."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.objectives.logps import drawn_for, drawn_pairs, drawn_unpaired, nearby, only, pairs_of, zeros
from tiebreak.objectives import PairLogps, UnpairedLogps, configured, objective_named, objective_names
from tiebreak.objectives.aot import aot, aot_unpaired
from tiebreak.objectives.divergences import scores
from tiebreak.objectives.dpo import dpop, exo_pair, hinge, ipo, robust, sigmoid
from tiebreak.objectives.kto import kto
from tiebreak.objectives.pointwise import bco_pair
from tiebreak.objectives.reference_free import cpo, nll, orpo, simpo, slic_hf
from tiebreak.objectives.settings import Divergence

SEEDS = st.integers(0, 2**16)
WITH_A_DIVERGENCE = [name for name in objective_names() if "divergence" in objective_named(name).settings]
AT_THE_START = {
    "sigmoid": math.log(2),
    "robust": math.log(2),
    "sigmoid_norm": math.log(2),
    "dpop": math.log(2),
    "hinge": 1.0,
    "ipo": 25.0,
    "sppo_hard": 2 * 500.0**2,
    "nca_pair": 2 * math.log(2),
    "bco_pair": 2 * math.log(2),
    "apo_zero": 1.0,
    "apo_down": 1.0,
    "aot": math.log(2),
    "aot_unpaired": math.log(2),
    "discopop": (1 + math.log(2)) / 2,
    "exo_pair": math.log(0.5) - (math.log(1 - 1e-3) + math.log(1e-3)) / 2,
    "kto_pair": 0.5,
}


def test_every_paired_objective_with_a_reference_has_a_known_value_at_the_start() -> None:
    needing = {name for name in objective_names() if objective_named(name).needs_reference}
    assert needing - {"kto"} == set(AT_THE_START)


@pytest.mark.parametrize(("name", "value"), AT_THE_START.items())
def test_at_the_start_the_loss_is_the_same_number_for_every_pair(name: str, value: float) -> None:
    pairs = drawn_pairs(0)
    found = configured(name, {})(pairs, pairs)
    torch.testing.assert_close(found, torch.full_like(found, value))


def test_kto_at_the_start_is_half_the_weight_of_each_answer() -> None:
    policy = drawn_unpaired(0)
    found = kto(policy, policy, desirable_weight=1.5, undesirable_weight=0.5)
    torch.testing.assert_close(found, torch.where(policy.desirable, 0.75, 0.25))


def test_kto_takes_no_negative_divergence_and_no_gradient_through_it() -> None:
    policy, reference = drawn_unpaired(1, grad=True), drawn_unpaired(2)
    below = dataclasses.replace(policy, mismatched=reference.mismatched - 3)
    at = dataclasses.replace(policy, mismatched=reference.mismatched)
    torch.testing.assert_close(kto(below, reference), kto(at, reference))
    mismatched = (reference.mismatched + 3).requires_grad_()
    above = dataclasses.replace(policy, mismatched=mismatched)
    loss = kto(above, reference)
    assert not torch.allclose(loss, kto(at, reference))
    torch.autograd.backward(loss.sum())
    assert mismatched.grad is None


def test_only_good_completions_make_a_step_of_kto_too() -> None:
    policy = dataclasses.replace(drawn_unpaired(3), desirable=torch.ones(16, dtype=torch.bool))
    found = kto(policy, drawn_unpaired(4), desirable_weight=2.0)
    assert ((found > 0) & (found < 2)).all()


@settings(deadline=None)
@given(SEEDS)
def test_robust_without_flipped_labels_is_dpo(seed: int) -> None:
    policy, reference = drawn_pairs(seed), drawn_pairs(seed + 1)
    torch.testing.assert_close(
        robust(policy, reference, beta=0.2, label_smoothing=0.0), sigmoid(policy, reference, beta=0.2)
    )


@settings(deadline=None)
@given(SEEDS, st.floats(0.05, 0.4))
def test_robust_is_unbiased_by_flipped_labels(seed: int, flipped: float) -> None:
    policy, reference = drawn_pairs(seed), drawn_pairs(seed + 1)
    swapped = [PairLogps(p.rejected, p.chosen, p.rejected_tokens, p.chosen_tokens) for p in (policy, reference)]
    right = robust(policy, reference, label_smoothing=flipped)
    wrong = robust(swapped[0], swapped[1], label_smoothing=flipped)
    clean = sigmoid(policy, reference)
    torch.testing.assert_close((1 - flipped) * right + flipped * wrong, clean, rtol=1e-3, atol=1e-4)


@settings(deadline=None)
@given(SEEDS)
def test_dpop_without_its_penalty_is_dpo(seed: int) -> None:
    policy, reference = drawn_pairs(seed), drawn_pairs(seed + 1)
    torch.testing.assert_close(
        dpop(policy, reference, beta=0.1, positive_penalty=0.0), sigmoid(policy, reference, beta=0.1)
    )


def test_dpop_punishes_only_a_chosen_completion_that_lost_likelihood() -> None:
    policy, reference = pairs_of([-4.0, -6.0], [-9.0, -9.0]), pairs_of([-5.0, -5.0], [-8.0, -8.0])
    found, plain = dpop(policy, reference, beta=0.1), sigmoid(policy, reference, beta=0.1)
    assert found[0] == plain[0]
    assert found[1] > plain[1] + 4


@pytest.mark.parametrize("name", WITH_A_DIVERGENCE)
def test_an_alpha_divergence_of_order_near_one_is_the_reverse_one(name: str) -> None:
    policy = drawn_pairs(5)
    reference = nearby(policy, 6)
    loss = objective_named(name).loss
    near = loss(policy, reference, beta=0.2, divergence="alpha", divergence_alpha=1 - 1e-6)
    torch.testing.assert_close(near, loss(policy, reference, beta=0.2), rtol=1e-3, atol=1e-3)


def test_an_alpha_divergence_of_order_near_zero_is_the_forward_one() -> None:
    policy = drawn_pairs(5)
    reference = nearby(policy, 6)
    alpha = sigmoid(policy, reference, divergence="alpha", divergence_alpha=1e-6)
    torch.testing.assert_close(alpha, sigmoid(policy, reference, divergence="forward_kl"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("divergence", ["forward_kl", "js", "alpha"])
def test_near_the_reference_every_divergence_is_the_reverse_one_up_to_its_curvature(divergence: str) -> None:
    policy = pairs_of([-10.001], [-10.002])
    chosen, rejected = scores(policy, pairs_of([-10.0], [-10.0]), divergence, 0.5)  # type: ignore[arg-type]
    slope = 0.5 if divergence == "js" else 1.0
    torch.testing.assert_close(chosen, torch.tensor([-0.001 * slope]), rtol=5e-3, atol=1e-6)
    torch.testing.assert_close(rejected, torch.tensor([-0.002 * slope]), rtol=5e-3, atol=1e-6)


def test_the_js_score_is_bounded_above_and_the_forward_score_too() -> None:
    policy = pairs_of([5000.0], [5000.0])
    assert scores(policy, zeros(), "js", 0.5)[0] == pytest.approx(math.log(2))
    assert scores(policy, zeros(), "forward_kl", 0.5)[0] == 1


def test_scores_rise_with_the_log_ratio_past_the_steepest_point_too() -> None:
    logps, tokens = torch.linspace(-5000, 100, 400), torch.ones(400)
    policy = PairLogps(logps, logps, tokens, tokens)
    divergences: tuple[Divergence, ...] = ("forward_kl", "alpha")
    for divergence in divergences:
        found = scores(policy, zeros(400), divergence, 0.5)[0]
        assert found.isfinite().all()
        assert (found.diff() >= 0).all()
        assert (found.diff()[:390] > 0).all()


@settings(deadline=None)
@given(SEEDS, st.floats(0.0, 0.4))
def test_aot_of_one_pair_is_dpo(seed: int, smoothing: float) -> None:
    policy, reference = drawn_pairs(seed, 1), drawn_pairs(seed + 1, 1)
    expected = sigmoid(policy, reference, label_smoothing=smoothing)
    torch.testing.assert_close(aot(policy, reference, label_smoothing=smoothing), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        aot_unpaired(policy, reference, label_smoothing=smoothing), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", objective_names())
def test_losses_change_places_with_their_pairs(name: str) -> None:
    loss, order = configured(name, {}), torch.randperm(16, generator=torch.Generator().manual_seed(7))
    policy, reference = drawn_for(loss, 1), drawn_for(loss, 2)
    torch.testing.assert_close(loss(only(policy, order), only(reference, order)), loss(policy, reference)[order])


@pytest.mark.parametrize("name", objective_names())
def test_an_objective_says_truly_whether_a_pair_depends_on_the_others(name: str) -> None:
    loss, half = configured(name, {}), torch.arange(8)
    policy, reference = drawn_for(loss, 1), drawn_for(loss, 2)
    if isinstance(policy, UnpairedLogps) and isinstance(reference, UnpairedLogps):
        reference = dataclasses.replace(reference, mismatched=policy.mismatched - torch.arange(16))
    apart = torch.allclose(loss(only(policy, half), only(reference, half)), loss(policy, reference)[half])
    assert apart is not loss.whole_step


@settings(deadline=None)
@given(SEEDS)
def test_aot_does_not_care_which_reference_margin_belongs_to_which_pair(seed: int) -> None:
    policy, reference = drawn_pairs(seed), drawn_pairs(seed + 1)
    mixed = only(reference, torch.randperm(16, generator=torch.Generator().manual_seed(seed)))
    torch.testing.assert_close(aot(policy, reference), aot(policy, mixed))


@settings(deadline=None)
@given(SEEDS)
def test_aot_unpaired_does_not_care_which_rejected_completion_belongs_to_which_pair(seed: int) -> None:
    policy, reference = drawn_pairs(seed), drawn_pairs(seed + 1)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    mixed = [dataclasses.replace(pairs, rejected=pairs.rejected[order]) for pairs in (policy, reference)]
    torch.testing.assert_close(aot_unpaired(policy, reference), aot_unpaired(mixed[0], mixed[1]))


def test_exo_is_zero_where_the_policy_is_as_certain_as_the_label_and_nowhere_below() -> None:
    margins = torch.linspace(-20, 20, 81)
    policy = PairLogps(margins, torch.zeros(81), torch.ones(81), torch.ones(81))
    found = exo_pair(policy, zeros(81), beta=1.0, label_smoothing=0.1)
    assert (found >= -1e-6).all()
    certain = pairs_of([math.log(9)], [0.0])
    assert exo_pair(certain, zeros(), beta=1.0, label_smoothing=0.1) == pytest.approx(0, abs=1e-6)


def test_exo_with_little_smoothing_is_the_chance_of_a_wrong_choice_times_the_logarithm() -> None:
    policy = pairs_of([-2.0, 0.0, 3.0], [0.0] * 3)
    chance = torch.sigmoid(torch.tensor([2.0, 0.0, -3.0]))
    found = exo_pair(policy, zeros(3), beta=1.0, label_smoothing=1e-30)
    torch.testing.assert_close(found / -math.log(1e-30), chance, rtol=0, atol=0.02)


def test_ipo_is_zero_at_its_target_and_hinge_past_its_margin() -> None:
    reached = pairs_of([5.0], [0.0])
    assert ipo(reached, zeros(), beta=0.1) == 0
    assert hinge(pairs_of([10.5], [0.0]), zeros(), beta=0.1) == 0


def test_bco_does_not_change_when_all_rewards_shift_together() -> None:
    policy, reference = drawn_pairs(8), drawn_pairs(9)
    shifted = dataclasses.replace(policy, chosen=policy.chosen + 4, rejected=policy.rejected + 4)
    torch.testing.assert_close(bco_pair(shifted, reference, beta=0.1), bco_pair(policy, reference, beta=0.1))


@pytest.mark.parametrize("name", ["kto_pair", "bco_pair"])
def test_what_is_usual_in_a_step_has_no_gradient(name: str) -> None:
    policy, reference = drawn_pairs(10, grad=True), pairs_of([-60.0] * 16, [-60.0] * 16)
    torch.autograd.backward(configured(name, {"beta": 0.01})(policy, reference)[0])
    for gradient in (policy.chosen.grad, policy.rejected.grad):
        assert gradient is not None
        assert gradient[0] != 0
        assert (gradient[1:] == 0).all()


@settings(deadline=None)
@given(SEEDS)
def test_simpo_without_a_margin_is_dpo_of_mean_log_probs_against_nothing(seed: int) -> None:
    policy = drawn_pairs(seed)
    means = PairLogps(policy.mean_chosen, policy.mean_rejected, policy.chosen_tokens, policy.rejected_tokens)
    torch.testing.assert_close(simpo(policy, beta=0.7, gamma=0.0), sigmoid(means, zeros(16), beta=0.7))


def test_simpo_is_log_2_exactly_at_its_margin() -> None:
    assert simpo(pairs_of([-1.0], [-1.5]), beta=2.0, gamma=1.0) == pytest.approx(math.log(2))


@settings(deadline=None)
@given(SEEDS)
def test_cpo_without_its_supervised_term_is_dpo_against_nothing(seed: int) -> None:
    policy = drawn_pairs(seed)
    for smoothing in (0.0, 0.2):
        torch.testing.assert_close(
            cpo(policy, beta=0.1, label_smoothing=smoothing, nll_weight=0.0),
            sigmoid(policy, zeros(16), beta=0.1, label_smoothing=smoothing),
        )


@settings(deadline=None)
@given(SEEDS)
def test_orpo_with_a_vanishing_odds_ratio_is_the_supervised_loss(seed: int) -> None:
    policy = drawn_pairs(seed)
    torch.testing.assert_close(orpo(policy, beta=1e-9, nll_weight=1.0), nll(policy), rtol=1e-5, atol=1e-6)


def test_orpo_without_its_supervised_term_is_log_2_for_completions_that_are_as_likely() -> None:
    policy = pairs_of([-3.0], [-3.0])
    assert orpo(policy, beta=1.0, nll_weight=0.0) == pytest.approx(math.log(2))


def test_slic_hf_without_its_supervised_term_is_a_hinge_against_nothing() -> None:
    policy = drawn_pairs(11)
    expected = 4 * hinge(policy, zeros(16), beta=0.25)
    torch.testing.assert_close(slic_hf(policy, delta=4.0, nll_weight=0.0), expected)
