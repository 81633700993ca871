"""Findings over the data: what is cut, repeated or leaked, and what tells the sides apart without their being better.

Shares are compared by their intervals: what may be chance is a note, or is not said.
"""

from __future__ import annotations

from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.formatting import numbers
from tiebreak.formatting.numbers import wilson
from tiebreak.formatting.text import one_line
from tiebreak.runs.manifest import DataRecord, TraitsRecord

_CUT_NOTE, _CUT_WARNING = 0.02, 0.2
_FEW, _TOO_FEW = 500, 50
_SAME_NOTE, _SAME_WARNING = 0.01, 0.1
_REPEATED_NOTE, _REPEATED_WARNING = 0.02, 0.3
_NEAR_NOTE, _NEAR_WARNING = 0.01, 0.25
_BIAS_NOTE, _BIAS_WARNING = 0.6, 0.75
_REVERSED = 0.9
_FEWEST = 20  # pairs below which a share says nothing
_SCRIPT_NOTE, _SCRIPT_WARNING = 0.02, 0.2
_ONE_SOURCE = 0.9


def cut_by_length(facts: Facts) -> Finding | None:
    """The length limit drops examples or cuts them."""
    data = facts.data
    if data is None or data.train is None:
        return None
    gone, cut = data.dropped.get("too long", 0), sum(data.trimmed.values())
    completions = sum(count for reason, count in data.trimmed.items() if "completion" in reason)
    whole = data.train + gone
    share = (gone + cut) / whole if whole else 0.0
    if share < _CUT_NOTE:
        return None
    evidence = [Figure("examples within the other limits", whole, numbers.whole(whole))]
    if gone:
        evidence.append(Figure("dropped as too long", gone, numbers.share_of(gone, whole)))
    if cut:
        evidence.append(Figure("cut", cut, numbers.share_of(cut, whole)))
    if completions:
        evidence.append(Figure("of them completions cut", completions, numbers.share_of(completions, whole)))
    longest = data.tokens.get("prompt")
    limit = facts.recipe.data.max_length if facts.recipe is not None else None
    change = {} if limit is None else {"data.max_length": str(2 * limit)}
    return Finding(
        name="cut-by-length",
        severity="warning" if share >= _CUT_WARNING else "note",
        title="the length limit drops or cuts many examples" if share >= _CUT_WARNING else "some examples are too long",
        evidence=tuple(evidence),
        means="What is dropped is not like the rest: it is the longest. A completion that is cut ends in the middle "
        "and has no token that ends it, so the model learns to go on, and two that differ only later become equal.",
        change=change,
        advice=()
        if longest is None
        else ("Memory does not need short examples: `train.tokens_per_microbatch` bounds it.",),
        source="Definition: the limit was applied to these rows.",
        sure="certain",
    )


def few_pairs(facts: Facts) -> Finding | None:
    """So few examples that any model learns them by heart."""
    data = facts.data
    if data is None or data.train is None or data.train >= _FEW:
        return None
    few = data.train < _TOO_FEW
    return Finding(
        name="few-pairs",
        severity="warning" if few else "note",
        title="few examples to train on",
        evidence=(Figure("examples to train on", data.train, numbers.whole(data.train)),),
        means="A model with millions of weights learns so few examples by heart within a few passes. What it learns "
        "holds for these examples, and little of it for others.",
        change={"train.epochs": "1"} if facts.recipe is None or facts.recipe.train.epochs > 1 else {},
        advice=("Look for more pairs: a thousand different ones help more than ten passes over a hundred.",),
        source="Measured: docs/seeds, 200 pairs end with a training loss of zero.",
        sure="likely" if few else "possible",
    )


def repeated_pairs(facts: Facts) -> Finding | None:
    """Many pairs stand there more than once, and only one of each is used."""
    return _dropped(
        facts,
        "exact duplicates",
        name="repeated-pairs",
        title="pairs stand there more than once",
        bounds=(_REPEATED_NOTE, _REPEATED_WARNING),
        means="Only one of each is used, so there is less data than there seems to be. Where something wrote them "
        "twice, it may have written others wrongly, too.",
    )


def equal_completions(facts: Facts) -> Finding | None:
    """Many pairs have two equal completions, which say nothing."""
    return _dropped(
        facts,
        "equal completions",
        name="equal-completions",
        title="both completions are the same",
        bounds=(_SAME_NOTE, _SAME_WARNING),
        means="Such pairs say nothing and are not used. Many of them mean that two roles are read from one column, or "
        "that answers were cut before they differ.",
    )


