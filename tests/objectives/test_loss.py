"""From a recipe's words to a loss: what is filled in, added up, and refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from tests.objectives.logps import drawn_pairs, drawn_unpaired
from tiebreak.errors import InputError
from tiebreak.objectives import Loss, configured, objective_named, objective_names
from tiebreak.objectives.dpo import hinge, ipo, sigmoid, sigmoid_norm
from tiebreak.objectives.reference_free import nll, simpo
from tiebreak.recipe import ObjectiveSection

POLICY, REFERENCE = drawn_pairs(1), drawn_pairs(2)


def _refusal(*args: Any, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        configured(*args, **settings)
    return caught.value


def test_what_is_not_set_is_the_objectives_own_default() -> None:
    unset = {"beta": None, "gamma": None, "tau": None}
    torch.testing.assert_close(configured("simpo", unset)(POLICY), simpo(POLICY, beta=2.0, gamma=1.0))
    assert configured("sigmoid_norm", {}).beta == 5.0
    assert configured("sigmoid_norm", {"beta": 3}).beta == 3.0


def test_a_loss_is_the_weighted_sum_of_its_terms() -> None:
    loss = configured("sigmoid", {"beta": 0.2}, weight=0.7, add={"nll": 0.5, "ipo": {"weight": 0.1, "beta": 1}})
    expected = 0.7 * sigmoid(POLICY, REFERENCE, beta=0.2) + 0.5 * nll(POLICY) + 0.1 * ipo(POLICY, REFERENCE, beta=1.0)
    torch.testing.assert_close(loss(POLICY, REFERENCE), expected)


def test_losses_are_linear_in_their_weights() -> None:
    def loss(first: float, second: float) -> torch.Tensor:
        return configured("hinge", {}, weight=first, add={"sigmoid": second})(POLICY, REFERENCE)

    torch.testing.assert_close(loss(1.0, 2.0) + loss(3.0, 1.0), loss(4.0, 3.0))
    torch.testing.assert_close(2 * loss(1.0, 2.0), loss(2.0, 4.0))


def test_added_objectives_take_the_shared_settings_that_they_know() -> None:
    loss = configured("sigmoid", {"beta": 0.3, "label_smoothing": 0.1}, add={"hinge": 1.0})
    expected = sigmoid(POLICY, REFERENCE, beta=0.3, label_smoothing=0.1) + hinge(POLICY, REFERENCE, beta=0.3)
    torch.testing.assert_close(loss(POLICY, REFERENCE), expected)


def test_a_setting_that_only_an_added_objective_takes_is_taken() -> None:
    loss = configured("nll", {"gamma": 0.2}, add={"simpo": 1.0})
    torch.testing.assert_close(loss(POLICY), nll(POLICY) + simpo(POLICY, gamma=0.2))


def test_an_added_objective_keeps_its_own_default() -> None:
    loss = configured("sigmoid", {}, add={"sigmoid_norm": 1.0})
    torch.testing.assert_close(loss(POLICY, REFERENCE), sigmoid(POLICY, REFERENCE) + sigmoid_norm(POLICY, REFERENCE))


def test_numbers_written_as_text_are_numbers() -> None:
    loss = configured("sigmoid", {"beta": "1e-1"}, add={"ipo": {"weight": "5e-1", "beta": "1e-2"}})
    expected = configured("sigmoid", {"beta": 0.1}, add={"ipo": {"weight": 0.5, "beta": 0.01}})
    assert loss == expected
    assert loss.settings == expected.settings


def test_a_loss_says_what_it_needs() -> None:
    alone = configured("simpo", {})
    assert (alone.needs_reference, alone.whole_step, alone.task, alone.reward) == (False, False, "preference", "mean")
    added = configured("simpo", {}, add={"aot": 1.0})
    assert (added.needs_reference, added.whole_step, added.task, added.reward) == (True, True, "preference", "mean")
    judged = configured("kto", {})
    assert (judged.needs_reference, judged.whole_step, judged.task, judged.reward) == (True, True, "unpaired", "sum")


def test_beta_is_the_first_terms_and_1_where_it_takes_none() -> None:
    assert configured("sigmoid", {}, add={"simpo": 1.0}).beta == 0.1
    assert configured("nll", {}, add={"sigmoid": 1.0}).beta == 1.0


def test_a_needed_reference_is_asked_for() -> None:
    with pytest.raises(ValueError, match="'simpo' needs the log-probs of a reference"):
        configured("simpo", {}, add={"sigmoid": 1.0})(POLICY, None)
    assert configured("simpo", {})(POLICY, None).shape == (16,)


def test_kto_is_configured_like_any_other() -> None:
    loss = configured("kto", {"desirable_weight": 2.0})
    completions = drawn_unpaired(3)
    torch.testing.assert_close(loss(completions, completions), torch.where(completions.desirable, 1.0, 0.5))


def test_the_settings_in_force_are_those_that_were_given_and_the_defaults_of_the_first_taker() -> None:
    loss = configured("sigmoid", {"label_smoothing": 0.2}, add={"simpo": 0.5, "exo_pair": {"weight": 1, "beta": 3}})
    assert loss.settings == {
        "beta": 0.1,
        "label_smoothing": 0.2,
        "divergence": "reverse_kl",
        "divergence_alpha": 0.5,
        "gamma": 1.0,
    }
    assert configured("nll", {}).settings == {}


def test_what_was_given_for_all_is_recorded_even_where_the_first_taker_has_its_own() -> None:
    loss = configured("nll", {"beta": "0.3"}, add={"simpo": {"weight": 1.0, "beta": 4.0}, "cpo": 1.0})
    assert loss.settings["beta"] == 0.3
    assert loss.added["simpo"] == {"weight": 1.0, "beta": 4.0}


@pytest.mark.parametrize(
    ("name", "given", "add"),
    [
        ("sigmoid", {}, {"sigmoid_norm": 0.5, "exo_pair": 0.1}),
        ("nll", {}, {"simpo": {"weight": 1.0, "beta": 4.0}, "cpo": 1.0}),
        ("nll", {"beta": 0.3}, {"simpo": {"weight": 1.0, "beta": 4.0}, "cpo": 1.0}),
        ("ipo", {"beta": 0.3}, {"sigmoid": {"weight": 1.0, "divergence": "alpha", "divergence_alpha": 0.2}}),
        ("sigmoid", {"divergence": "alpha", "divergence_alpha": 0.2}, {"ipo": {"weight": 2, "divergence": "js"}}),
        ("kto", {"undesirable_weight": 1.5}, {}),
    ],
)
def test_what_a_loss_records_makes_the_same_loss_again(name: str, given: dict[str, Any], add: dict[str, Any]) -> None:
    loss = configured(name, given, add=add)
    recorded = ObjectiveSection(name=name, add=loss.added, **loss.settings)
    again = configured(recorded.name, recorded.settings, weight=recorded.weight, add=recorded.add)
    assert again == loss


def test_a_setting_that_an_objective_does_not_take_is_refused_by_name() -> None:
    error = _refusal("simpo", {"label_smoothing": 0.1})
    assert error.what == "The objective 'simpo' takes no 'label_smoothing'."
    assert error.where == "objective.label_smoothing"
    assert error.fix is not None
    assert error.fix.startswith("it takes: beta, gamma; 'label_smoothing' belongs to aot, ")


def test_a_setting_of_an_objective_without_settings_is_refused() -> None:
    error = _refusal("nll", {"beta": 0.1})
    assert error.fix is not None
    assert error.fix.startswith("it takes no settings; 'beta' belongs to ")


def test_a_setting_that_no_term_takes_is_refused() -> None:
    error = _refusal("sppo_hard", {"tau": 0.1}, add={"nll": 0.1})
    assert error.what == "None of the objectives 'sppo_hard' and 'nll' takes 'tau'."
    assert error.fix == "they take: beta; 'tau' belongs to discopop"


def test_a_setting_that_nobody_knows_is_answered_with_the_nearest() -> None:
    error = _refusal("sigmoid", {}, add={"ipo": {"weight": 1, "betta": 0.1}})
    assert error.what == "The objective 'ipo' takes no 'betta'."
    assert error.where == "objective.add.ipo.betta"
    assert error.fix == "did you mean 'beta'?; it takes: beta, divergence, divergence_alpha"


REFUSED_VALUES = [
    ("sigmoid", "beta", 0, "a finite number above 0"),
    ("sigmoid", "beta", float("inf"), "a finite number above 0"),
    ("sigmoid", "beta", float("nan"), "a finite number above 0"),
    ("sigmoid", "beta", "much", "a finite number above 0"),
    ("sigmoid", "label_smoothing", 0.5, "a finite number of at least 0 and below 0.5"),
    ("robust", "label_smoothing", -0.1, "a finite number of at least 0 and below 0.5"),
    ("aot", "label_smoothing", 0.7, "a finite number of at least 0 and below 0.5"),
    ("exo_pair", "label_smoothing", 0.0, "a finite number above 0 and below 0.5"),
    ("sigmoid", "divergence", "kl", "one of reverse_kl, forward_kl, js, alpha"),
    ("hinge", "divergence_alpha", 1.0, "a finite number above 0 and below 1"),
    ("simpo", "gamma", -1, "a finite number of at least 0"),
    ("slic_hf", "delta", 0.0, "a finite number above 0"),
    ("discopop", "tau", 1.5, "a finite number above 0 and of at most 1"),
    ("dpop", "positive_penalty", -1.0, "a finite number of at least 0"),
    ("orpo", "nll_weight", -0.1, "a finite number of at least 0"),
    ("kto", "desirable_weight", 0.0, "a finite number above 0"),
    ("kto", "undesirable_weight", -2, "a finite number above 0"),
]


@pytest.mark.parametrize(("name", "key", "value", "allowed"), REFUSED_VALUES)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(name: str, key: str, value: Any, allowed: str) -> None:
    error = _refusal(name, {key: value})
    assert error.what == f"The objective '{name}' cannot use {key} = {value!r}."
    assert error.where == f"objective.{key}"
    assert error.fix == f"give {allowed}"


def test_every_setting_has_a_value_that_is_refused() -> None:
    taken = {key for name in objective_names() for key in objective_named(name).settings}
    assert {key for _, key, _, _ in REFUSED_VALUES} == taken


def test_a_shared_value_that_an_added_objective_cannot_use_is_refused_in_its_name() -> None:
    error = _refusal("sigmoid", {"label_smoothing": 0.0}, add={"exo_pair": 1.0})
    assert error.what == "The objective 'exo_pair' cannot use label_smoothing = 0.0."
    assert error.where == "objective.label_smoothing"


def test_an_own_value_that_is_not_allowed_is_refused_at_its_key() -> None:
    error = _refusal("sigmoid", {}, add={"ipo": {"weight": 1, "beta": -1}})
    assert error.where == "objective.add.ipo.beta"


@pytest.mark.parametrize("weight", [0, -1.0, float("inf"), float("nan"), "heavy", True, None])
def test_a_weight_is_a_finite_number_above_zero(weight: Any) -> None:
    for error, where in (
        (_refusal("sigmoid", {}, add={"nll": weight}), "objective.add.nll"),
        (_refusal("sigmoid", {}, add={"nll": {"weight": weight}}), "objective.add.nll.weight"),
    ):
        assert error.what == f"The objective 'nll' cannot have the weight {weight!r}."
        assert error.where == where
        assert error.fix == "give a finite number above 0"
    assert _refusal("nll", {}, weight=weight).where == "objective.weight"


def test_an_added_objective_needs_a_weight() -> None:
    error = _refusal("sigmoid", {}, add={"ipo": {"beta": 0.1}})
    assert error.what == "The added objective 'ipo' has no weight."
    assert error.where == "objective.add.ipo"
    assert error.fix == "give one: {ipo: {weight: 0.5}}"


def test_an_unknown_added_objective_is_answered_with_the_nearest() -> None:
    error = _refusal("sigmoid", {}, add={"nnl": 0.1})
    assert (error.what, error.where) == ("There is no objective 'nnl'.", "objective.add")
    assert error.fix == "did you mean 'nll'?"


def test_an_objective_is_not_added_to_itself() -> None:
    error = _refusal("sigmoid", {}, add={"sigmoid": 0.1})
    assert error.what == "The objective 'sigmoid' is added to itself."
    assert error.where == "objective.add.sigmoid"


@pytest.mark.parametrize(("name", "added"), [("kto", "nll"), ("sigmoid", "kto")])
def test_unpaired_completions_and_pairs_are_not_mixed(name: str, added: str) -> None:
    error = _refusal(name, {}, add={added: 0.1})
    other = added if name == "kto" else name
    assert error.what.startswith(f"'kto' cannot be added up with '{other}'")
    assert "unpaired completions" in error.what
    assert error.where == "objective.add"


def test_a_shared_value_that_every_taker_overrides_is_refused() -> None:
    error = _refusal("nll", {"beta": 0.3}, add={"simpo": {"weight": 1.0, "beta": 4.0}})
    assert error.what == "objective.beta has no effect: every objective that takes it has its own, 'simpo'."
    assert error.where == "objective.beta"
    assert error.fix == "leave it out, or leave out objective.add.simpo.beta"


def test_an_order_that_no_alpha_divergence_uses_is_refused() -> None:
    error = _refusal("sigmoid", {"divergence_alpha": 0.3})
    assert error.what == "divergence_alpha = 0.3 has no effect: no divergence here is 'alpha'."
    assert error.where == "objective.divergence_alpha"
    own = _refusal("sigmoid", {"divergence": "js"}, add={"ipo": {"weight": 1, "divergence_alpha": 0.3}})
    assert own.where == "objective.add.ipo.divergence_alpha"
    assert configured("sigmoid", {"divergence_alpha": 0.5}) == configured("sigmoid", {})


def test_a_loss_is_frozen() -> None:
    loss = configured("sigmoid", {})
    assert isinstance(loss, Loss)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.terms = ()  # type: ignore[misc]
