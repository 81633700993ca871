"""Which metric a column is, as others spell it."""

from __future__ import annotations

import pytest

from tiebreak.doctor.reading.names import canonical, named_columns
from tiebreak.metrics import METRICS


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Step", "step"),
        ("_step", "step"),
        ("train/global_step", "step"),
        ("trainer/global_step", "step"),
        ("Epoch", "epoch"),
        ("train/epoch", "epoch"),
        ("Training Loss", "loss"),
        ("train_loss", "loss"),
        ("train/loss", "loss"),
        ("Final Loss", "loss"),
        ("Validation Loss", "eval_loss"),
        ("val_loss", "eval_loss"),
        ("eval/loss", "eval_loss"),
        ("Rewards/chosen", "rewards/chosen"),
        ("eval_rewards/accuracies", "eval_rewards/accuracies"),
        ("eval/rewards/margins", "eval_rewards/margins"),
        ("train/rewards/rejected", "rewards/rejected"),
        ("rewards_train/chosen", "rewards/chosen"),
        ("rewards_eval/accuracies", "eval_rewards/accuracies"),
        ("logps_eval/chosen", "eval_logps/chosen"),
        ("loss/eval", "eval_loss"),
        ("Logps/rejected", "logps/rejected"),
        ("Logits/chosen", "logits/chosen"),
        (" learning rate ", "learning_rate"),
        ("LR", "learning_rate"),
        ("train/grad_norm", "grad_norm"),
        ("Gradient Norm", "grad_norm"),
        ("eval_runtime", "eval_runtime"),
        ("seconds", None),
        ("No Log", None),
        ("", None),
        ("eval_data2_loss", None),
        ("num_tokens", None),
    ],
)
def test_a_column_is_a_metric(column: str, name: str | None) -> None:
    assert canonical(column) == name


def test_every_logged_metric_is_known_by_its_own_name() -> None:
    for metric in METRICS:
        if metric.source == "logged" and metric.of is None:
            assert canonical(metric.name) == metric.name
            assert canonical(f"eval_{metric.name}") == f"eval_{metric.name}"


def test_rewards_beside_a_validation_loss_are_held_out() -> None:
    columns = ["Step", "Training Loss", "Validation Loss", "Rewards/chosen", "Runtime"]
    assert named_columns(columns) == {
        "Step": "step",
        "Training Loss": "loss",
        "Validation Loss": "eval_loss",
        "Rewards/chosen": "eval_rewards/chosen",
        "Runtime": "runtime",
    }
    assert named_columns(["loss", "eval_loss", "rewards/chosen"])["rewards/chosen"] == "rewards/chosen"
    both = named_columns(["Training Loss", "Validation Loss", "rewards/chosen", "eval_rewards/chosen"])
    assert both["rewards/chosen"] == "rewards/chosen"


def test_of_two_columns_of_one_metric_the_plain_name_counts() -> None:
    assert named_columns(["train_loss", "loss"]) == {"loss": "loss"}
    assert named_columns(["Accuracy", "Accuracies"]) == {"Accuracy": "rewards/accuracies"}