def contradicting_pairs(facts: Facts) -> Finding | None:
    """The same two completions are preferred one way and the other."""
    data = facts.data
    if data is None or not data.train or not data.contradicting:
        return None
    share = data.contradicting / data.train
    if share < _SAME_NOTE:
        return None
    return Finding(
        name="contradicting-pairs",
        severity="warning" if share >= _SAME_WARNING else "note",
        title="pairs contradict each other",
        evidence=(Figure("pairs that another one has the other way round", data.contradicting, _share(share)),),
        means="Whatever the model learns of them, half of them are wrong. A few are people who disagree; many mean "
        "that the label does not belong to these completions.",
        advice=("Keep the majority where several people voted, or give such pairs a lower `weight`.",),
        source="Definition: both orders stand in the data.",
        sure="certain",
    )


def near_held_out(facts: Facts) -> Finding | None:
    """Held-out prompts that training prompts are nearly the same as."""
    found = _traits(facts)
    if found is None or not found.held_out or found.near_held_out / found.held_out < _NEAR_NOTE:
        return None
    share = found.near_held_out / found.held_out
    return Finding(
        name="near-held-out",
        severity="warning" if share >= _NEAR_WARNING else "note",
        title="held-out prompts are nearly those of training",
        evidence=(
            Figure(
                "held-out prompts with a near twin",
                found.near_held_out,
                numbers.share_of(found.near_held_out, found.held_out),
            ),
        ),
        means="Equal prompts never stand on both sides, but these differ by a few words. What the model remembers "
        "helps there, so held-out figures are better than those on new prompts will be.",
        advice=("Hold out whole topics or sources instead: `data.eval_source` names a file of its own.",),
        source="Measured on these rows: four of five runs of five words in common.",
        sure="certain" if share >= _NEAR_WARNING else "likely",
    )


def length_bias(facts: Facts) -> Finding | None:
    """Length alone says which completion was chosen."""
    found = _traits(facts)
    if found is None:
        return None
    right = max(found.chosen_longer, found.rejected_longer)
    many = found.chosen_longer + found.rejected_longer
    if many < _FEWEST or (low_high := wilson(right / many, many))[0] < _BIAS_NOTE:
        return None
    way = "longer" if found.chosen_longer > found.rejected_longer else "shorter"
    strong = low_high[0] >= _BIAS_WARNING
    return Finding(
        name="length-bias",
        severity="warning" if strong else "note",
        title=f"the {way} completion is mostly the chosen one",
        evidence=(
            Figure(f"accuracy of choosing the {way} one", right / many, numbers.with_interval(right / many, low_high)),
        ),
        means=f"A model can lower its loss by writing {way} answers, whatever they say. Its held-out accuracy has to "
        "be read beside this one.",
        change={"objective.name": "sigmoid_norm", "objective.beta": "5.0"},
        advice=("`tiebreak evaluate` gives the accuracy at equal lengths; judge answers at equal lengths, too.",),
        source="Singhal et al. 2023, arXiv 2310.03716; Park et al. 2024, arXiv 2403.19159.",
        sure="likely" if strong else "possible",
    )


def style_bias(facts: Facts) -> Finding | None:
    """One word, a kind of Markdown or a beginning says which completion was chosen."""
    found = _traits(facts)
    best = None if found is None else found.separator
    if found is None or best is None or best.pairs < _FEWEST:
        return None
    undecided = best.pairs - best.there - best.elsewhere
    accuracy = (best.there + undecided / 2) / best.pairs
    interval = wilson(accuracy, best.pairs)
    longer = (
        max(found.chosen_longer, found.rejected_longer)
        + (found.looked_at - found.chosen_longer - found.rejected_longer) / 2
    )
    if interval[0] < _BIAS_NOTE or accuracy <= longer / max(1, found.looked_at):
        return None  # long answers have more words: what length says as well is said by length
    strong = interval[0] >= _BIAS_WARNING
    what = one_line(best.what, 60)
    return Finding(
        name="style-bias",
        severity="warning" if strong else "note",
        title=f"{what} tells the sides apart",
        evidence=(
            Figure(f"accuracy of that rule, it being {best.side}", accuracy, numbers.with_interval(accuracy, interval)),
            Figure(f"on the {best.side} side alone", best.there, numbers.share_of(best.there, best.pairs)),
            Figure("on the other side alone", best.elsewhere, numbers.share_of(best.elsewhere, best.pairs)),
        ),
        means="A model can learn this feature in place of what makes an answer better. Mostly the two sides were "
        "written by different models, or by different instructions.",
        advice=(
            "Read twenty pairs; where the feature is not what you want, take pairs whose sides both have it or not.",
        ),
        source="Measured on these rows: chosen on every second pair, counted on the others.",
        sure="likely" if strong else "possible",
    )


