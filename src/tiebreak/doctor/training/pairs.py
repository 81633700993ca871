"""What a log says of the pairs themselves: they are told apart too easily, or their columns are likely reversed."""

from __future__ import annotations

from tiebreak.doctor.curves import ending, level
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.doctor.log import TrainingLog
from tiebreak.formatting.numbers import wilson
from tiebreak.metrics import ACCURACY, LIKELIER


def trivial_pairs(facts: Facts) -> Finding | None:
    """Accuracy is near one within a tenth of the run, and on held-out pairs too, where those are measured."""
    log = facts.log
    if log is None or log.axis == "end":
        return None
    tenth = 0.1 * log.length
    evaluated = log.evaluated(ACCURACY.name)
    early, held = log.curve(ACCURACY.name).between(tenth / 2, tenth), evaluated.between(-1, tenth)
    if evaluated and max(evaluated.values) < 0.98:
        return None  # of other pairs it is not so: that is memorising
    if held and held.values[-1] >= 0.99:
        figure = log.figure(ACCURACY.recorded, held.at[-1], held.values[-1])
    elif len(early) >= 5 and (reached := level(early)).value >= 0.99:
        figure = log.figure(ACCURACY.name, reached.at, reached.value)
    else:
        return None
    return Finding(
        name="trivial-pairs",
        severity="warning",
        title="the pairs are told apart within a tenth of the run",
        evidence=(figure, Figure("length of the run", log.length, log.said_length)),
        means="Something simple separates chosen from rejected: a length, a phrase, a format, another writer. The "
        "model learns that mark, whatever the preferences were about.",
        change={"train.max_steps": f"{max(1, round(2 * tenth))}"} if log.axis == "step" else {},
        advice=("Look at the pairs: `tiebreak data inspect SOURCE` shows their lengths and samples.",),
        source="Ouyang et al. 2022, arXiv 2203.02155: people agree with one another on 73% of comparisons.",
        sure="likely",
    )


def reversed_columns(facts: Facts) -> Finding | None:
    """Held-out pairs go against the training pairs, or the model finds rejected completions likelier from the start."""
    log = facts.log
    if log is None:
        return None
    return _against_training(facts, log) or _likelier_rejected(facts, log)


def _against_training(facts: Facts, log: TrainingLog) -> Finding | None:
    trained, evaluated, examples = log.curve(ACCURACY.name), log.evaluated(ACCURACY.name), facts.held_out_examples
    if not trained or not evaluated:
        return None
    train, held = ending(trained), evaluated.values[-1]
    most = wilson(held, examples)[1] if examples else held + 0.1
    if most > 0.45 or train.value - 3 * train.error < 0.6:
        return None
    return _reversed(
        (log.figure(ACCURACY.name, train.at, train.value), log.figure(ACCURACY.recorded, evaluated.at[-1], held)),
        "What is learned from the training pairs is wrong for most held-out pairs. One of the two has its columns the "
        "other way round.",
        severe=True,
    )


def _likelier_rejected(facts: Facts, log: TrainingLog) -> Finding | None:
    """Before anything is learned; longer completions are less likely too, so that it is no more than a hint."""
    early = 0.05 * log.length
    held, trained = (curve.between(-1, early) for curve in (log.evaluated(LIKELIER.name), log.curve(LIKELIER.name)))
    examples = facts.held_out_examples
    if held:
        share, name, at = held.values[0], LIKELIER.recorded, held.at[0]
        most = wilson(share, examples)[1] if examples else share + 0.1
    elif len(trained) >= 3:
        reached = level(trained)
        share, name, at = reached.value, LIKELIER.name, reached.at
        most = share + 3 * reached.error
    else:
        return None
    if share > 0.35 or most > 0.4:
        return None
    return _reversed(
        (log.figure(name, at, share),),
        "The model finds most rejected completions likelier before it is trained. They may be shorter, or the columns "
        "may be the other way round.",
        severe=False,
    )


def _reversed(evidence: tuple[Figure, ...], means: str, *, severe: bool) -> Finding:
    return Finding(
        name="reversed-columns",
        severity="warning" if severe else "note",
        title="chosen and rejected may stand the other way round",
        evidence=evidence,
        means=means,
        advice=(
            "Read a few pairs: `tiebreak data inspect SOURCE`. `--columns` says which column is which.",
            "Where a reward model made the labels, look whether a higher score is better.",
        ),
        source="Measured: this log. It is a common mistake: github.com/huggingface/trl/issues/2578.",
        sure="likely" if severe else "possible",
    )
