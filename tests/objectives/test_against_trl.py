"""Every objective that TRL has too gives TRL's value, on the same log-probs, by TRL's own methods."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.objectives.logps import nearby
from tests.objectives.trl_losses import (
    TokenLogps,
    cpo_loss,
    dpo_loss,
    drawn_tokens,
    kto_loss,
    orpo_odds_ratio_loss,
    summed,
)
from tiebreak.objectives import PairLogps, UnpairedLogps, objective_named, objective_names, unpaired_metrics

SAME_AS_DPO_TRAINER: list[tuple[str, dict[str, Any]]] = [
    ("sigmoid", {"beta": 0.1}),
    ("sigmoid", {"beta": 0.5}),
    ("hinge", {"beta": 0.2}),
    ("ipo", {"beta": 0.1}),
    ("ipo", {"beta": 0.7}),
    ("exo_pair", {"beta": 0.1, "label_smoothing": 1e-3}),
    ("exo_pair", {"beta": 0.4, "label_smoothing": 0.2}),
    ("nca_pair", {"beta": 0.01}),
    ("nca_pair", {"beta": 0.3}),
    ("robust", {"beta": 0.1, "label_smoothing": 0.0}),
    ("robust", {"beta": 0.1, "label_smoothing": 0.3}),
    ("sppo_hard", {"beta": 0.001}),
    ("sppo_hard", {"beta": 0.2}),
    ("aot", {"beta": 0.1, "label_smoothing": 0.0}),
    ("aot", {"beta": 0.3, "label_smoothing": 0.1}),
    ("aot_unpaired", {"beta": 0.1, "label_smoothing": 0.0}),
    ("aot_unpaired", {"beta": 0.3, "label_smoothing": 0.1}),
    ("apo_zero", {"beta": 0.1}),
    ("apo_down", {"beta": 0.1}),
    ("discopop", {"beta": 0.05, "tau": 0.05}),
    ("discopop", {"beta": 0.1, "tau": 0.8}),
    ("sigmoid_norm", {"beta": 5.0}),
]
WITH_A_DIVERGENCE: dict[str, dict[str, Any]] = {
    "sigmoid": {"beta": 0.1},
    "sigmoid_norm": {"beta": 0.3},
    "hinge": {"beta": 0.1},
    "ipo": {"beta": 0.4},
    "exo_pair": {"beta": 0.1, "label_smoothing": 0.1},
    "robust": {"beta": 0.1, "label_smoothing": 0.2},
    "discopop": {"beta": 0.02, "tau": 0.5},
}


def _step(seed: int) -> tuple[TokenLogps, TokenLogps, PairLogps, PairLogps]:
    chosen, rejected = drawn_tokens(seed), drawn_tokens(seed + 100)
    policy = summed(chosen, rejected)
    return chosen, rejected, policy, nearby(policy, seed + 200, spread=3.0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "settings"), SAME_AS_DPO_TRAINER)
def test_the_mean_loss_is_the_dpo_trainers(name: str, settings: dict[str, Any], seed: int) -> None:
    chosen, rejected, policy, reference = _step(seed)
    found = objective_named(name).loss(policy, reference, **settings)
    assert found.shape == (16,)
    torch.testing.assert_close(found.mean(), dpo_loss(name, chosen, rejected, reference, **settings))


@pytest.mark.parametrize("divergence", ["forward_kl", "js", "alpha"])
@pytest.mark.parametrize("name", WITH_A_DIVERGENCE)
def test_the_mean_loss_under_another_divergence_is_the_dpo_trainers(name: str, divergence: str) -> None:
    for seed, alpha in ((0, 0.5), (1, 0.2), (2, 0.9)):
        chosen, rejected, policy, reference = _step(seed)
        settings = WITH_A_DIVERGENCE[name] | {"divergence": divergence, "divergence_alpha": alpha}
        found = objective_named(name).loss(policy, reference, **settings)
        expected = dpo_loss(name, chosen, rejected, reference, **settings)
        torch.testing.assert_close(found.mean(), expected, rtol=1e-5, atol=1e-5)


def test_divergences_are_settings_of_exactly_the_objectives_that_have_them_in_trl() -> None:
    found = {name for name in objective_names() if "divergence" in objective_named(name).settings}
    assert found == set(WITH_A_DIVERGENCE)


def test_bco_is_trls_where_the_usual_reward_is_zero() -> None:
    chosen, rejected, policy, reference = _step(3)
    ratios = (policy.chosen - reference.chosen).mean() + (policy.rejected - reference.rejected).mean()
    centred = PairLogps(
        reference.chosen + ratios / 2, reference.rejected + ratios / 2, policy.chosen_tokens, policy.rejected_tokens
    )
    found = objective_named("bco_pair").loss(policy, centred, beta=0.2)
    torch.testing.assert_close(found.mean(), dpo_loss("bco_pair", chosen, rejected, centred, beta=0.2))


def test_cdpo_is_trls_aot_of_single_pairs() -> None:
    # TRL gives plain DPO no smoothing of labels; its optimal transport of one pair is DPO with smoothing.
    chosen, rejected, policy, reference = _step(4)
    found = objective_named("sigmoid").loss(policy, reference, beta=0.1, label_smoothing=0.2)
    for i in range(16):
        one = slice(i, i + 1)
        expected = dpo_loss(
            "aot",
            TokenLogps(chosen.logps[one], chosen.tokens[one]),
            TokenLogps(rejected.logps[one], rejected.tokens[one]),
            PairLogps(reference.chosen[one], reference.rejected[one], chosen.tokens[one], rejected.tokens[one]),
            label_smoothing=0.2,
        )
        torch.testing.assert_close(found[i], expected)


def test_nll_is_trls_sft_of_single_pairs() -> None:
    # Over several pairs TRL takes the mean over all tokens; here each pair counts alike, as in the paper.
    for seed in range(3):
        chosen, rejected = drawn_tokens(seed, n=1), drawn_tokens(seed + 1, n=1)
        policy = summed(chosen, rejected)
        torch.testing.assert_close(
            objective_named("nll").loss(policy).mean(), dpo_loss("sft", chosen, rejected, policy)
        )


@pytest.mark.parametrize(("beta", "gamma"), [(2.0, 1.0), (2.5, 0.0), (0.7, 1.6)])
def test_simpo_is_the_cpo_trainers(beta: float, gamma: float) -> None:
    policy = _step(5)[2]
    found = objective_named("simpo").loss(policy, beta=beta, gamma=gamma)
    expected = cpo_loss("simpo", policy.mean_chosen, policy.mean_rejected, beta=beta, simpo_gamma=gamma)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("beta", "smoothing"), [(0.1, 0.0), (0.4, 0.2)])
def test_cpo_is_the_cpo_trainers_and_a_supervised_term(beta: float, smoothing: float) -> None:
    policy = _step(6)[2]
    found = objective_named("cpo").loss(policy, beta=beta, label_smoothing=smoothing, nll_weight=0.7)
    expected = cpo_loss("sigmoid", policy.chosen, policy.rejected, beta=beta, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected - 0.7 * policy.mean_chosen)


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_orpo_is_the_orpo_trainers_odds_ratio_and_a_supervised_term(beta: float) -> None:
    policy = _step(7)[2]
    found = objective_named("orpo").loss(policy, beta=beta, nll_weight=1.0)
    expected = orpo_odds_ratio_loss(policy.mean_chosen, policy.mean_rejected, beta=beta)
    torch.testing.assert_close(found, expected - policy.mean_chosen)


@pytest.mark.parametrize("towards", [-2.0, 2.0])  # a divergence that is clamped to zero, and one that counts
@pytest.mark.parametrize(("beta", "weights"), [(0.1, (1.0, 1.0)), (0.5, (1.3, 0.6))])
def test_kto_is_the_kto_trainers_and_so_are_its_metrics(
    beta: float, weights: tuple[float, float], towards: float
) -> None:
    completions, mismatched, known, known_mismatched = (drawn_tokens(seed) for seed in (8, 9, 10, 11))
    desirable = torch.arange(16) % 3 != 0
    policy = UnpairedLogps(completions.logps.sum(1), completions.tokens, mismatched.logps.sum(1), desirable)
    shift = policy.mismatched.mean() - known_mismatched.logps.sum(1).mean() - towards
    reference = UnpairedLogps(known.logps.sum(1), completions.tokens, known_mismatched.logps.sum(1) + shift, desirable)
    expected, metrics = kto_loss(
        completions,
        mismatched,
        reference.logp,
        reference.mismatched,
        desirable,
        beta=beta,
        desirable_weight=weights[0],
        undesirable_weight=weights[1],
    )
    found = objective_named("kto").loss(
        policy, reference, beta=beta, desirable_weight=weights[0], undesirable_weight=weights[1]
    )
    torch.testing.assert_close(found.mean(), expected)
    mine = unpaired_metrics(policy, reference, beta=beta)
    for name in ("rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected"):
        assert math.isclose(mine[name].nanmean().item(), metrics[name], rel_tol=1e-5, abs_tol=1e-5)
    assert math.isclose(mine["kl"].mean().clamp(min=0).item(), metrics["kl"], rel_tol=1e-5, abs_tol=1e-6)
    assert math.isclose(metrics["kl"], max(towards, 0.0), abs_tol=1e-5)
