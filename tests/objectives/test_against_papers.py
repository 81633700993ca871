"""Objectives that TRL lacks, or has in another form, are the formulas of their papers in plain float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.objectives.logps import drawn_pairs, drawn_unpaired, nearby
from tiebreak.objectives import PairLogps, objective_named

Array = NDArray[np.float64]


def _numbers(pairs: PairLogps) -> tuple[Array, Array, Array, Array]:
    fields = (pairs.chosen, pairs.rejected, pairs.chosen_tokens, pairs.rejected_tokens)
    return tuple(field.double().numpy() for field in fields)  # type: ignore[return-value]


def _sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _dpop(policy: PairLogps, reference: PairLogps, beta: float, penalty: float) -> Array:
    """Pal et al. 2024, eq. 3."""
    (pw, pl, _, _), (rw, rl, _, _) = _numbers(policy), _numbers(reference)
    return -np.log(_sigma(beta * ((pw - rw) - (pl - rl) - penalty * np.maximum(0, rw - pw))))


def _bco(policy: PairLogps, reference: PairLogps, beta: float) -> Array:
    """Jung et al. 2024: binary cross-entropy of rewards less half the sum of their two means."""
    (pw, pl, _, _), (rw, rl, _, _) = _numbers(policy), _numbers(reference)
    good, bad = beta * (pw - rw), beta * (pl - rl)
    delta = (good.mean() + bad.mean()) / 2
    return -np.log(_sigma(good - delta)) - np.log(_sigma(-(bad - delta)))


def _kto_pair(policy: PairLogps, reference: PairLogps, beta: float) -> Array:
    """Ethayarajh et al. 2024, lambda 1: the mean over the two completions, each against the other side's mean."""
    (pw, pl, _, _), (rw, rl, _, _) = _numbers(policy), _numbers(reference)
    good, bad = pw - rw, pl - rl
    z_good, z_bad = max(0.0, good.mean()), max(0.0, bad.mean())
    return ((1 - _sigma(beta * (good - z_bad))) + (1 - _sigma(beta * (z_good - bad)))) / 2


def test_dpop_is_smaugs_equation_3() -> None:
    for seed, beta, penalty in ((0, 0.3, 50.0), (1, 0.1, 5.0), (2, 0.05, 0.5)):
        policy = drawn_pairs(seed)
        reference = nearby(policy, seed + 10, spread=0.2)
        found = objective_named("dpop").loss(policy, reference, beta=beta, positive_penalty=penalty)
        np.testing.assert_allclose(found.numpy(), _dpop(policy, reference, beta, penalty), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "formula"), [("bco_pair", _bco), ("kto_pair", _kto_pair)])
def test_an_objective_of_a_whole_step_is_its_papers(name: str, formula: Callable[..., Array]) -> None:
    for seed, beta in ((0, 0.01), (1, 0.1), (2, 0.5)):
        policy = drawn_pairs(seed)
        reference = nearby(policy, seed + 10)
        found = objective_named(name).loss(policy, reference, beta=beta)
        np.testing.assert_allclose(found.numpy(), formula(policy, reference, beta), rtol=1e-4, atol=1e-5)


def test_slic_hf_is_its_papers_hinge_and_regularization() -> None:
    """Zhao et al. 2023: max(0, delta - log P(chosen) + log P(rejected)) - lambda log P(chosen)."""
    for seed, delta, weight in ((0, 1.0, 0.5), (1, 10.0, 0.0), (2, 0.1, 2.0)):
        policy = drawn_pairs(seed)
        pw, pl, _, _ = _numbers(policy)
        expected = np.maximum(0, delta - pw + pl) - weight * pw
        found = objective_named("slic_hf").loss(policy, delta=delta, nll_weight=weight)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


def test_simpo_is_its_papers_equation_6() -> None:
    policy = drawn_pairs(3)
    pw, pl, nw, nl = _numbers(policy)
    expected = -np.log(_sigma(2.5 / nw * pw - 2.5 / nl * pl - 1.4))
    np.testing.assert_allclose(objective_named("simpo").loss(policy, beta=2.5, gamma=1.4).numpy(), expected, rtol=1e-4)


def test_orpo_is_its_papers_equations_6_and_7() -> None:
    policy = drawn_pairs(4)
    pw, pl, nw, nl = _numbers(policy)
    p, q = np.exp(pw / nw), np.exp(pl / nl)
    ratio = (p / (1 - p)) / (q / (1 - q))
    expected = -pw / nw - 0.1 * np.log(_sigma(np.log(ratio)))
    found = objective_named("orpo").loss(policy, beta=0.1, nll_weight=1.0)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_kto_is_its_papers_equation_8() -> None:
    """lambda_y - v(x, y), v being lambda times the logistic of beta times what the answer gains over z0."""
    policy, reference = drawn_unpaired(5), drawn_unpaired(6)
    z0 = max(0.0, float((policy.mismatched - reference.mismatched).double().mean()))
    gain = 0.2 * ((policy.logp - reference.logp).double().numpy() - z0)
    value = np.where(policy.desirable.numpy(), 1.2 * _sigma(gain), 0.9 * _sigma(-gain))
    expected = np.where(policy.desirable.numpy(), 1.2, 0.9) - value
    settings: dict[str, Any] = {"beta": 0.2, "desirable_weight": 1.2, "undesirable_weight": 0.9}
    found = objective_named("kto").loss(policy, reference, **settings)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)
