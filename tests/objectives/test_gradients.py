"""Which way objectives push, and that they push finitely however far off the log-probs are."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.objectives.logps import drawn_pairs, drawn_unpaired, nearby, pairs_of, zeros
from tiebreak.objectives import PairLogps, UnpairedLogps, configured, objective_named, objective_names

# These do not always raise the chosen and lower the rejected completion, and say so; each has a test of its own below.
EXCEPTIONS = {
    "ipo": "pulls back a margin past its target",
    "sppo_hard": "pulls back a log-ratio past its target",
    "exo_pair": "pulls back a margin more certain than the label",
    "nca_pair": "pulls back a chosen reward past log 2",
    "apo_down": "lowers the chosen completion too",
    "discopop": "is not convex: it lowers margins about zero",
    "nll": "does not look at the rejected completion",
    "hinge": "rests past its margin",
    "slic_hf": "rests past its margin, but for the supervised term",
    "kto": "takes no pairs",
}
STEADY = [name for name in objective_names() if name not in EXCEPTIONS]
EXTREMES = (-5000.0, -80.0, -1.0, -1e-4, -1e-12, 0.0)


def _gradients(name: str, policy: PairLogps, reference: PairLogps, **settings: Any) -> tuple[Tensor, Tensor]:
    chosen, rejected = (side.detach().clone().requires_grad_() for side in (policy.chosen, policy.rejected))
    live = dataclasses.replace(policy, chosen=chosen, rejected=rejected)
    loss = configured(name, settings)(live, reference).sum()
    found = torch.autograd.grad(loss, [chosen, rejected], allow_unused=True, materialize_grads=True)
    return found[0], found[1]


@pytest.mark.parametrize("name", STEADY)
def test_the_gradient_raises_the_chosen_and_lowers_the_rejected(name: str) -> None:
    for seed in range(3):
        policy = drawn_pairs(seed)
        chosen, rejected = _gradients(name, policy, nearby(policy, seed + 20))
        assert (chosen < 0).all()
        assert (rejected > 0).all()


@pytest.mark.parametrize("divergence", ["forward_kl", "js", "alpha"])
@pytest.mark.parametrize("name", ["sigmoid", "robust"])
def test_the_gradient_does_so_under_every_divergence(name: str, divergence: str) -> None:
    policy = drawn_pairs(4)
    reference = nearby(policy, 24, spread=1.0)
    chosen, rejected = _gradients(name, policy, reference, divergence=divergence, beta=0.1)
    assert (chosen < 0).all()
    assert (rejected > 0).all()


@pytest.mark.parametrize("name", ["ipo", "sppo_hard", "exo_pair", "nca_pair", "hinge"])
def test_the_exceptions_raise_the_chosen_and_lower_the_rejected_at_the_start_of_a_run(name: str) -> None:
    policy = drawn_pairs(5)
    chosen, rejected = _gradients(name, policy, policy)
    assert (chosen < 0).all()
    assert (rejected > 0).all()


def test_ipo_and_sppo_pull_back_past_their_target() -> None:
    for name, settings in (("ipo", {"beta": 0.5}), ("sppo_hard", {"beta": 0.5})):
        chosen, rejected = _gradients(name, pairs_of([3.0], [-3.0]), zeros(), **settings)
        assert chosen > 0
        assert rejected < 0


def test_exo_pulls_back_past_the_certainty_of_the_label() -> None:
    chosen, rejected = _gradients("exo_pair", pairs_of([5.0], [0.0]), zeros(), beta=1.0, label_smoothing=0.1)
    assert chosen > 0
    assert rejected < 0


def test_smoothing_turns_back_past_the_assumed_certainty() -> None:
    for name in ("sigmoid", "aot", "aot_unpaired"):
        chosen, _ = _gradients(name, pairs_of([80.0], [0.0]), zeros(), beta=0.1, label_smoothing=0.1)
        assert chosen > 0  # margin 8 is more certain than 90%


def test_nca_pulls_a_chosen_reward_back_past_log_2_and_lowers_the_rejected_always() -> None:
    chosen, rejected = _gradients("nca_pair", pairs_of([0.68, 0.70], [9.0, -9.0]), zeros(2), beta=1.0)
    assert chosen[0] < 0 < chosen[1]
    assert (rejected > 0).all()


def test_apo_down_lowers_both_and_the_rejected_further() -> None:
    chosen, rejected = _gradients("apo_down", pairs_of([-0.2], [-6.0]), zeros(), beta=0.5)
    assert chosen > 0
    assert rejected > 0
    at_start = _gradients("apo_down", zeros(), zeros())
    assert at_start[0] == 0
    assert at_start[1] > 0


def test_discopop_draws_pairs_away_from_a_margin_of_zero_to_either_side() -> None:
    rewards = torch.tensor([-2.0, -0.13, -0.11, 0.0, 0.06, 0.08, 2.0])
    chosen, rejected = _gradients("discopop", pairs_of((rewards / 0.05).tolist(), [0.0] * 7), zeros(7), beta=0.05)
    assert (chosen < 0).tolist() == [True, True, False, False, False, True, True]
    torch.testing.assert_close(rejected, -chosen)


def test_hinges_rest_past_their_margin() -> None:
    chosen, rejected = _gradients("hinge", pairs_of([11.0], [0.0]), zeros(), beta=0.1)
    assert chosen == rejected == 0
    chosen, rejected = _gradients("slic_hf", pairs_of([-1.0], [-3.0]), zeros(), nll_weight=0.5)
    assert chosen == -0.5
    assert rejected == 0


def test_the_supervised_term_raises_the_chosen_and_leaves_the_rejected() -> None:
    chosen, rejected = _gradients("nll", drawn_pairs(6), zeros(16))
    assert (chosen < 0).all()
    assert (rejected == 0).all()


def test_kto_raises_good_completions_and_lowers_bad_ones() -> None:
    policy, reference = drawn_unpaired(7, grad=True), drawn_unpaired(8)
    torch.autograd.backward(configured("kto", {})(policy, reference).sum())
    assert policy.logp.grad is not None
    assert (policy.logp.grad[policy.desirable] < 0).all()
    assert (policy.logp.grad[~policy.desirable] > 0).all()


def test_every_exception_is_an_objective() -> None:
    assert set(EXCEPTIONS) <= set(objective_names())


def _variants() -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in objective_names()]
    for name in objective_names():
        if "divergence" in objective_named(name).settings:
            found += [(name, {"divergence": divergence}) for divergence in ("forward_kl", "js", "alpha")]
    return [*found, ("discopop", {"tau": 1.0}), ("exo_pair", {"label_smoothing": 1e-12})]


@pytest.mark.parametrize(("name", "settings"), _variants())
def test_no_loss_and_no_gradient_is_infinite_for_extreme_log_probs(name: str, settings: dict[str, Any]) -> None:
    # Every combination of policy and reference, chosen and rejected, in completions of one token: the harshest means.
    cases = torch.tensor(list(itertools.product(EXTREMES, repeat=4)))
    tokens = torch.ones(len(cases))
    live = cases.clone().requires_grad_()
    loss = configured(name, settings)
    if loss.task == "unpaired":
        good = torch.arange(len(cases)) % 2 == 0
        policy: Any = UnpairedLogps(live[:, 0], tokens, cases[:, 1], good)
        reference: Any = UnpairedLogps(cases[:, 2], tokens, cases[:, 3], good)
    else:
        policy = PairLogps(live[:, 0], live[:, 1], tokens, tokens)
        reference = PairLogps(cases[:, 2], cases[:, 3], tokens, tokens)
    found = loss(policy, reference)
    assert found.isfinite().all()
    (gradient,) = torch.autograd.grad(found.sum(), live)
    assert gradient.isfinite().all()
