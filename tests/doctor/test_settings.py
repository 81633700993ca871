"""Findings over settings: each speaks where it must and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.made import log_of
from tiebreak.doctor import settings
from tiebreak.doctor.facts import Facts
from tiebreak.recipe import Recipe, parse_recipe, parse_value
from tiebreak.runs.manifest import DataRecord


def facts(**recipe: Any) -> Facts:
    return Facts(recipe=parse_recipe({"model": "mine/Model-7B", **recipe}, where="test"))


@pytest.mark.parametrize(
    ("model", "rate", "expected"),
    [
        ("mine/Model-7B", 1e-6, None),
        ("mine/Model-7B", 2e-6, None),
        ("mine/Model-7B", 5e-6, ("rate-too-high", "note")),
        ("mine/Model-7B", 1e-5, ("rate-too-high", "warning")),
        ("mine/Model-7B", 9e-5, ("rate-too-high", "warning")),
        ("mine/Model-7B", 1e-4, ("rate-too-high", "stop")),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 1e-3, ("rate-too-high", "stop")),
        ("mine/unknown", 0.09, ("rate-too-high", "warning")),
        ("mine/unknown", 0.1, ("rate-too-high", "stop")),
        ("bundled:base", 0.1, ("rate-too-high", "stop")),
        ("bundled:base", 0.09, None),
        ("bundled:base", 1e-12, ("rate-too-low", "stop")),
        ("bundled:base", 2e-12, None),
        ("mine/Model-7B", 1e-8, ("rate-too-low", "note")),
        ("mine/Model-7B", "auto", None),
        ("Qwen/Qwen2-0.5B", 1e-5, ("rate-too-high", "warning")),
        ("mine/Model-135M", 1e-5, None),  # little is known of small models
        ("mine/Model-135M", 5e-5, ("rate-too-high", "note")),
        ("mine/Model-135M", 1e-3, ("rate-too-high", "warning")),
        ("mine/unknown", 1e-5, ("rate-too-high", "note")),
        ("bundled:base", 1e-3, None),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 1e-5, None),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 5e-5, ("rate-too-high", "note")),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 1e-4, ("rate-too-high", "warning")),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 1e-6, None),
        ({"name": "mine/Model-7B", "adapter": "lora"}, 5e-7, ("rate-too-low", "warning")),
    ],
)
def test_the_learning_rate(model: Any, rate: Any, expected: tuple[str, str] | None) -> None:
    finding = settings.learning_rate(facts(model=model, train={"learning_rate": rate}))
    assert (None if finding is None else (finding.name, finding.severity)) == expected


def test_a_rate_of_another_kind_of_objective_is_not_judged() -> None:
    for objective in ("supervised", "orpo", "kto", "ipo", "mine:loss"):
        assert settings.learning_rate(facts(objective=objective, train={"learning_rate": 1e-3})) is None
        extreme = settings.learning_rate(facts(objective=objective, train={"learning_rate": 1.0}))
        assert extreme is not None
        assert extreme.severity == "stop"
    assert settings.learning_rate(facts(objective="simpo", train={"learning_rate": 1e-5})) is not None


def test_of_a_log_alone_nobody_knows_what_was_trained() -> None:
    high = settings.learning_rate(Facts(log=log_of({"learning_rate": [(1, 2e-4)]})))
    assert high is not None
    assert (high.name, high.severity, high.sure) == ("rate-too-high", "note", "possible")
    assert settings.learning_rate(Facts(log=log_of({"learning_rate": [(1, 1e-5)]}))) is None
    assert settings.learning_rate(Facts(log=log_of({"learning_rate": [(1, 1e-13)]}))) is None


@pytest.mark.parametrize(
    ("objective", "beta", "expected"),
    [
        ("sigmoid", 0.1, None),
        ("sigmoid", 0.5, None),
        ("sigmoid", 1.0, "note"),
        ("sigmoid", 5.0, "warning"),
        ("sigmoid", 0.001, "note"),
        ("simpo", 2.0, None),
        ("simpo", 10.0, None),
        ("simpo", 0.1, "warning"),
        ("sigmoid_norm", 5.0, None),
        ("sigmoid_norm", 0.1, "warning"),
        ("ipo", 5.0, None),
        ("orpo", 5.0, None),
    ],
)
def test_beta(objective: str, beta: float, expected: str | None) -> None:
    finding = settings.beta_scale(facts(objective={"name": objective, "beta": beta}))
    assert (finding.severity if finding else None) == expected


def test_beta_is_not_judged_where_it_is_the_objectives_own_or_the_model_tiny() -> None:
    assert settings.beta_scale(facts(objective="sppo_hard")) is None
    assert settings.beta_scale(facts(model="bundled:base", objective={"name": "sigmoid", "beta": 1.0})) is None


@pytest.mark.parametrize(("batch", "parts", "found"), [(1, 1, True), (4, 1, True), (1, 8, False), (32, 1, False)])
def test_pairs_a_step(batch: int, parts: int, found: bool) -> None:
    train = {"batch_size": batch, "gradient_accumulation": parts}
    assert (settings.small_batch(facts(train=train)) is not None) is found
    assert settings.small_batch(facts(objective="supervised", train=train)) is None


@pytest.mark.parametrize(
    ("data", "held_out", "expected"),
    [
        ({"eval_fraction": 0}, None, ("no-evaluation", "warning")),
        ({"eval_fraction": 0, "eval_split": "test"}, None, None),
        ({"eval_limit": 20}, None, ("few-held-out", "warning")),
        ({"eval_limit": 100}, None, ("few-held-out", "note")),
        ({"eval_limit": 1000}, None, None),
        ({}, 25, ("few-held-out", "warning")),
        ({}, 500, None),
        ({}, None, None),
    ],
)
def test_what_is_held_out(data: dict[str, Any], held_out: int | None, expected: tuple[str, str] | None) -> None:
    recipe = facts(data={"source": "prefs.jsonl", **data}).recipe
    finding = settings.held_out_size(Facts(recipe=recipe, held_out=held_out))
    assert (None if finding is None else (finding.name, finding.severity)) == expected


def test_the_best_model_cannot_be_kept_where_nothing_is_held_out() -> None:
    recipe = facts(data={"source": "prefs.jsonl", "eval_fraction": 0.05}).recipe
    none = DataRecord(source="prefs.jsonl", train=9, held_out=0, held_out_dropped={"too long": 1})
    finding = settings.held_out_size(Facts(recipe=recipe, data=none))
    assert finding is not None
    assert (finding.name, finding.severity) == ("no-evaluation", "warning")
    assert "held-out examples 0; held-out examples that were dropped 1" in finding.line
    assert "keep_best: eval_loss" in finding.means
    some = settings.held_out_size(Facts(recipe=recipe, data=none.model_copy(update={"held_out": 500})))
    assert some is None


def test_the_interval_of_few_pairs_is_said() -> None:
    finding = settings.held_out_size(Facts(recipe=facts().recipe, held_out=100))
    assert finding is not None
    assert finding.evidence[1].written == "50.2–69.1%"


@pytest.mark.parametrize(
    ("rule", "speaks", "silent"),
    [
        (settings.warmup_share, {"train": {"warmup_ratio": 0.6}}, {"train": {"warmup_ratio": 0.3}}),
        (
            settings.warmup_share,
            {"train": {"warmup_ratio": 0.5}},
            {"train": {"warmup_ratio": 0.9, "schedule": "constant"}},
        ),
        (settings.short_lengths, {"data": {"max_length": 16}}, {"data": {"max_length": 256}}),
        (settings.short_lengths, {"data": {"max_completion_length": 16}}, {"data": {"max_completion_length": 128}}),
        (settings.short_lengths, {"data": {"max_length": 63}}, {"data": {"max_length": None}}),
        (
            settings.many_epochs,
            {"train": {"epochs": 5, "keep_best": None}},
            {"train": {"epochs": 5}},  # the best is kept
        ),
        (
            settings.many_epochs,
            {"train": {"epochs": 4, "keep_best": None}},
            {"train": {"epochs": 3, "keep_best": None}},
        ),
        (
            settings.rounded_weights,
            {"model": {"name": "m", "dtype": "bfloat16"}},
            {"model": {"name": "m", "dtype": "bfloat16", "adapter": "lora"}},
        ),
    ],
)
def test_the_other_rules(rule: Any, speaks: dict[str, Any], silent: dict[str, Any]) -> None:
    finding = rule(facts(**speaks))
    assert finding is not None
    Recipe().with_settings({key: parse_value(value) for key, value in finding.change.items()})
    assert rule(facts(**silent)) is None
    assert rule(Facts()) is None
