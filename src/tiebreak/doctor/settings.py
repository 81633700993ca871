"""Findings over the settings of a run: rate, beta, batch, lengths, what is held out, warm-up, epochs, precision.

What is usual is in `published`. A setting that is merely unusual is a note; a warning is for what is far outside. Below
0.5 billion parameters little was published and nothing measured, so bounds there are ten times as wide; below 50
million there are none.
"""

from __future__ import annotations

from dataclasses import replace

from tiebreak.doctor.advice import KEEP_BEST, UNKNOWN_BELOW, usual_rate, written_rate
from tiebreak.doctor.facts import Facts
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.doctor.published import PUBLISHED, Family, Published, Trained, published_for
from tiebreak.formatting import numbers
from tiebreak.formatting.numbers import wilson
from tiebreak.objectives import objective_named
from tiebreak.objectives.outside import is_outside
from tiebreak.recipe import Recipe
from tiebreak.tasks import TASKS

_SMALL, _LENIENT = 0.5e9, 10.0
_FAR, _UNUSUAL = 10.0, 3.0
_NEVER_ABOVE, _NEVER_BELOW = 0.1, 1e-12  # rates of no model, of whatever size
_HOPELESS = 100.0  # times the highest published rate, for a model of a size that was published
_FEW_HELD_OUT, _SOME_HELD_OUT = 30, 200
_SHORT = 64
_BATCH = 8


def learning_rate(facts: Facts) -> Finding | None:
    """The rate is far above or below those that were published for such a run."""
    rate, size, family = facts.rate, facts.size, _family(facts)
    if facts.recipe is not None and rate is not None and not _NEVER_BELOW < rate < _NEVER_ABOVE:
        return _hopeless_rate(facts, rate)
    if rate is None or family is None or (size is not None and size < UNKNOWN_BELOW):
        return None
    # Of a log alone nobody knows whether an adapter was trained: the wider bound holds.
    trained: Trained = "adapter" if facts.has_adapter is not False else "whole"
    known = published_for(family, trained) or published_for(family, "whole")
    low, high = min(each.rates[0] for each in known), max(each.rates[1] for each in known)
    if trained == "adapter":
        high = max(high, TASKS["preference"].adapter_learning_rate)
    room = _LENIENT if size is not None and size < _SMALL else 1.0
    # Where nobody says how large the model is, it may be a small one.
    farther = 0.999 * _FAR * high * (_LENIENT if size is None else room)
    if facts.recipe is not None and size is not None and size >= _SMALL and rate >= 0.999 * _HOPELESS * high:
        return replace(_rate_finding("rate-too-high", facts, rate, known, high, far=True), severity="stop")
    if rate > _UNUSUAL * high * room:
        far = facts.recipe is not None and rate >= farther
        return _rate_finding("rate-too-high", facts, rate, known, high, far=far)
    below = TASKS["preference"].learning_rate if trained == "adapter" else low / _FAR
    if facts.recipe is not None and rate < 0.999 * below:
        return _rate_finding("rate-too-low", facts, rate, known, low, far=trained == "adapter")
    return None


def _hopeless_rate(facts: Facts, rate: float) -> Finding:
    """A rate at which no model learns, whatever the objective."""
    high = rate >= _NEVER_ABOVE
    bound = _NEVER_ABOVE if high else _NEVER_BELOW
    return Finding(
        name="rate-too-high" if high else "rate-too-low",
        severity="stop",
        title="at such a learning rate nothing is left of a model"
        if high
        else "at such a learning rate no weight moves",
        evidence=(
            Figure("learning rate", rate, written_rate(rate)),
            Figure("bound of this finding", bound, written_rate(bound)),
        ),
        means="Each step of AdamW moves each weight by about the rate, and most weights of a language model are "
        "smaller than a tenth. After a few steps nothing is left of what it knew."
        if high
        else "Each step of AdamW moves each weight by about the rate, which is far below the last bit of most weights. "
        "The model after the run is the model before it.",
        change={"train.learning_rate": written_rate(usual_rate(facts))},
        source="Kingma and Ba 2014, arXiv 1412.6980, section 2.1: the bound of a step.",
        sure="certain",
    )


