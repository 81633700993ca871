"""What held-out figures say by themselves: they turned within the first epoch, do not move, or are not there."""

from __future__ import annotations

from tiebreak.doctor.advice import KEEP_BEST, fewer_epochs, larger_beta, lower_rate
from tiebreak.doctor.curves import ending, turn
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.formatting.numbers import wilson
from tiebreak.metrics import ACCURACY, HELD_OUT, LOSS


def over_optimisation(facts: Facts) -> Finding | None:
    """Held-out loss turns within the first epoch, where no pair was seen twice."""
    log = facts.log
    if log is None:
        return None
    turned = turn(log.evaluated(LOSS.name), facts.held_out_examples)
    epoch = log.epoch_at(turned.best_at) if turned is not None else None
    if turned is None or epoch is None or epoch >= 1 or not turned.slight:
        return None
    return Finding(
        name="over-optimisation",
        severity="warning" if turned.clear else "note",
        title="held-out loss turned within the first epoch",
        evidence=(
            log.figure(LOSS.recorded, turned.best_at, turned.best),
            log.figure(LOSS.recorded, turned.last_at, turned.last),
        ),
        means="No pair had been seen twice, so this is not memorising: the model is pushed past what the preferences "
        "say. From there on answers get worse while training figures still improve.",
        change={**KEEP_BEST, **lower_rate(facts), **larger_beta(facts)},
        advice=(f"The best model that was seen is that of {log.where(turned.best_at)}.",),
        source="Rafailov et al. 2024, arXiv 2406.02900: quality often falls before one epoch is over.",
        sure="likely" if turned.clear else "possible",
    )


def accuracy_stuck(facts: Facts) -> Finding | None:
    """Held-out accuracy stays where it was while that of training grows away from it."""
    log = facts.log
    if log is None:
        return None
    trained, evaluated = log.curve(ACCURACY.name), log.evaluated(ACCURACY.name)
    if len(trained) < 2 or len(evaluated) < 2:
        return None
    train, first, last = ending(trained), evaluated.values[0], evaluated.values[-1]
    then = trained.between(-1, evaluated.at[0])
    grew = train.value - (ending(then).value if then else first)
    examples = facts.held_out_examples
    within = wilson(first, examples)[1] - first if examples else 0.02
    apart = max(0.12, 3 * train.error, within)
    if abs(last - first) > within or last > 0.85 or train.value < last + apart or grew < 0.05:
        return None
    clear = examples is not None and train.value - 3 * train.error > max(last + 0.2, wilson(last, examples)[1])
    return Finding(
        name="accuracy-stuck",
        severity="warning" if clear else "note",
        title="held-out accuracy does not move while training goes on",
        evidence=(
            log.figure(ACCURACY.name, train.at, train.value),
            log.figure(ACCURACY.recorded, evaluated.at[0], first),
            log.figure(ACCURACY.recorded, evaluated.at[-1], last),
        ),
        means="What is still learned holds for the training pairs alone. More steps bring nothing to other pairs.",
        change={**KEEP_BEST, **fewer_epochs(facts)},
        advice=("Look at the pairs: contradictions and close calls cannot be learned.",),
        source="Measured: the distance, against the interval of the held-out accuracy.",
        sure="likely" if clear else "possible",
    )


def nothing_held_out(facts: Facts) -> Finding | None:
    """The log of a training has no held-out metric."""
    log = facts.log
    if log is None or log.axis == "end" or len(log.curve(LOSS.name)) < 2:
        return None
    if any(name.startswith(HELD_OUT) for name in log.curves):
        return None
    return Finding(
        name="no-evaluation",
        severity="note",
        title="nothing was measured on held-out data",
        evidence=(Figure("held-out rows of the log", 0, "none"),),
        means="Training figures cannot tell learning from memorising: both make them better. Which step was best is "
        "not known either.",
        change={"data.eval_fraction": "0.05", "train.eval_every": "0.1", "train.keep_best": "eval_loss"},
        source="Measured: the metrics of this log.",
        sure="certain",
    )
