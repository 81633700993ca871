"""The list of keys: all of a recipe, each with a sentence and a default that is YAML."""

from __future__ import annotations

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, described_keys
from tiebreak.recipe.allowed import UNITS
from tiebreak.recipe.keys import keys_of, section_at, unknown_key


def test_every_key_has_a_sentence() -> None:
    keys = described_keys(Recipe)
    assert {key.name.split(".")[0] for key in keys} == set(Recipe.model_fields)
    for key in keys:
        assert key.description.endswith("."), key.name
        assert yaml.safe_load(key.written_default) == key.default
        assert key.allowed, key.name


def test_the_keys_are_those_that_a_recipe_has_when_it_is_written_out() -> None:
    document = Recipe(model={"name": "a", "adapter": "lora"}, objective={"beta": 1}).model_dump(by_alias=True)
    described = {key.name for key in described_keys(Recipe)}
    for section, keys in document.items():
        for key in keys if isinstance(keys, dict) else ():
            assert f"{section}.{key}" in described


def test_a_section_is_found_by_its_path() -> None:
    adapter = section_at(Recipe, ["model", "adapter"])
    assert adapter is not None
    assert keys_of(adapter) == ["kind", "rank", "alpha", "targets"]
    assert section_at(Recipe, ["objective", "add"]) is None
    assert section_at(Recipe, ["nowhere", "at", "all"]) is None
    data = section_at(Recipe, ["data"])
    assert data is not None
    assert "schema" in keys_of(data)


KEYS = {key.name: key for key in described_keys(Recipe)}


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("train.schedule", "linear, cosine, constant or constant_with_warmup"),
        ("train.batch_size", "a whole number of at least 1; unit: examples"),
        ("train.warmup_ratio", "a number of at least 0 and below 1; unit: share of the steps"),
        ("data.max_length", "a whole number of at least 8 or null; unit: tokens"),
        ("train.learning_rate", "auto or a number above 0"),
        ("train.adam_betas", "a list of 2, each a number of at least 0 and below 1"),
        ("model.quantize", "nf4, int8 or null"),
        ("objective.divergence", "reverse_kl, forward_kl, js, alpha or null"),
        ("data.shuffle", "true or false"),
    ],
)
def test_a_key_says_what_it_may_be(name: str, allowed: str) -> None:
    assert KEYS[name].allowed == allowed
    assert KEYS[name].to_json()["default"] == KEYS[name].default


def test_a_unit_belongs_to_a_key_with_numbers() -> None:
    for name in UNITS:
        assert "number" in KEYS[name].allowed, name


@given(st.sampled_from(sorted(KEYS)), st.one_of(st.integers(-3, 3), st.floats(-3, 3), st.sampled_from(["auto", "x"])))
def test_what_is_said_to_be_allowed_is(name: str, value: object) -> None:
    key = KEYS[name]
    if not key.unit:
        return
    try:
        Recipe().with_settings({name: value})
    except InputError:
        said = False
    else:
        said = True
    as_number = float(value) if isinstance(value, int | float) else value
    whole = as_number if not isinstance(as_number, float) or not as_number.is_integer() else int(as_number)
    allowed = jsonschema_rs.validator_for(dict(key.schema)).is_valid(whole)
    # A number of steps is whole, and settings of an objective go by the objective.
    if name.startswith("objective.") or (name.endswith("_every") and isinstance(whole, float)):
        assert not said or allowed
    else:
        assert said == allowed, (name, value)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("train.lr", "'train.learning_rate'"),
        ("per_device_train_batch_size", "'train.batch_size'"),
        ("train.num_train_epochs", "'train.epochs'"),
        ("train.max_prompt_length", "'data.max_prompt_length'"),
        ("seed", "'data.seed' (or train.seed, evaluate.seed, sweep.seed)"),
        ("model.cutoff_len", "'data.max_length'"),
        ("sample_packing", "it is not needed here"),
        ("objective.loss_type", "'objective.name'"),
        ("train.batchsize", "did you mean 'batch_size'?"),
    ],
)
def test_a_key_of_another_trainer_or_place_is_named(written: str, says: str) -> None:
    *path, key = written.split(".")
    assert says in unknown_key(written, key, section_at(Recipe, path) or Recipe, Recipe)