def _rate_finding(
    name: str, facts: Facts, rate: float, known: tuple[Published, ...], bound: float, *, far: bool
) -> Finding:
    lowest, highest = min(each.rates[0] for each in known), max(each.rates[1] for each in known)
    what = {True: "an adapter", False: "whole weights", None: "an adapter or whole weights"}[facts.has_adapter]
    if name == "rate-too-high":
        title = f"the learning rate is {_times(rate / bound)} times the highest published one for {what}"
        means = (
            "At such a rate the loss falls because both completions become unlikely, and the model loses its language. "
            "The margin grows all the same, so training figures look well."
        )
    else:
        title = f"the learning rate is below every published one for {what}"
        means = (
            "An adapter begins at nothing and has few weights, which have far to go: it takes about ten times the rate "
            "of whole weights. At this one the loss hardly leaves ln 2."
            if facts.has_adapter
            else "At such a rate the loss hardly leaves ln 2 in a run of usual length. Only models that reason were "
            "published with less than a tenth of the usual rate."
        )
    small = facts.size is not None and facts.size < _SMALL
    caveat = (
        " Below 0.5 billion parameters little was published, so the bound here is ten times as wide." if small else ""
    )
    return Finding(
        name=name,
        severity="warning" if far else "note",
        title=title,
        evidence=(
            Figure("learning rate", rate, written_rate(rate)),
            Figure("published, lowest", lowest, written_rate(lowest)),
            Figure("published, highest", highest, written_rate(highest)),
        ),
        means=means + caveat,
        change={"train.learning_rate": written_rate(usual_rate(facts))},
        source="; ".join(f"{each.name}, {each.source}" for each in known),
        sure="likely" if far and not small and facts.has_adapter is not None else "possible",
    )


def beta_scale(facts: Facts) -> Finding | None:
    """Beta is of the other scale: of sums where rewards are means over tokens, or the other way round."""
    recipe, family = facts.recipe, _family(facts)
    if recipe is None or family is None:
        return None
    beta = recipe.objective.settings.get("beta")
    if not isinstance(beta, int | float) or (facts.size is not None and facts.size < UNKNOWN_BELOW):
        return None
    known = [each for each in PUBLISHED if each.family == family and each.betas is not None]
    low = min(each.betas[0] for each in known if each.betas is not None)
    high = max(each.betas[1] for each in known if each.betas is not None)
    if low <= beta <= high:
        return None
    means = family == "length-normalised"
    far = beta < low / 2 if means else beta > 4 * high
    return Finding(
        name="beta-scale",
        severity="warning" if far else "note",
        title="beta is outside the scale of its objective",
        evidence=(
            Figure("objective.beta", beta, numbers.plain(beta)),
            Figure("published, lowest", low, numbers.plain(low)),
            Figure("published, highest", high, numbers.plain(high)),
        ),
        means=(
            "Rewards of this objective are means over tokens, so with a beta for sums the loss hardly moves. "
            if means
            else "Rewards of this objective are sums over a completion. A beta above this scale holds the model to the "
            "reference, one below lets it go far. "
        )
        + "Objectives of the two kinds need betas some hundred times apart.",
        change={"objective.beta": "2.0" if means else "0.1"},
        source="; ".join(f"{each.name}, {each.source}" for each in known),
        sure="likely" if far else "possible",
    )


def small_batch(facts: Facts) -> Finding | None:
    """A step of so few pairs follows their labels, right or wrong."""
    recipe = facts.recipe
    if recipe is None or _task(recipe) != "preference":
        return None
    pairs = recipe.train.batch_size * recipe.train.gradient_accumulation
    if pairs >= _BATCH:
        return None
    return Finding(
        name="small-batch",
        severity="note",
        title="few pairs a step",
        evidence=(Figure("pairs a step", pairs, numbers.whole(pairs)),),
        means="People disagree about a quarter of such pairs and more, so a step of few pairs often follows a wrong "
        "label. Steps of 32 to 128 pairs average that out.",
        change={"train.batch_size": "32"},
        source="DPO: 64 pairs a step, arXiv 2305.18290, appendix B; SmolLM3: 32, alignment-handbook.",
        sure="possible",
    )


def held_out_size(facts: Facts) -> Finding | None:
    """Nothing is held out, or too little to see what is hoped for."""
    recipe = facts.recipe
    if recipe is None:
        return None
    data, recorded = recipe.data, facts.data
    unwanted = data.eval_source is None and data.eval_split is None and data.eval_fraction == 0
    if unwanted or (recorded is not None and recorded.held_out == 0):
        evidence = [Figure("data.eval_fraction", 0, "0") if unwanted else Figure("held-out examples", 0, "0")]
        gone = 0 if recorded is None else sum(recorded.held_out_dropped.values())
        if gone:
            evidence.append(Figure("held-out examples that were dropped", gone, numbers.whole(gone)))
        kept = recipe.train.keep_best
        return Finding(
            name="no-evaluation",
            severity="warning",
            title="nothing is held out",
            evidence=tuple(evidence),
            means="Training figures cannot tell learning from memorising: both make them better. "
            + (
                "The best model of the run cannot be kept either, since nobody knows which it is."
                if kept is None
                else f"`train.keep_best: {kept}` has nothing to go by either, so the last model is kept."
            ),
            change={"data.eval_fraction": "0.05", "train.eval_every": "0.1", "train.keep_best": "eval_loss"}
            if unwanted
            else {},
            advice=() if unwanted else ("Hold out a larger share, or raise the limits that drop held-out examples.",),
            source="Definition: what was trained on does not measure.",
            sure="certain",
        )
    examples = facts.held_out_examples or data.eval_limit
    if examples is None or examples >= _SOME_HELD_OUT:
        return None
    low, high = wilson(0.6, examples)
    return Finding(
        name="few-held-out",
        severity="warning" if examples < _FEW_HELD_OUT else "note",
        title="few held-out examples",
        evidence=(
            Figure("held-out examples", examples, numbers.whole(examples)),
            Figure("interval of an accuracy of 60%", high - low, numbers.percent_range(low, high)),
        ),
        means="A held-out accuracy is known no better than its interval, and so is which of two runs is ahead. 1,000 "
        "pairs know 60% to three points either way.",
        change={"data.eval_fraction": "0.1"} if data.eval_limit is None else {"data.eval_limit": "1000"},
        source="Wilson 1927: the 95% interval of a share.",
        sure="certain",
    )


