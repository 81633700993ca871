"""What a search will try: its trials in order, and what is wrong with one before anything is made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.recipe import parse_recipe
from tiebreak.recipe.space import Choices
from tiebreak.sweep.plan import Plan, plan_sweep, settings_text
from tiebreak.workflow.resolve import resolve


def planned(over: dict[str, Any], base: dict[str, Any] | None = None, **section: Any) -> Plan:
    return plan_sweep(parse_recipe({**(base or {}), "sweep": {"over": over, **section}}, where="mine.yaml"))


def test_a_grid_is_every_combination_in_the_order_written() -> None:
    plan = planned({"train.learning_rate": ["1e-6", 5e-6], "train.batch_size": [1, 2]})
    assert plan.listed == tuple(
        {"train.learning_rate": rate, "train.batch_size": size} for rate in (1e-6, 5e-6) for size in (1, 2)
    )
    assert (plan.limit, [goal.name for goal in plan.goals]) == (4, ["eval_loss"])
    assert planned({"train.batch_size": [1, 2, 4]}, trials=2).limit == 2
    assert settings_text(plan.listed[0]) == "train.learning_rate=1e-06, train.batch_size=1"


def test_what_is_drawn_is_the_same_for_the_same_seed_and_no_trial_comes_twice() -> None:
    over = {"train.learning_rate": {"log": [1e-7, 1e-5]}, "objective.beta": [0.05, 0.1]}
    first, again, other = (planned(over, search="random", trials=5, seed=seed).listed for seed in (1, 1, 2))
    assert first == again != other
    assert first is not None
    assert all(1e-7 <= each["train.learning_rate"] <= 1e-5 for each in first)
    few = planned({"train.batch_size": [1, 2, 3]}, search="random", trials=9)
    assert few.listed is not None
    assert sorted(each["train.batch_size"] for each in few.listed) == [1, 2, 3]
    assert few.limit == 3


def test_trials_of_tpe_are_not_known_beforehand() -> None:
    plan = planned({"train.learning_rate": {"log": [1e-7, 1e-5]}})
    assert plan.listed is None
    assert plan.limit == 20
    assert planned({"objective.beta": [0.1, 0.2]}, search="tpe", trials=7).limit == 2  # there are no more
    assert planned({"train.learning_rate": {"log": [1e-7, 1e-5]}}, trials=7).limit == 7


@pytest.mark.parametrize("search", ["tpe", "random"])
def test_a_search_for_a_time_has_as_many_trials_as_fit(search: str) -> None:
    plan = planned({"train.learning_rate": {"log": [1e-7, 1e-5]}}, search=search, hours=1)
    assert plan.listed is None
    assert plan.limit == 1_000
    assert planned({"train.learning_rate": {"log": [1e-7, 1e-5]}}, search=search, hours=1, trials=3).limit == 3


def test_a_range_is_of_whole_numbers_where_the_key_is() -> None:
    plan = planned({"train.weight_decay": {"range": [0, 1], "points": 3}, "train.batch_size": [8]}, search="grid")
    assert plan.listed is not None
    assert [settings["train.weight_decay"] for settings in plan.listed] == [0.0, 0.5, 1.0]
    plan = planned({"train.batch_size": {"range": [4, 8], "points": 3}}, search="grid")
    assert plan.listed is not None
    assert [settings["train.batch_size"] for settings in plan.listed] == [4, 6, 8]


@pytest.mark.parametrize(
    ("key", "values", "said"),
    [
        ("train.batch_size", [4, 4.0], "4 is in the list twice"),
        ("train.batch_size", [4, "4"], "4 is in the list twice"),
        ("model.adapter", ["lora", {"kind": "lora"}], "which are the same"),
    ],
)
def test_what_is_the_same_to_the_recipe_is_in_a_list_once(key: str, values: list[Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        planned({key: values})


def test_text_that_looks_like_a_number_stays_text_where_the_key_is_text() -> None:
    plan = planned({"model.revision": ["1234567", "12e4567", "1e5"]})
    assert [settings["model.revision"] for settings in plan.listed or ()] == ["1234567", "12e4567", "1e5"]
    plan = planned({"train.learning_rate": ["1e-6", 2e-6]})
    assert [settings["train.learning_rate"] for settings in plan.listed or ()] == [1e-6, 2e-6]


def test_a_key_and_a_part_of_it_are_not_varied_together() -> None:
    with pytest.raises(InputError, match=r"'model.adapter.rank' is a part of 'model.adapter'"):
        planned({"model.adapter": [None, "dora"], "model.adapter.rank": [4, 8]})


def test_whole_objectives_can_be_compared() -> None:
    plan = planned({"objective": [{"name": "dpo", "beta": 0.1}, {"name": "simpo", "beta": 2.0, "gamma": 0.5}]})
    assert plan.listed is not None
    recipes = [plan.recipe_of(settings) for settings in plan.listed]
    assert [recipe.objective.name for recipe in recipes] == ["sigmoid", "simpo"]


@pytest.mark.parametrize(
    ("over", "section", "said"),
    [
        ({"data.eval_fraction": [0.5, 0.0]}, {}, "Nothing is held out"),
        ({"evaluate.judge": ["bundled", "none"]}, {"objective": "win_rate"}, "has no judge"),
        ({"objective.name": ["dpo", "kto"]}, {"objective": "accuracy"}, "log no metric 'accuracy'"),
        ({"objective.name": ["kto", "dpo"]}, {"objective": "accuracy"}, "log no metric 'accuracy'"),
        ({"train.eval_every": [2, None]}, {"prune": "median"}, "none before its end"),
    ],
)
def test_every_trial_has_to_measure_what_all_are_ranked_by(
    over: dict[str, Any], section: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        planned(over, **section)
    assert str(caught.value.where).startswith(f"trial {0 if 'kto' in str(over)[:30] else 1}: ")
    assert "did you mean 'accuracy'" not in str(caught.value.fix)


def test_a_trial_is_the_recipe_with_other_values_and_each_repeat_has_a_seed() -> None:
    plan = planned({"model.adapter.rank": [4, 8]}, {"train": {"seed": 5}}, seeds=2)
    first, second = (plan.recipe_of({"model.adapter.rank": 8}, repeat) for repeat in (0, 1))
    assert first.model.adapter is not None
    assert first.model.adapter.rank == 8
    assert (first.train.seed, second.train.seed, first.sweep) == (5, 6, None)
    assert first.with_settings({"train.seed": 6}) == second


def test_values_are_as_the_recipe_has_them() -> None:
    assert planned({"train.batch_size": ["4"]}).space == {"train.batch_size": Choices((4,))}
    assert planned({"train.learning_rate": ["1e-6"]}).space == {"train.learning_rate": Choices((1e-6,))}


def test_values_that_only_go_together_are_taken_together() -> None:
    plan = planned({"train.reference": ["live"], "train.reference_update": ["soft", "hard"]})
    assert plan.limit == 2
    with pytest.raises(InputError) as caught:
        planned({"train.reference": ["live", "cached"], "train.reference_update": [None, "soft"]})
    assert caught.value.where == "trial 3: train.reference=cached, train.reference_update=soft"


@pytest.mark.parametrize(
    ("over", "section", "said"),
    [
        ({}, {}, "nothing of what to vary"),
        ({"train.learning_rat": [1]}, {}, "did you mean 'learning_rate'"),
        ({"train.learning_rat": [1], "objective.beta": [1]}, {}, "did you mean 'learning_rate'"),
        ({"train.batch_size": [1, 0]}, {}, r"train.batch_size: .*\(got 0\)"),
        ({"train.batch_size": [1, 0], "objective.beta": [0.1, 0.2]}, {}, "trial 2: train.batch_size=0"),
        ({"train.batch_size": {"log": [1.0, 64.0]}}, {}, r"write both ends as whole numbers: \[1, 64\]"),
        ({"train.batch_size": {"range": [0, 4]}, "objective.beta": [0.1]}, {}, r"\(got 0\)"),
        ({"data.source": {"range": [0, 4]}}, {}, "takes no range of numbers"),
        ({"train": [1]}, {}, "is a section"),
        ({"sweep.seeds": [1]}, {}, "of the search as a whole"),
        ({"objective.name": ["sigmoid", "sigmoi"]}, {}, "sigmoi"),
        ({"train.seed": [1, 2]}, {"seeds": 2}, "varied twice"),
        ({"train.seed": [1]}, {"objective": "acuracy"}, "did you mean 'accuracy'"),
        ({"train.seed": [1]}, {"objective": "loss", "prune": None}, None),
        ({"train.seed": [1]}, {"objective": "win_rate"}, None),
        ({"train.seed": [1]}, {"objective": "train_seconds", "prune": "median"}, "ended early only by"),
        ({"train.seed": {"range": [0, 20000], "points": 20001}}, {}, "20,001 trials"),
    ],
)
def test_what_is_wrong_is_said_with_its_trial_and_key(
    over: dict[str, Any], section: dict[str, Any], said: str | None
) -> None:
    if said is None:
        assert planned(over, **section)
        return
    with pytest.raises(InputError) as caught:
        planned(over, **section)
    assert re.search(said, str(caught.value)), str(caught.value)


def test_a_metric_that_the_runs_do_not_log_is_refused() -> None:
    for base, objective, said in (
        ({"data": {"source": "prefs.jsonl"}}, "win_rate", "no judge"),
        ({"data": {"eval_fraction": 0}}, "eval_loss", "Nothing is held out"),
        ({"objective": "supervised"}, "accuracy", "log no metric 'accuracy'"),
    ):
        with pytest.raises(InputError, match=said):
            planned({"train.seed": [1, 2]}, base, objective=objective)
    assert planned({"train.seed": [1, 2]}, {"data": {"eval_fraction": 0}}, objective="train_seconds")


def test_a_search_is_not_trained_as_one_run() -> None:
    with pytest.raises(InputError, match="a search over many runs"):
        resolve(parse_recipe({"sweep": {"over": {"train.seed": [1]}}}, where="x"))
