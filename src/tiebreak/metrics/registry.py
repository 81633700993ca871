"""The list of metrics: one entry each.

Knows names and words only. Which tasks measure a metric on held-out data is said by what their rows have, so that a
new task needs no change here.
"""

from __future__ import annotations

import math

from tiebreak.formatting import numbers
from tiebreak.metrics.metric import Listing, Metric, Plot, Shown
from tiebreak.tasks import TASKS, Task


def _perplexity(loss: float | None) -> str:
    return numbers.DASH if loss is None else numbers.plain(math.exp(loss) if loss < 700 else math.inf)


def _reward(value: float | None) -> str:
    return numbers.signed(value, digits=4)


def _for_every_task(rank: int, on_card: str, label: str, hint: str) -> dict[Listing, Shown]:
    cards = {task.card: Shown(rank, on_card) for task in TASKS.values()}
    tables = {task.table: Shown(rank, label, hint) for task in TASKS.values()}
    return {"compare": Shown(rank), **cards, **tables}


def _every_task(_: Task) -> bool:
    return True


def _comparing(task: Task) -> bool:
    return task.compares


def _pairs(task: Task) -> bool:
    return task.pairs


def _borrowing(task: Task) -> bool:
    return task.borrows


_LOSS = Plot("loss", "Loss", "Lower is better. Held-out rising while training falls is overfitting.", pictured=True)
_ACCURACY = Plot(
    "accuracy",
    "Accuracy",
    "The share of pairs in which training favoured the chosen answer.",
    level=(0.5, "chance"),
    percent=True,
    pictured=True,
)
_MARGIN = Plot("margin", "Margin", "Chosen reward minus rejected reward.", pictured=True)
_REWARDS = Plot(
    "rewards",
    "Rewards",
    "How far the model moved towards each answer, times beta. Lines are training, dots held-out. "
    "Both falling together means that it also moves away from the chosen answers.",
)
_LOG_PROBS = Plot("log-probs", "Log-probabilities", "Of whole answers, in nats. Lines are training, dots held-out.")
_GRADIENT = Plot("gradient-norm", "Gradient norm", "Before clipping. Spikes are unstable steps.", from_zero=True)
_RATE = Plot("learning-rate", "Learning rate", "The schedule as it ran.", from_zero=True)

