"""What is known of a run, and by whom."""

from __future__ import annotations

import pytest

from tests.doctor.made import log_of
from tiebreak.doctor.facts import Facts, size_in_name
from tiebreak.recipe import parse_recipe


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Qwen/Qwen2-0.5B-Instruct", 0.5e9),
        ("HuggingFaceTB/SmolLM2-360M-Instruct", 360e6),
        ("EleutherAI/pythia-2.8b", 2.8e9),
        ("openai-community/gpt2", 124e6),
        ("bundled:base", 2e6),
        ("models/mine", None),
        ("v2-4bit", None),
    ],
)
def test_the_size_that_a_name_says(name: str, size: float | None) -> None:
    assert size_in_name(name) == size


def test_the_user_goes_before_the_recipe_and_the_recipe_before_the_log() -> None:
    log = log_of({"loss": [(1, 0.6)], "learning_rate": [(1, 1e-7), (2, 3e-6), (3, 1e-6)]}, held_out=20)
    recipe = parse_recipe({"model": "Qwen2-0.5B", "objective": "dpo", "train": {"learning_rate": 5e-6}}, where="test")
    assert Facts(log=log).rate == 3e-6
    assert Facts(log=log, recipe=recipe).rate == 5e-6
    assert Facts(log=log).known_objective is None
    assert Facts(log=log, recipe=recipe).known_objective == "sigmoid"
    assert Facts(log=log, recipe=recipe, objective="ipo").known_objective == "ipo"
    assert (Facts(log=log).held_out_examples, Facts(log=log, held_out=7).held_out_examples) == (20, 7)
    assert (Facts(recipe=recipe).size, Facts(recipe=recipe, parameters=494_000_000).size) == (0.5e9, 494_000_000)
    assert (Facts().rate, Facts().size, Facts().has_adapter, Facts().held_out_examples) == (None,) * 4


def test_an_automatic_rate_is_that_of_the_log() -> None:
    recipe = parse_recipe({"model": "gpt2"}, where="test")
    assert Facts(recipe=recipe).rate is None
    assert Facts(recipe=recipe, log=log_of({"learning_rate": [(1, 1e-6)]})).rate == 1e-6
