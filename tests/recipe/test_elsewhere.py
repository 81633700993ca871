"""Keys of other trainers lead to keys that a recipe has; none of ours is among them."""

from __future__ import annotations

import pytest

from tiebreak.recipe import Recipe, described_keys
from tiebreak.recipe.elsewhere import ELSEWHERE, at_home, ours_for

NAMES = [key.name for key in described_keys(Recipe)]


def test_each_leads_to_a_key() -> None:
    for name, ours in ELSEWHERE.items():
        assert set(ours.keys) <= set(NAMES), name
        assert ours.keys or ours.note, name
        assert name == name.lower()


def test_none_is_a_key_of_a_recipe() -> None:
    assert not {name.rpartition(".")[2] for name in NAMES} & set(ELSEWHERE)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("--per-device-train-batch-size", "train.batch_size"),
        ("num_train_epochs", "train.epochs"),
        ("train.LR", "train.learning_rate"),
        ("gradient_accumulation_steps", "train.gradient_accumulation"),
        ("micro_batch_size", "train.batch_size"),
        ("loss_type", "objective.name"),
        ("sequence_len", "data.max_length"),
        ("pref_beta", "objective.beta"),
        ("cutoff_len", "data.max_length"),
    ],
)
def test_a_name_is_known_however_it_is_written(name: str, key: str) -> None:
    found = ours_for(name)
    assert found is not None
    assert found.keys[0] == key


def test_what_nobody_has_is_not_guessed() -> None:
    assert ours_for("betta") is None
    assert at_home("betta", NAMES) is None


def test_a_key_of_ours_at_another_place() -> None:
    assert str(at_home("max_prompt_length", NAMES)) == "here it is 'data.max_prompt_length'"
    assert at_home("train.seed", ["train.seed"]) is None
