"""Recipes: read, written and changed, and every mistake named with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, TrainSection, load_recipe, parse_recipe, parse_value
from tiebreak.training.arguments import Length, training_arguments


def test_a_recipe_survives_being_written_and_read(tmp_path: Path) -> None:
    recipe = Recipe(model="gpt2", data="prefs.jsonl").with_settings(
        {"train.eval_every": "epoch", "train.tokens_per_microbatch": 512, "data.schema": "text"}
    )
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml())
    assert load_recipe(file) == recipe


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"train": {"learning_rat": 1}}, "no key 'train.learning_rat' in a recipe; did you mean 'learning_rate'?"),
        ({"trian": {}}, "no key 'trian' in a recipe; did you mean 'train'?"),
        ({"objective": {"beta": 0}}, "objective.beta: Input should be greater than 0 (got 0)"),
        (
            {"data": {"too_long": "cut"}},
            "data.too_long: Input should be 'drop', 'trim_prompt', 'trim_completion' or 'trim'",
        ),
        ({"train": {"eval_every": 1.5}}, "train.eval_every: give 'epoch', a share of the run"),
        ({"train": {"early_stopping": 2, "keep_best": None}}, "early_stopping needs keep_best"),
        ([1, 2], "A recipe is a mapping of sections."),
    ],
)
def test_a_mistake_is_named(document: object, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_recipe(document, where="mine.yaml")
    assert says in str(caught.value)
    assert caught.value.where == "mine.yaml"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "value"), [("1e-6", 1e-6), ("3", 3), ("null", None), ("true", True), ("[1, 2]", [1, 2]), ("gpt2", "gpt2")]
)
def test_values_of_set_mean_what_they_say(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_numbers_as_people_write_them_are_numbers(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train: {learning_rate: 1e-6}\n")
    assert load_recipe(file).train.learning_rate == 1e-6


def test_a_recipe_that_is_not_there_or_not_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe file"):
        load_recipe(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("train: [1")
    with pytest.raises(InputError, match="not valid YAML"):
        load_recipe(tmp_path / "bad.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "bytes.yaml")


def test_settings_of_objectives_are_flat_keys_checked_by_the_objective_that_takes_them() -> None:
    recipe = parse_recipe(
        {"objective": {"name": "simpo", "beta": "2.5", "gamma": 1, "tau": None, "add": {"nll": 0.2}}}, where="a test"
    )
    assert recipe.objective.settings == {"beta": 2.5, "gamma": 1.0}
    assert yaml.safe_load(recipe.to_yaml())["objective"] == {
        "name": "simpo",
        "weight": 1.0,
        "add": {"nll": 0.2},
        "weighting": "none",
        "length_alpha": 1.0,
        "beta": 2.5,
        "gamma": 1.0,
    }
    with pytest.raises(InputError, match=r"objective\.label_smoothing: Input should be greater than 0"):
        parse_recipe({"objective": {"name": "exo_pair", "label_smoothing": 0}}, where="a test")
    assert parse_recipe({"objective": {"label_smoothing": 0}}, where="a test").objective.settings == {
        "label_smoothing": 0.0
    }


def test_a_recipe_of_an_earlier_version_with_every_setting_null_is_read() -> None:
    old = {"name": "supervised", "weight": 1.0, "add": {}, "beta": None, "gamma": None, "undesirable_weight": None}
    recipe = parse_recipe({"objective": old}, where="a test")
    assert recipe == Recipe(objective="supervised")
    assert "beta" not in yaml.safe_load(recipe.to_yaml())["objective"]


def test_a_setting_is_replaced_and_unset_from_the_command_line() -> None:
    recipe = Recipe(objective={"name": "simpo", "beta": 2.0}).with_settings({"objective.beta": 3})
    assert recipe.objective.settings == {"beta": 3.0}
    assert recipe.with_settings({"objective.beta": None}).objective.settings == {}
    with pytest.raises(InputError, match=r"no key 'objective\.betta' in a recipe; did you mean 'beta'\?"):
        recipe.with_settings({"objective.betta": 1})


def test_the_learning_rate_is_a_number_or_left_to_the_task(tmp_path: Path) -> None:
    assert Recipe().train.learning_rate == "auto"
    assert parse_recipe({"train": {"learning_rate": "1e-5"}}, where="a test").train.learning_rate == 1e-5
    for value in (0, -1.0, "fast"):
        with pytest.raises(InputError, match=r"train\.learning_rate: "):
            parse_recipe({"train": {"learning_rate": value}}, where="a test")
    length = Length(steps=1, steps_an_epoch=1)
    with pytest.raises(ValueError, match="the learning rate is still 'auto'"):
        training_arguments(TrainSection(), length, output=tmp_path, device="cpu", held_out=False)
    written = training_arguments(
        TrainSection(learning_rate=1e-4), length, output=tmp_path, device="cpu", held_out=False
    )
    assert written.learning_rate == 1e-4


@pytest.mark.parametrize("value", [-1, 0, True, "fast", "nan", ".inf", None, [1e-5]])
def test_a_learning_rate_is_auto_or_a_number_above_zero(value: object) -> None:
    with pytest.raises(InputError) as refused:
        Recipe().with_settings({"train.learning_rate": value})
    assert refused.value.what.startswith("train.learning_rate: give auto, or a number above 0 (got ")
    assert ";" not in refused.value.what


@pytest.mark.parametrize(("value", "rate"), [("auto", "auto"), (1, 1.0), ("1e-5", 1e-5), (2e-4, 2e-4)])
def test_a_learning_rate_may_be_written_in_any_of_these_ways(value: object, rate: object) -> None:
    assert Recipe().with_settings({"train.learning_rate": value}).train.learning_rate == rate


def test_a_key_twice_in_a_file_is_refused_with_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("train:\n  epochs: 1\n  seed: 2\n  epochs: 3\n")
    with pytest.raises(InputError, match="'epochs' is given twice, in lines 2 and 4") as caught:
        load_recipe(file)
    assert caught.value.where == str(file)
    with pytest.raises(InputError, match="'a' is given twice"):
        parse_value("{a: 1, a: 2}")


def test_a_file_of_another_trainer_is_explained_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "axolotl.yaml"
    file.write_text("base_model: gpt2\nmicro_batch_size: 2\nlearning_rate: 1e-5\nsequence_len: 512\n")
    with pytest.raises(InputError) as caught:
        load_recipe(file)
    for ours in ("model.name", "train.batch_size", "train.learning_rate", "data.max_length"):
        assert f"here it is '{ours}'" in caught.value.what