def warmup_share(facts: Facts) -> Finding | None:
    """The learning rate rises for half of the run or more."""
    recipe = facts.recipe
    if recipe is None or recipe.train.warmup_ratio < 0.5 or recipe.train.schedule == "constant":
        return None
    share = recipe.train.warmup_ratio
    return Finding(
        name="warmup-longer-than-run",
        severity="warning",
        title="the learning rate rises for most of the run",
        evidence=(Figure("train.warmup_ratio", share, numbers.percent(share)),),
        means="The run spends its steps below the rate that was asked for, and has few left to come down from it.",
        change={"train.warmup_ratio": "0.1"},
        source="alignment-handbook: a tenth of the run in every recipe of DPO there.",
        sure="likely",
    )


def short_lengths(facts: Facts) -> Finding | None:
    """Lengths so small that hardly an answer fits into them whole."""
    recipe = facts.recipe
    if recipe is None:
        return None
    limits = {
        "data.max_length": (recipe.data.max_length, _SHORT),
        "data.max_completion_length": (recipe.data.max_completion_length, _SHORT // 2),
    }
    short = {key: value for key, (value, least) in limits.items() if value is not None and value < least}
    if not short:
        return None
    cut = recipe.data.too_long != "drop"
    return Finding(
        name="length-limit-short",
        severity="warning",
        title="the length limit leaves fragments" if cut else "the length limit leaves few examples",
        evidence=tuple(Figure(key, value, f"{value:,} tokens") for key, value in short.items()),
        means="So few tokens hold the beginning of an answer and mostly not where two answers differ. Equal beginnings "
        "teach nothing, and half sentences teach half sentences.",
        change={key: "1024" if key == "data.max_length" else "null" for key in short},
        advice=("Memory does not need short examples here: `train.tokens_per_microbatch` bounds it.",),
        source="Measured: docs/recommended.md, lengths of hh-rlhf.",
        sure="likely",
    )


def many_epochs(facts: Facts) -> Finding | None:
    """More passes than published recipes make, and the last model is kept whatever it is."""
    recipe = facts.recipe
    if recipe is None or recipe.train.epochs <= 3 or recipe.train.early_stopping is not None:
        return None
    if _task(recipe) != "preference" or recipe.train.keep_best is not None:
        return None
    return Finding(
        name="many-epochs",
        severity="warning",
        title="many passes over the data, and the last model is kept",
        evidence=(Figure("train.epochs", recipe.train.epochs, numbers.plain(recipe.train.epochs)),),
        means="Published recipes pass over their pairs once to three times. After that pairs are remembered, and the "
        "last model is mostly not the best one.",
        change={"train.epochs": "1", **KEEP_BEST},
        source="alignment-handbook: one to three epochs in every recipe of DPO there.",
        sure="likely",
    )


def rounded_weights(facts: Facts) -> Finding | None:
    """Whole weights are held in bfloat16, where the updates of preference training are smaller than the last bit."""
    recipe = facts.recipe
    if recipe is None or recipe.model.dtype != "bfloat16" or recipe.model.adapter is not None:
        return None
    return Finding(
        name="rounded-weights",
        severity="note",
        title="trained weights are held in bfloat16",
        evidence=(Figure("steps between 1 and 2 in bfloat16", 128, "128"),),
        means="An update of a rate like 1e-6 is far smaller than the last bit of a weight. Tiebreak rounds up or down "
        "by chance, which is right in the mean and noisier; other trainers lose such updates.",
        change={"model.dtype": "auto"},
        source="Zamirai et al. 2020, arXiv 2010.06192.",
        sure="possible",
    )


def _times(factor: float) -> str:
    return f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"


def _task(recipe: Recipe) -> str | None:
    task = recipe.known_task
    return None if task is None else task.name


def _family(facts: Facts) -> Family | None:
    """The scale of the objective; None where it is unknown or of another kind."""
    name = facts.known_objective or "sigmoid"
    if is_outside(name) or name == "supervised":
        return None
    objective = objective_named(name)
    if name in ("simpo", "sigmoid_norm"):
        return "length-normalised"
    of_sums = objective.needs_reference and objective.task == "preference" and objective.reward == "sum"
    return "pairs with a reference" if of_sums and name not in ("ipo", "hinge", "sppo_hard") else None
