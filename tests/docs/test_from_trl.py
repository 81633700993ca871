"""The page for those who come from TRL: every argument is on it, and what it sends people to is there."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest

import tiebreak
from tests.conftest import REPOSITORY
from tiebreak.objectives import objective_names
from tiebreak.recipe import Recipe, parse_recipe
from tiebreak.recipe.keys import keys_of, section_at

trl = pytest.importorskip("trl", reason="pip install trl")

PAGE = REPOSITORY / "docs" / "from_trl.md"
ROWS = [
    line.strip("|").split("|", 1) for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
]
NAMED = {name for left, _ in ROWS for name in re.findall(r"`(\w+)`", left)}
_SECTION = re.compile(r"`((?:model|data|objective|train|evaluate)(?:\.\w+)+|track)`")


def _fields(config: Any) -> set[str]:
    return {each.name for each in dataclasses.fields(config)}


def _experimental(name: str) -> Any:
    module = pytest.importorskip(f"trl.experimental.{name.removesuffix('Config').lower()}")
    return getattr(module, name)


@pytest.mark.parametrize("name", ["DPOConfig", "KTOConfig", "SFTConfig", "CPOConfig", "ORPOConfig"])
def test_every_field_of_a_configuration_is_in_a_table(name: str) -> None:
    found = _fields(getattr(trl, name, None) or _experimental(name))
    assert not sorted(found - NAMED), "TRL has these, and the page does not say where they are"


def test_every_argument_of_the_trainer_is_in_a_table() -> None:
    arguments = inspect.signature(trl.DPOTrainer.__init__).parameters.keys() - {"self"}
    assert not sorted(arguments - NAMED)


def test_the_tables_name_nothing_that_trl_does_not_have() -> None:
    known = set(inspect.signature(trl.DPOTrainer.__init__).parameters)
    for name in ("DPOConfig", "KTOConfig", "SFTConfig", "CPOConfig", "ORPOConfig"):
        known |= _fields(getattr(trl, name, None) or _experimental(name))
    losses = set(_losses_of_trl()) | {"loss_type"}
    titles = {"DPOTrainer", "DPOConfig", "KTOConfig", "SFTConfig", "CPOConfig", "ORPOConfig"}
    assert not sorted(NAMED - known - losses - titles)


def test_every_key_that_it_sends_people_to_is_one_of_a_recipe() -> None:
    found = {key for _, right in ROWS for key in _SECTION.findall(right)}
    assert len(found) > 40
    wrong = [key for key in found if not _is_key(key)]
    assert not wrong
    assert not _is_key("train.learning_rat")


def test_every_function_that_it_names_is_one_of_ours() -> None:
    names = set(re.findall(r"`tiebreak\.(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert names
    assert names <= set(tiebreak.__all__)


def test_every_loss_of_trl_is_an_objective_by_the_name_that_the_page_gives() -> None:
    renamed = {"sft": "nll"}
    rows = [(left, right) for left, right in ROWS if "same name" in right]
    same = {name for left, _ in rows for name in re.findall(r"`(\w+)`", left)}
    assert same | renamed.keys() == set(_losses_of_trl())
    assert same | set(renamed.values()) <= set(objective_names())


def test_the_recipe_of_the_second_script_is_one() -> None:
    text = PAGE.read_text(encoding="utf-8")
    document = eval(
        text[text.index("tiebreak.train(\n") + len("tiebreak.train(\n") : text.index(',\n    out="runs/mine"')]
    )
    recipe = parse_recipe(document, where=str(PAGE))
    assert (recipe.model.name, recipe.train.batch_size) == ("Qwen/Qwen2-0.5B-Instruct", 32)


def _is_key(dotted: str) -> bool:
    *path, key = dotted.split(".")
    section = section_at(Recipe, path)
    return section is not None and key in keys_of(section)


def _losses_of_trl() -> list[str]:
    """The values that TRL says `loss_type` may have."""
    field = next(each for each in dataclasses.fields(trl.DPOConfig) if each.name == "loss_type")
    return re.findall(r"`'(\w+)'`", str(field.metadata["help"]).split("If multiple")[0])
