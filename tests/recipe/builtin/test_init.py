"""The built-in recipes as files: valid, listed, explained in the documentation, and of the kind that they promise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.conftest import RECOMMENDED, SEEDS
from tests.recipe.test_builtin_runs import SETTINGS, document, every_recipe, every_seed, flat
from tiebreak.errors import InputError
from tiebreak.recipe import Recipe, parse_value
from tiebreak.recipe.builtin import builtin_names, builtin_summary, chosen_recipe, recipe_named

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", builtin_names())
def test_built_in_recipes_are_valid_and_say_what_they_are(name: str) -> None:
    assert recipe_named(name)
    assert len(builtin_summary(name)) > 10


def test_an_unknown_built_in_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        recipe_named("quickstat")
    assert caught.value.fix == "did you mean 'quickstart'?"


def test_every_recipe_is_listed_with_a_sentence_of_its_own() -> None:
    names = builtin_names()
    assert {*SEEDS, *RECOMMENDED} <= set(names)
    summaries = [builtin_summary(name) for name in names]
    assert len(set(summaries)) == len(names)
    assert all(20 < len(summary) < 120 for summary in summaries)


@every_recipe
def test_a_recommended_setting_is_a_mild_one(name: str) -> None:
    recipe = recipe_named(name)
    rate, highest = recipe.train.learning_rate, 1e-6 if recipe.model.adapter is None else 1e-5
    mild = rate != "auto" and rate <= highest and recipe.train.batch_size >= 32
    judged = recipe.train.keep_best == "eval_loss" and recipe.train.warmup_ratio > 0 and recipe.train.epochs <= 1
    assert (mild and judged) == (name in RECOMMENDED)


# What a seed's project calls a value of a recipe.
_CALLED = {
    "sigmoid": "dpo",
    "nf4": "4bits",
    "epoch": "eachepoch",
    "eval_loss": "thebest",
    "wandb": "weightsbiases",
    "live": "acopyofthemodel",
}


def rows_of(page: str) -> list[tuple[list[str], str, list[object]]]:
    """The rows of a page's table of settings: keys, what the seed says, and the recipe's values of these keys."""
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0].startswith("`"):
            keys, values = (re.findall(r"`([^`]+)`", cell) for cell in (cells[0], cells[2]))
            found.append((keys, cells[1], [parse_value(value) for value in values]))
    return found


def says(seed: str, values: list[object]) -> bool:
    """Whether what is known of a seed is what the recipe has."""
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", seed)]
    words = re.sub(r"[^a-z0-9]", "", seed.lower())

    def said(value: object) -> bool:
        if isinstance(value, int | float):
            return float(value) in numbers
        plain = re.sub(r"[^a-z0-9]", "", str(value).lower())
        return plain in words or words in plain or _CALLED.get(str(value)) == words

    return all(map(said, values))


@pytest.mark.parametrize(
    ("seed", "values", "same"),
    [
        ("1,000", [1000], True),
        ("at 500 and 1,000", [500, 500], True),
        ("1e-5, a list of one", [1e-5], True),
        ("200 pairs: 1,000 steps of one were 5.0 epochs", [200], True),
        ("512", [1024], False),
        ("1", [1024], False),
        ("GPT-2", ["openai-community/gpt2"], True),
        ("Qwen2-0.5B-Instruct", ["openai-community/gpt2"], False),
        ("fp16", ["bf16"], False),
        ("each epoch", ["epoch"], True),
    ],
)
def test_a_cell_of_a_page_is_read_so(seed: str, values: list[object], same: bool) -> None:
    assert says(seed, values) == same


@every_seed
def test_each_seed_has_a_page_whose_table_is_the_recipe(name: str) -> None:
    page = (DOCS / "seeds" / f"{name}.md").read_text(encoding="utf-8")
    assert f"tiebreak train {name}" in page
    rows = rows_of(page)
    stated = {key: value for keys, _, values in rows for key, value in zip(keys, values, strict=True)}
    recipe = flat(document(recipe_named(name)))
    assert {key: [value] if key == "track" else value for key, value in stated.items()} == {
        key: recipe[key] for key in stated
    }
    unsaid = {"track"} if not recipe["track"] else set[str]()
    assert SETTINGS[name].keys() - unsaid - {"data.shuffle", "train.gradient_accumulation"} <= stated.keys()
    differing = page.partition("## What differs, and why")[2]
    for keys, seed, values in rows:
        assert seed == "–" or says(seed, values) or any(f"`{key}`" in differing for key in keys), (keys, seed, values)


@every_seed
def test_what_a_recipe_changes_stands_on_its_page(name: str) -> None:
    page = (DOCS / "seeds" / f"{name}.md").read_text(encoding="utf-8")
    stated = {key for keys, _, _ in rows_of(page) for key in keys}
    recipe, default = flat(document(recipe_named(name))), flat(document(Recipe()))
    changed = {key for key, value in recipe.items() if value != default.get(key)}
    assert changed <= stated


@every_recipe
def test_a_recipe_is_explained_in_the_documentation(name: str) -> None:
    page = DOCS / ("recommended.md" if name in RECOMMENDED else "seeds/README.md")
    assert name in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "given",
    [
        {"model": "gpt2", "data": {"source": "prefs.jsonl"}, "train": {"epochs": 2}},
        Recipe().with_settings({"model.name": "gpt2", "data.source": "prefs.jsonl", "train.epochs": 2}),
        None,
        "file",
    ],
)
def test_a_recipe_may_be_meant_in_many_ways(given: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"train.seed": 3}
    if given is None:
        settings |= {"model.name": "gpt2", "data.source": "prefs.jsonl", "train.epochs": 2}
    if given == "file":
        given = tmp_path / "mine.yaml"
        given.write_text("{model: gpt2, data: prefs.jsonl, train: {epochs: 2}}")
    found = chosen_recipe(given, settings, fix="name them")
    assert (found.model.name, found.data.source) == ("gpt2", "prefs.jsonl")
    assert (found.train.epochs, found.train.seed) == (2, 3)


@pytest.mark.parametrize(
    ("given", "settings", "told"),
    [
        (None, {"model.name": "gpt2"}, "Name a model and the data"),
        ({"modell": "gpt2"}, {}, "did you mean 'model'"),
        ("qwen2-truty", {}, "no built-in recipe"),
        (3, {}, "of the type int"),
        ("default", {"train.learning_rat": 1}, "learning_rate"),
    ],
)
def test_a_recipe_that_is_none_is_refused(given: Any, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        chosen_recipe(given, settings, fix="name them")
    assert told in str(caught.value)
