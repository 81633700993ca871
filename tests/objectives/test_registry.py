"""The registry: what it reads from a function, and what it refuses."""

from __future__ import annotations

import pickle
import re

import pytest
import torch

from tests.objectives.logps import drawn_pairs
from tiebreak.errors import InputError
from tiebreak.objectives import PairLogps, UnpairedLogps, configured, objective_named, objective_names
from tiebreak.objectives.registry import known_settings, objective, setting_for
from tiebreak.objectives.settings import Beta
from tiebreak.recipe import ObjectiveSection

ALL = {
    *("sigmoid", "robust", "ipo", "hinge", "exo_pair", "nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired"),
    *("apo_zero", "apo_down", "discopop", "sigmoid_norm", "dpop", "kto_pair"),
    *("simpo", "orpo", "cpo", "slic_hf", "nll", "kto"),
}


def test_the_whole_room_is_there() -> None:
    assert objective_names() == sorted(ALL)


def test_a_function_says_what_it_needs() -> None:
    without = {name for name in ALL if not objective_named(name).needs_reference}
    assert without == {"simpo", "orpo", "cpo", "slic_hf", "nll"}
    assert {name for name in ALL if objective_named(name).task == "unpaired"} == {"kto"}
    whole = {name for name in ALL if objective_named(name).whole_step}
    assert whole == {"aot", "aot_unpaired", "bco_pair", "kto", "kto_pair"}
    assert {name for name in ALL if objective_named(name).reward == "mean"} == {"simpo", "orpo", "sigmoid_norm"}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_objective_is_documented_with_its_source(name: str) -> None:
    entry = objective_named(name)
    assert re.search(r"arXiv \d{4}\.\d{5}", entry.source)
    assert entry.summary.endswith(".")
    documentation = entry.loss.__doc__ or ""
    assert "Args:" in documentation
    assert "Returns:" in documentation
    for setting in entry.settings:
        assert setting in documentation


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_setting_is_a_key_of_recipes_and_every_default_is_allowed(name: str) -> None:
    entry = objective_named(name)
    section = ObjectiveSection(name=name, **entry.settings)
    assert section.settings == entry.settings
    assert configured(name, section.settings).settings == entry.settings


def test_every_setting_of_recipes_is_taken_by_an_objective() -> None:
    taken = {key for name in objective_names() for key in objective_named(name).settings}
    assert set(known_settings()) == set(ObjectiveSection.further_keys()) == taken


def test_a_recipes_key_is_checked_against_the_objective_that_takes_it() -> None:
    smoothing = setting_for("label_smoothing", ["nll", "exo_pair"])
    assert smoothing is not None
    assert smoothing.allowed == "a finite number above 0 and below 0.5"
    assert setting_for("gamma", ["sigmoid"]) == objective_named("simpo").declared["gamma"]
    assert setting_for("betta", ["sigmoid"]) is None


@pytest.mark.parametrize(("name", "near"), [("sigmod", "sigmoid"), ("dpoo", "dpo"), ("dpopp", "dpop")])
def test_an_unknown_objective_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(InputError, match=f"no objective '{name}'") as caught:
        objective_named(name)
    assert caught.value.fix == f"did you mean '{near}'?"
    assert caught.value.where == "objective.name"


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(InputError) as caught:
        objective_named("xyzzy")
    assert caught.value.fix == f"known: {', '.join(sorted(ALL))}"


def test_a_function_of_another_form_is_not_registered() -> None:
    def backwards(reference: PairLogps, policy: PairLogps) -> torch.Tensor:
        return policy.chosen - reference.chosen

    def undecided(policy: PairLogps, *, beta: Beta) -> torch.Tensor:
        return beta * policy.chosen

    def untyped(policy: PairLogps, *, beta=0.1) -> torch.Tensor:  # type: ignore[no-untyped-def]
        return policy.chosen

    def heavy(policy: PairLogps, *, weight: Beta = 1.0) -> torch.Tensor:
        return weight * policy.chosen

    with pytest.raises(TypeError, match=re.escape("'backwards' takes ['reference', 'policy']")):
        objective()(backwards)
    for function in (undecided, untyped):
        with pytest.raises(TypeError, match=r"the setting 'beta' .* needs a type and a default"):
            objective()(function)
    with pytest.raises(TypeError, match="'heavy' cannot have a setting 'weight'"):
        objective()(heavy)
    assert set(objective_names()) == ALL


def test_two_modules_of_tiebreak_have_no_objective_of_one_name() -> None:
    def sigmoid(policy: PairLogps) -> torch.Tensor:
        return policy.chosen

    sigmoid.__module__ = "tiebreak.objectives.another"
    with pytest.raises(ValueError, match=r"'sigmoid' already, in tiebreak\.objectives\.dpo"):
        objective()(sigmoid)


def test_a_function_from_outside_takes_no_name_from_tiebreaks_own() -> None:
    known = objective_named("sigmoid")

    @objective()
    def sigmoid(policy: PairLogps) -> torch.Tensor:
        return policy.chosen

    assert objective_named("sigmoid") is known
    assert known.loss is not sigmoid


@pytest.mark.parametrize("name", sorted(ALL - {"kto"}))
def test_a_loss_can_be_sent_to_another_process(name: str) -> None:
    loss, pairs = configured(name, {}), drawn_pairs(2)
    torch.testing.assert_close(pickle.loads(pickle.dumps(loss))(pairs, drawn_pairs(3)), loss(pairs, drawn_pairs(3)))


def test_unpaired_completions_are_what_kto_takes() -> None:
    assert UnpairedLogps.__dataclass_fields__.keys() == {"logp", "tokens", "mismatched", "desirable"}
