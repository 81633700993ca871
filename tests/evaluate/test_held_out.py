"""Held-out metrics are means over pairs; what needs a reference is there only where there is one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tiebreak.engine.score import Scores
from tiebreak.evaluate.held_out import held_out_metrics, pair_rewards
from tiebreak.metrics import metric_named
from tiebreak.objectives import PairLogps, configured

SIGMOID = configured("sigmoid", {"beta": 0.5})


def scores(*logps: tuple[float, float]) -> Scores:
    logp = np.array(logps, dtype=np.float32)
    return Scores(logp, np.full_like(logp, 4.0), np.arange(logp.size, dtype=np.float32).reshape(logp.shape))


POLICY, REFERENCE = scores((-1.0, -2.0), (-4.0, -3.0)), scores((-3.0, -3.0), (-1.0, -5.0))


def test_a_policy_is_measured_against_its_reference() -> None:
    found = held_out_metrics(POLICY, REFERENCE, objective=SIGMOID)
    # Margins of the rewards: 0.5 · (2 − 1), 0.5 · (−3 − 2).
    losses = [math.log1p(math.exp(-margin)) for margin in (0.5, -2.5)]
    assert found == pytest.approx(
        {
            "eval_loss": sum(losses) / 2,
            "eval_rewards/accuracies": 0.5,
            "eval_rewards/margins": -1.0,
            "eval_rewards/chosen": -0.25,
            "eval_rewards/rejected": 0.75,
            "eval_logps/accuracies": 0.5,
            "eval_logps/chosen": -2.5,
            "eval_logps/rejected": -2.5,
            "eval_logits/chosen": 1.0,
            "eval_logits/rejected": 2.0,
        }
    )


def test_a_model_against_itself_has_no_accuracy() -> None:
    found = held_out_metrics(POLICY, POLICY, objective=SIGMOID)
    assert found["eval_loss"] == pytest.approx(math.log(2))
    assert found["eval_rewards/margins"] == 0.0
    assert "eval_rewards/accuracies" not in found
    assert found["eval_logps/accuracies"] == 0.5


def test_without_the_reference_that_it_needs_there_are_log_probs_alone() -> None:
    found = held_out_metrics(POLICY, None, objective=SIGMOID)
    assert {name.split("/")[0] for name in found} == {"eval_logps", "eval_logits"}


@pytest.mark.parametrize("reference", [None, REFERENCE, POLICY])
def test_an_objective_without_a_reference_has_a_loss_and_rewards_in_any_case(reference: Scores | None) -> None:
    found = held_out_metrics(POLICY, reference, objective=configured("simpo", {"beta": 2.0, "gamma": 0.0}))
    # A reward is beta times the mean log-prob of a token; completions have four.
    assert found["eval_rewards/chosen"] == pytest.approx(2.0 * -2.5 / 4)
    assert found["eval_rewards/accuracies"] == 0.5
    assert math.isfinite(found["eval_loss"])


def test_rewards_of_each_pair_are_those_whose_means_are_the_metrics() -> None:
    assert pair_rewards(POLICY, REFERENCE, objective=SIGMOID) == [(1.0, 0.5), (-1.5, 1.0)]
    assert pair_rewards(POLICY, POLICY, objective=SIGMOID) == [(0.0, 0.0), (0.0, 0.0)]
    simpo = configured("simpo", {"beta": 2.0, "gamma": 0.0})  # beta times the mean log-prob of four tokens
    for reference in (None, REFERENCE, POLICY):
        assert pair_rewards(POLICY, reference, objective=simpo) == [(-0.5, -1.0), (-2.0, -1.5)]


def test_equal_log_probs_are_no_win() -> None:
    found = held_out_metrics(scores((-2.0, -2.0)), None, objective=SIGMOID)
    assert found["eval_logps/accuracies"] == 0.0


def drawn(seed: int, n: int = 301) -> Scores:
    """Drawn scores of pairs."""
    draw = np.random.default_rng(seed)
    logp = draw.normal(-60, 20, (n, 2)).astype(np.float32)
    return Scores(logp, draw.integers(1, 90, (n, 2)).astype(np.float32), draw.normal(3, 1, (n, 2)).astype(np.float32))


def test_the_numbers_are_means_in_double_precision() -> None:
    policy, reference, loss = drawn(1), drawn(2), configured("sigmoid", {"beta": 0.1})
    found = held_out_metrics(policy, reference, objective=loss)
    ratios = torch.from_numpy(policy.logp) - torch.from_numpy(reference.logp)
    rewards = 0.1 * ratios
    pairs = [
        PairLogps(*(torch.from_numpy(side[:, i]) for side in (each.logp, each.tokens) for i in (0, 1)))
        for each in (policy, reference)
    ]
    assert found == {
        "eval_rewards/chosen": float(rewards[:, 0].double().mean()),
        "eval_rewards/rejected": float(rewards[:, 1].double().mean()),
        "eval_rewards/accuracies": float((rewards[:, 0] > rewards[:, 1]).double().mean()),
        "eval_rewards/margins": float((rewards[:, 0] - rewards[:, 1]).double().mean()),
        "eval_logps/chosen": float(torch.from_numpy(policy.logp[:, 0]).double().mean()),
        "eval_logps/rejected": float(torch.from_numpy(policy.logp[:, 1]).double().mean()),
        "eval_logps/accuracies": float(np.mean(policy.logp[:, 0] > policy.logp[:, 1])),
        "eval_logits/chosen": float(policy.mean_logit[:, 0].mean(dtype="float64")),
        "eval_logits/rejected": float(policy.mean_logit[:, 1].mean(dtype="float64")),
        "eval_loss": float(loss(pairs[0], pairs[1]).double().mean()),
    }
    for name in found:
        assert metric_named(name).recorded == name


def test_without_its_reference_there_are_log_probs_alone() -> None:
    found = held_out_metrics(drawn(1), None, objective=configured("sigmoid", {}))
    assert {name.split("/")[0] for name in found} == {"eval_logps", "eval_logits"}
    assert len(found) == 5


def test_an_objective_without_a_reference_has_rewards_and_a_loss() -> None:
    policy = drawn(1)
    for reference in (None, policy, drawn(2)):
        found = held_out_metrics(policy, reference, objective=configured("simpo", {}))
        assert {"eval_loss", "eval_rewards/accuracies", "eval_rewards/margins"} <= found.keys()
        assert found["eval_rewards/margins"] != 0
