"""Findings over what the answers became: whether they still end, repeat themselves, grew, and whether English was lost.

Each compares the interval of a difference with a bound: what may be chance is not said.
"""

from __future__ import annotations

from tiebreak.doctor.advice import larger_beta, lower_rate
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.formatting.changes import written_change
from tiebreak.runs.outcome import ChangeRecord

ENDS, REPEATED, TOKENS, TEXT = "ends by itself", "repeated 4-grams", "tokens of an answer", "perplexity of plain text"
"""The traits, as `evaluate.changes` and `evaluate.perplexity` name them."""

_RUN_ON = (0.05, 0.2)  # of the answers
_REPEAT = (0.02, 0.1)  # of the runs of four words
_LOST = (0.05, 0.5)  # nats a token
_LONGER = (1.5, 3.0)  # times as many tokens
_SOURCE = "Measured: answers to held-out prompts before and after, 95% interval of the difference."


def run_on(facts: Facts) -> Finding | None:
    """Fewer answers end by themselves."""
    change = _change(facts, ENDS)
    lost = 0.0 if change is None else -change.difference.high
    if change is None or lost < _RUN_ON[0]:
        return None
    return Finding(
        name="answers-run-on",
        severity="warning" if lost >= _RUN_ON[1] else "note",
        title="fewer answers end by themselves",
        evidence=_figures(change),
        means="The model goes on until the length limit cuts it. Either completions were cut in the data, so that they "
        "have no end to learn, or the log-prob of the end fell with that of everything else.",
        change=lower_rate(facts) if facts.recipe is not None else {},
        advice=(
            "See whether the data findings name cut completions; a term of `nll` on the chosen one keeps its end.",
        ),
        source=_SOURCE,
        sure="likely",
    )


def repeating(facts: Facts) -> Finding | None:
    """Answers say the same again and again."""
    change = _change(facts, REPEATED)
    more = 0.0 if change is None else change.difference.low
    if change is None or more < _REPEAT[0]:
        return None
    return Finding(
        name="answers-repeat",
        severity="warning" if more >= _REPEAT[1] else "note",
        title="answers repeat themselves",
        evidence=_figures(change),
        means="Loops are how a model speaks whose likelihoods were pushed too far from where they were. Judges often "
        "miss them in single answers.",
        change={**lower_rate(facts), **larger_beta(facts)} if facts.recipe is not None else {},
        source=_SOURCE,
        sure="likely",
    )


def longer(facts: Facts) -> Finding | None:
    """Answers became much longer."""
    change = _change(facts, TOKENS)
    if change is None or change.before <= 0 or change.difference.low <= 0:
        return None
    times = change.after / change.before
    if times < _LONGER[0]:
        return None
    return Finding(
        name="answers-longer",
        severity="warning" if times >= _LONGER[1] else "note",
        title="answers became much longer",
        evidence=_figures(change),
        means="Judges and people mostly prefer the longer of two answers, so a win rate may come of length alone. DPO "
        "drifts to length where the data lean to it, and also where they do not.",
        advice=(
            "Judge at equal lengths: `tiebreak evaluate` gives that win rate; `sigmoid_norm` and `simpo` drift less.",
        ),
        source="Park et al. 2024, arXiv 2403.19159.",
        sure="possible",
    )


def language_lost(facts: Facts) -> Finding | None:
    """Plain English became less likely."""
    change = _change(facts, TEXT)
    worse = 0.0 if change is None else change.difference.low
    if change is None or change.unit != "nats a token" or worse < _LOST[0]:
        return None
    return Finding(
        name="language-lost",
        severity="warning" if worse >= _LOST[1] else "note",
        title="the model predicts plain English worse",
        evidence=_figures(change),
        means="The text has nothing to do with the data, so what was lost there was lost everywhere. Half a nat a "
        "token is more than what separates a model from one of a fifth of its size.",
        change={**lower_rate(facts), **larger_beta(facts)} if facts.recipe is not None else {},
        source="Measured: 20 paragraphs that ship with Tiebreak; sizes after Kaplan et al. 2020, arXiv 2001.08361.",
        sure="likely",
    )


def _change(facts: Facts, name: str) -> ChangeRecord | None:
    found = () if facts.answers is None else facts.answers.changes
    return next((each for each in found if each.name == name), None)


def _figures(change: ChangeRecord) -> tuple[Figure, ...]:
    before, after, difference = written_change(change)
    return (
        Figure(f"{change.name} before", change.before, before),
        Figure("after", change.after, after),
        Figure("difference", change.difference.value, difference),
    )
