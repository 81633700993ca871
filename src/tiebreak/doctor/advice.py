"""What to change, as recipe keys and values: the same words wherever findings advise the same.

Knows the defaults of the tasks; knows no rule.
"""

from __future__ import annotations

from tiebreak.doctor.facts import Facts
from tiebreak.tasks import TASKS

KEEP_BEST = {"train.keep_best": "eval_loss", "train.early_stopping": "2"}
"""Keep the model of the lowest held-out loss, and stop when it rises."""


UNKNOWN_BELOW = 5e7
"""Parameters below which no rate was published or measured."""


def written_rate(rate: float) -> str:
    """A learning rate as a recipe has it: `1e-06` as `1e-6`."""
    return f"{rate:.2g}".replace("e-0", "e-")


def usual_rate(facts: Facts) -> float:
    """The default learning rate of the task that is learned, for an adapter or for whole weights."""
    task = (facts.recipe.known_task if facts.recipe is not None else None) or TASKS["preference"]
    return task.adapter_learning_rate if facts.has_adapter else task.learning_rate


def lower_rate(facts: Facts) -> dict[str, str]:
    """A lower learning rate: the default where the rate is far above it, or else half of it."""
    rate, usual = facts.rate, usual_rate(facts)
    tiny = facts.size is not None and facts.size < UNKNOWN_BELOW
    return {
        "train.learning_rate": written_rate(rate / 2 if rate is not None and (tiny or rate <= 4 * usual) else usual)
    }


def higher_rate(facts: Facts) -> dict[str, str]:
    """The default learning rate, where the rate is known to be below it."""
    rate, usual = facts.rate, usual_rate(facts)
    return {"train.learning_rate": written_rate(usual)} if rate is not None and rate < usual else {}


def fewer_epochs(facts: Facts, wanted: float = 1) -> dict[str, str]:
    """Fewer passes over the data, where the run had more of them."""
    recipe, log = facts.recipe, facts.log
    had = recipe.train.epochs if recipe is not None else log.epoch_at(log.length) if log is not None else None
    return {"train.epochs": f"{wanted:g}"} if had is not None and had > 1.05 * wanted else {}


def larger_beta(facts: Facts) -> dict[str, str]:
    """Twice the beta, where it is known."""
    beta = facts.recipe.objective.settings.get("beta") if facts.recipe is not None else None
    return {"objective.beta": f"{2 * beta:g}"} if isinstance(beta, int | float) else {}