def reversed_scores(facts: Facts) -> Finding | None:
    """Rejected completions have the better scores."""
    found = _traits(facts)
    if found is None or found.scored < _FEWEST:
        return None
    share = found.scored_lower / found.scored
    interval = wilson(share, found.scored)
    if interval[0] <= 0.5:
        return None
    return Finding(
        name="reversed-columns",
        severity="stop" if share >= _REVERSED else "warning",
        title="the better scores stand on the rejected side",
        evidence=(Figure("chosen has the lower score", share, numbers.with_interval(share, interval)),),
        means="Where a higher score is better, chosen and rejected are exchanged, and the model learns the worse "
        "answer. Where a lower one is better, all is well.",
        advice=("Exchange them: `--columns chosen=rejected,rejected=chosen` with the names of your columns.",),
        source="Definition: the scores of the rows themselves.",
        sure="likely",
    )


def mixed_scripts(facts: Facts) -> Finding | None:
    """The two sides are written in different scripts."""
    found = _traits(facts)
    if found is None or not found.looked_at or found.other_script / found.looked_at < _SCRIPT_NOTE:
        return None
    share = found.other_script / found.looked_at
    return Finding(
        name="mixed-scripts",
        severity="warning" if share >= _SCRIPT_WARNING else "note",
        title="the two sides are written in different scripts",
        evidence=(
            Figure("pairs of two scripts", found.other_script, numbers.share_of(found.other_script, found.looked_at)),
        ),
        means="Such a pair teaches a language, not an answer. The model will answer in the one that is chosen, also "
        "where it was asked in the other.",
        advice=("Leave such pairs out with `data.transform`, unless the language is what you want to teach.",),
        source="Measured on these rows: the script of most letters, as Unicode names it.",
        sure="likely",
    )


def one_source(facts: Facts) -> Finding | None:
    """Of several sources one has nearly all pairs."""
    found = _traits(facts)
    if found is None or found.sources < 2 or found.of_main_source / found.looked_at < _ONE_SOURCE:
        return None
    name = one_line(str(found.main_source), 40)
    return Finding(
        name="one-source",
        severity="note",
        title="one source has nearly all pairs",
        evidence=(
            Figure(f"pairs of {name}", found.of_main_source, numbers.share_of(found.of_main_source, found.looked_at)),
        ),
        means="Figures over all pairs are figures over this source. What the others were added for hardly counts.",
        advice=("Look at the held-out accuracy by source, which the report has.",),
        source="Definition: counted on these rows.",
        sure="certain",
    )


def private_text(facts: Facts) -> Finding | None:
    """E-mail addresses or keys stand in the text."""
    found = _traits(facts)
    if found is None or not found.emails + found.secrets:
        return None
    figures = (("pairs with an e-mail address", found.emails), ("pairs with what looks like a key", found.secrets))
    return Finding(
        name="private-text",
        severity="note",
        title="there is private text in the data",
        evidence=tuple(
            Figure(what, count, numbers.share_of(count, found.looked_at)) for what, count in figures if count
        ),
        means="What stands in the text can be learned by heart and said to anybody. Keys that stand in a data set "
        "count as known to others.",
        advice=("Take them out with `data.transform` before you train, and renew keys that are real.",),
        source="Carlini et al. 2021, arXiv 2012.07805.",
        sure="possible",
    )


def _dropped(
    facts: Facts, reason: str, *, name: str, title: str, bounds: tuple[float, float], means: str
) -> Finding | None:
    """Rows that were dropped for a reason, where they are a share of all that were made."""
    data = facts.data
    count = 0 if data is None else data.dropped.get(reason, 0)
    if data is None or not count:
        return None
    made = _made(data)
    share = count / made
    if share < bounds[0]:
        return None
    return Finding(
        name=name,
        severity="warning" if share >= bounds[1] else "note",
        title=title,
        evidence=(Figure("pairs", count, numbers.share_of(count, made)),),
        means=means,
        advice=("`tiebreak data inspect` shows what was read of which column, and samples.",),
        source="Definition: counted on these rows.",
        sure="certain",
    )


def _made(data: DataRecord) -> int:
    """Rows that the source gave, before any was dropped."""
    if data.report is not None and data.report.made:
        return data.report.made
    return (data.train or 0) + (data.held_out or 0) + sum(data.dropped.values())


def _traits(facts: Facts) -> TraitsRecord | None:
    return None if facts.data is None else facts.data.traits


def _share(share: float) -> str:
    return numbers.percent(share)
