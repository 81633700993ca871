"""The registry: what it reads from a function, and what it refuses."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator

import pytest
import torch

from tests.objectives.logps import drawn_pairs
from tiebreak.errors import InputError
from tiebreak.objectives import LabelledLogps, PairLogps, configured, objective_named, objective_names
from tiebreak.objectives.registry import _REGISTRY, objective
from tiebreak.objectives.settings import Beta
from tiebreak.recipe import ObjectiveSection

ALL = {
    *("sigmoid", "robust", "ipo", "hinge", "exo_pair", "nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired"),
    *("apo_zero", "apo_down", "discopop", "sigmoid_norm", "dpop", "kto_pair"),
    *("simpo", "orpo", "cpo", "slic_hf", "nll", "kto"),
}


@pytest.fixture
def own_names() -> Iterator[None]:
    before = dict(_REGISTRY)
    yield
    _REGISTRY.clear()
    _REGISTRY.update(before)


def test_the_whole_room_is_there() -> None:
    assert objective_names() == sorted(ALL)


def test_a_function_says_what_it_needs() -> None:
    without = {name for name in ALL if not objective_named(name).needs_reference}
    assert without == {"simpo", "orpo", "cpo", "slic_hf", "nll"}
    assert {name for name in ALL if objective_named(name).unpaired} == {"kto"}
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
    assert set(entry.settings) <= set(ObjectiveSection.model_fields)
    section = ObjectiveSection(name=name, **entry.settings)
    given = {key: getattr(section, key) for key in entry.settings}
    assert configured(name, given).settings == dict(entry.settings)


def test_every_setting_of_recipes_is_taken_by_an_objective() -> None:
    not_of_one_objective = {"name", "weight", "add", "weighting", "length_alpha"}
    taken = {key for name in objective_names() for key in objective_named(name).settings}
    assert set(ObjectiveSection.model_fields) - not_of_one_objective == taken


def test_an_unknown_objective_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no objective 'sigmod'") as caught:
        objective_named("sigmod")
    assert caught.value.fix == "did you mean 'sigmoid'?"
    assert caught.value.where == "objective.name"


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(InputError) as caught:
        objective_named("xyzzy")
    assert caught.value.fix == f"known: {', '.join(sorted(ALL))}"


def test_a_function_of_ones_own_can_be_registered(own_names: None) -> None:
    @objective(reward="mean")
    def shortest(policy: PairLogps, *, beta: Beta = 0.5) -> torch.Tensor:
        """A loss with one setting.

        Args:
            policy: log-probs.
        Source:
            Nobody, and
            nowhere.
        """
        return beta * (policy.mean_rejected - policy.mean_chosen)

    entry = objective_named("shortest")
    assert (entry.settings, entry.needs_reference, entry.reward) == ({"beta": 0.5}, False, "mean")
    assert entry.summary == "A loss with one setting."
    assert entry.source == "Nobody, and nowhere."
    pairs = drawn_pairs(1)
    torch.testing.assert_close(configured("shortest", {"beta": 2.0})(pairs), shortest(pairs, beta=2.0))


def test_a_function_of_another_form_is_not_registered(own_names: None) -> None:
    def backwards(reference: PairLogps, policy: PairLogps) -> torch.Tensor:
        return policy.chosen - reference.chosen

    def undecided(policy: PairLogps, *, beta: Beta) -> torch.Tensor:
        return beta * policy.chosen

    def untyped(policy: PairLogps, *, beta=0.1) -> torch.Tensor:  # type: ignore[no-untyped-def]
        return beta * policy.chosen

    with pytest.raises(TypeError, match=re.escape("'backwards' takes ['reference', 'policy']")):
        objective()(backwards)
    for function in (undecided, untyped):
        with pytest.raises(TypeError, match=r"the setting 'beta' .* needs a type and a default"):
            objective()(function)
    assert set(objective_names()) == ALL


def test_a_name_is_not_taken_from_another_module(own_names: None) -> None:
    def sigmoid(policy: PairLogps) -> torch.Tensor:
        return policy.chosen

    with pytest.raises(ValueError, match=r"'sigmoid' already, in tiebreak\.objectives\.dpo"):
        objective()(sigmoid)


@pytest.mark.parametrize("name", sorted(ALL - {"kto"}))
def test_a_loss_can_be_sent_to_another_process(name: str) -> None:
    loss, pairs = configured(name, {}), drawn_pairs(2)
    torch.testing.assert_close(pickle.loads(pickle.dumps(loss))(pairs, drawn_pairs(3)), loss(pairs, drawn_pairs(3)))


def test_judged_answers_are_what_kto_takes() -> None:
    assert LabelledLogps.__dataclass_fields__.keys() == {"logp", "tokens", "partner", "desirable"}