METRICS: tuple[Metric, ...] = (
    Metric(
        "loss",
        "What training minimizes, in nats a token where completions are imitated.",
        "lower",
        numbers.decimal,
        held_out=_every_task,
        own_scale=True,
        hub_type="loss",
        plot=_LOSS,
        shown={
            "steps": Shown(1, "validation loss"),
            "progress": Shown(1, "loss"),
            "held-out progress": Shown(1, "held-out loss"),
            "compare": Shown(3),
            "evaluate": Shown(3, "loss"),
            "card": Shown(2, "Held-out loss"),
            "supervised card": Shown(1, "Held-out loss, nats a token"),
            "preference table": Shown(3, "held-out loss", "what training minimizes, on unseen pairs"),
            "unpaired table": Shown(1, "held-out loss", "what training minimizes, on unseen answers"),
            "supervised table": Shown(
                1, "held-out loss", "what training minimizes, on unseen answers, in nats a token"
            ),
        },
    ),
    Metric(
        "perplexity",
        "Among how many equally likely tokens the model would be choosing: the exponential of the loss.",
        "lower",
        _perplexity,
        held_out=_every_task,
        of="loss",
        shown={
            "supervised table": Shown(
                2, "held-out perplexity", "among how many equally likely tokens the model would be choosing"
            )
        },
    ),
    Metric(
        "rewards/accuracies",
        "Share of pairs whose chosen completion has the higher reward.",
        "higher",
        numbers.percent,
        held_out=_pairs,
        chance=0.5,
        hub_type="accuracy",
        plot=_ACCURACY,
        shown={
            "steps": Shown(4, "rewards/accuracies"),
            "progress": Shown(2, "accuracy"),
            "held-out progress": Shown(2, "held-out accuracy"),
            "compare": Shown(1),
            "evaluate": Shown(1, "accuracy (chosen has more reward)"),
            "card": Shown(1, "Held-out accuracy"),
            "preference table": Shown(
                1, "held-out accuracy", "share of unseen pairs whose chosen answer has the higher reward; 50% is chance"
            ),
        },
    ),
    Metric(
        "rewards/margins",
        "How far the chosen completion's reward is above the rejected one's.",
        "higher",
        numbers.signed,
        held_out=_comparing,
        exact=_reward,
        own_scale=True,  # it grows with beta
        hub_type="margin",
        plot=_MARGIN,
        shown={
            "steps": Shown(5, "rewards/margins"),
            "progress": Shown(3, "margin"),
            "compare": Shown(2),
            "evaluate": Shown(4, "margin"),
            "card": Shown(3, "Held-out margin"),
            "preference table": Shown(
                2, "held-out margin", "how far the chosen answer's reward is above the rejected one's"
            ),
            "unpaired table": Shown(
                2, "held-out margin", "how far the mean reward of good unseen answers is above that of bad ones"
            ),
        },
    ),
    Metric(
        "rewards/chosen",
        "How much likelier than the reference the policy finds chosen completions, times beta.",
        "higher",
        numbers.signed,
        held_out=_comparing,
        exact=_reward,
        own_scale=True,
        plot=_REWARDS,
        line="chosen",
        shown={
            "steps": Shown(2, "rewards/chosen"),
            "evaluate": Shown(5, "reward of chosen"),
            "unpaired table": Shown(
                3,
                "reward of good answers",
                "how much likelier than before the model finds unseen answers that people liked",
            ),
        },
    ),
    Metric(
        "rewards/rejected",
        "How much likelier than the reference the policy finds rejected completions, times beta.",
        "lower",
        numbers.signed,
        held_out=_comparing,
        exact=_reward,
        own_scale=True,
        plot=_REWARDS,
        line="rejected",
        look="quiet",
        shown={
            "steps": Shown(3, "rewards/rejected"),
            "evaluate": Shown(6, "reward of rejected"),
            "unpaired table": Shown(
                4,
                "reward of bad answers",
                "how much likelier than before the model finds unseen answers that people did not like",
            ),
        },
    ),
    Metric(
        "logps/accuracies",
        "Share of pairs whose chosen completion the policy finds likelier than the rejected one.",
        "higher",
        numbers.percent,
        held_out=_pairs,
        hub_type="accuracy",
        shown={
            "compare": Shown(4),
            "evaluate": Shown(2, "chosen is likelier (no reference)"),
            "card": Shown(4, "Chosen answer is the likelier one"),
            "preference table": Shown(
                4,
                "chosen answer is the likelier one",
                "share of unseen pairs in which the model gives the chosen answer more probability than the rejected "
                "one",
            ),
        },
    ),
    Metric(
        "logps/chosen",
        "Log-prob of whole chosen completions, in nats.",
        "higher",
        numbers.hundredths,
        held_out=_comparing,
        plot=_LOG_PROBS,
        line="chosen",
        shown={"steps": Shown(6, "logps/chosen"), "evaluate": Shown(7, "log-prob of chosen (nats)")},
    ),
    Metric(
        "logps/rejected",
        "Log-prob of whole rejected completions, in nats.",
        "lower",
        numbers.hundredths,
        held_out=_comparing,
        plot=_LOG_PROBS,
        line="rejected",
        look="quiet",
        shown={"steps": Shown(7, "logps/rejected"), "evaluate": Shown(8, "log-prob of rejected (nats)")},
    ),
    Metric(
        "logits/chosen",
        "Mean raw logit at the positions of chosen completions.",
        None,
        numbers.decimal,
        held_out=_pairs,
        shown={"steps": Shown(8, "logits/chosen")},
    ),
    Metric(
        "logits/rejected",
        "Mean raw logit at the positions of rejected completions.",
        None,
        numbers.decimal,
        held_out=_pairs,
        shown={"steps": Shown(9, "logits/rejected")},
    ),
    Metric(
        "kl",
        "An estimate of how far the policy is from the reference, in nats.",
        None,
        numbers.decimal,
        held_out=_borrowing,
        shown={"steps": Shown(10, "kl")},
    ),
    Metric(
        "aux_loss",
        "The router loss of a mixture: how unevenly its experts are used. In even use it is how many a token goes to. "
        "It is minimized too, but is not in `loss`.",
        "lower",
        numbers.decimal,
    ),
    Metric("grad_norm", "Length of the gradient, unclipped.", None, numbers.decimal, plot=_GRADIENT),
    Metric("learning_rate", "The learning rate of the step.", None, numbers.plain, plot=_RATE),
    Metric(
        "judge.pass_rate",
        "Share of the model's own answers that the judge accepts.",
        "higher",
        numbers.percent,
        source="judge",
        hub_type="pass_rate",
        shown=_for_every_task(
            5,
            "Judge's pass rate",
            "judge's pass rate",
            "share of the model's own answers that the judge accepts, with 95% interval",
        ),
    ),
    Metric(
        "judge.win_rate",
        "How often the judge prefers the trained model's answer to that of the model before.",
        "higher",
        numbers.percent,
        source="judge",
        before=False,
        chance=0.5,
        hub_type="win_rate",
        shown=_for_every_task(
            6,
            "Win rate against the model before",
            "win rate against the model before",
            "how often the judge prefers the trained model's answer; equal verdicts count half, 50% is no difference",
        ),
    ),
    Metric(
        "train_seconds",
        "Seconds of training.",
        "lower",
        numbers.duration,
        source="time",
        before=False,
        shown={"compare": Shown(7)},
    ),
    Metric(
        "runtime",
        "Seconds that measuring the held-out data took.",
        None,
        numbers.duration,
        held_out=_every_task,
        source="speed",
    ),
    Metric(
        "samples_per_second",
        "Held-out examples measured a second.",
        None,
        numbers.decimal,
        held_out=_every_task,
        source="speed",
    ),
    Metric(
        "steps_per_second",
        "Batches of held-out examples measured a second.",
        None,
        numbers.decimal,
        held_out=_every_task,
        source="speed",
    ),
    Metric("total_seconds", "Seconds of the whole run.", "lower", numbers.duration, source="time", before=False),
)
