"""The loop's gate: whether the model of a turn takes the place of the accepted one, and why.

Where there is a judge, it reads answers of both models to the same prompts. Elsewhere both models are measured on the
same held-out pairs against one fixed reference, the model that the loop began with: how often the reward of the chosen
completion is the higher one, and the held-out loss. That says that the model agrees more with what people preferred,
not that its answers are better: an answer that nobody wrote is in no pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tiebreak.engine.reference import ReferenceCache, reference_scores
from tiebreak.engine.score import Scores
from tiebreak.errors import InputError
from tiebreak.evaluate.bootstrap import POINTS, prompts_needed
from tiebreak.evaluate.compare import PairedComparison, compare_on_pairs
from tiebreak.recipe import DataSection, ModelSection, Recipe
from tiebreak.runs.loop import Measure
from tiebreak.runs.manifest import WinRateRecord
from tiebreak.workflow.data import RunData, load_data
from tiebreak.workflow.model import prepare_model
from tiebreak.workflow.plan import scoring_only
from tiebreak.workflow.progress import Progress
from tiebreak.workflow.resolve import ResolvedRecipe, resolve

Accept = Literal["better", "not-worse", "always"]
# What a data section says of one source and its rows.
_OF_THE_SOURCE = (
    *("source", "config", "data_dir", "split", "revision", "schema_", "columns", "transform"),
    *("limit", "shuffle", "skip_bad_rows"),
    *("eval_source", "eval_split", "eval_fraction", "eval_limit"),
)


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a turn.

    Attributes:
        accepted: whether its model takes the place of the one before.
        why: one sentence with the figures.
        measure: what decided.
        value, low, high: of that measure, with its 95% interval; one half, or no difference, is an equal model.
    """

    accepted: bool
    why: str
    measure: Measure
    value: float
    low: float
    high: float


def check_size(prompts: int, accept: Accept, *, judged: bool) -> str:
    """Whether a loop has enough held-out prompts for its rule.

    Args:
        prompts: that are held out, or that the judge reads.
        accept: the rule.
        judged: whether a judge decides.
    Returns:
        A sentence on the differences that can be seen.
    Raises:
        InputError: the rule is `better`, and not even ten points could be seen.
    """
    needed = ", ".join(f"{points} points {prompts_needed(points / 100):,}" for points in POINTS)
    line = f"{prompts:,} held-out prompts decide; to see a difference takes: {needed}"
    if accept == "better" and prompts < prompts_needed(POINTS[-1] / 100):
        raise InputError(
            f"Too few held-out prompts to see that a model is better: {line}.",
            where="evaluate.judge_prompts" if judged else "data.eval_fraction",
            fix="hold out more, or accept what is not clearly worse with --accept not-worse",
        )
    return line


def by_win_rate(wins: WinRateRecord, accept: Accept) -> Verdict:
    """The verdict by a judge's win rate of the new model against the accepted one; one half is an equal model."""
    value, (low, high) = wins.value, wins.interval
    taken = {"better": low > 0.5, "not-worse": high >= 0.5, "always": True}[accept]
    clear = "above" if low > 0.5 else "below" if high < 0.5 else "not clear of"
    why = f"win rate against the model before {value:.1%} (95% interval {low:.1%} to {high:.1%}) is {clear} one half"
    return Verdict(taken, f"{why}; rule: {accept}", "win_rate", value, low, high)


def by_pairs(found: PairedComparison, accept: Accept) -> Verdict:
    """The verdict by held-out pairs: by the difference in accuracy, and not against a loss that is clearly higher.

    The loss alone does not decide: it falls where a model only becomes less sure of itself.
    """
    share, loss = found.accuracy, found.loss
    worse_loss = loss.low > 0
    taken = {
        "better": share.low > 0 and not worse_loss,
        "not-worse": share.high >= 0 and not (worse_loss and share.low <= 0),
        "always": True,
    }[accept]
    clear = "above" if share.low > 0 else "below" if share.high < 0 else "not clear of"
    points = "{:+.1f}".format
    why = (
        f"held-out accuracy {found.accuracy_before:.1%} to {found.accuracy_after:.1%}: the difference of "
        f"{points(100 * share.value)} points (95% interval {points(100 * share.low)} to {points(100 * share.high)}, "
        f"{found.prompts:,} prompts) is {clear} zero; held-out loss {found.loss_before:.4f} to {found.loss_after:.4f}"
        f"{', clearly higher' if worse_loss else ''}"
    )
    return Verdict(taken, f"{why}; rule: {accept}", "accuracy_difference", share.value, share.low, share.high)


def compare_models(
    recipe: Recipe, held_out: Path, *, start: str, before: str, after: str, progress: Progress
) -> PairedComparison:
    """Measure the accepted and the new model on the held-out pairs, against the model that the loop began with.

    Args:
        recipe: of the turn.
        held_out: file of the held-out pairs.
        start: the model that the loop began with.
        before: the accepted model.
        after: the run folder of the new one.
        progress: where progress is shown.
    """
    data = read_from(recipe.data, held_out)
    resolved = resolve(recipe.model_copy(update={"data": data}))
    assert resolved.objective is not None  # a loop without a judge is on pairs
    # All with the tokens of the first model: the same pairs, or nothing could be compared.
    pairs = load_data(_on(resolved.recipe, start), resolved.task, progress)
    needed = (start, before, after) if resolved.objective.needs_reference else (before, after)
    scores = {name: _scored(resolved, name, pairs, progress) for name in dict.fromkeys(needed)}
    return compare_on_pairs(
        scores[before],
        scores[after],
        scores.get(start),
        objective=resolved.objective,
        prompts=[tuple(pairs.train[row].prompt) for row in range(len(pairs.train))],
    )


def read_from(section: DataSection, source: Path, *, held_out: Path | None = None) -> DataSection:
    """A data section with another source: rows in the canonical form, all of which are used.

    How rows become tokens, which are too short or too long, and the seed stay as they are.

    Args:
        section: as written for the first source.
        source: file of rows.
        held_out: file of the held-out rows; None holds nothing out.
    """
    fresh = DataSection(source=str(source), eval_source=None if held_out is None else str(held_out), eval_fraction=0.0)
    of_the_source = {name: getattr(fresh, name) for name in _OF_THE_SOURCE}
    return section.model_copy(update=of_the_source | {"duplicates": "keep"})  # two people who agree are two


def _on(recipe: Recipe, name: str) -> Recipe:
    """The recipe with another model, whole: an adapter is merged, and nothing is quantized."""
    section = ModelSection(name=name, dtype=recipe.model.dtype, trust_remote_code=recipe.model.trust_remote_code)
    return recipe.model_copy(update={"model": section})


def _scored(resolved: ResolvedRecipe, name: str, pairs: RunData, progress: Progress) -> Scores:
    model = prepare_model(_on(resolved.recipe, name))
    scorer = scoring_only(model.model, pairs.train, model.precision, resolved.measures)
    with progress.bar(f"held-out pairs, {Path(name).name}", len(pairs.train)) as on_progress:
        scores, _ = reference_scores(
            model.model,
            pairs.train,
            scorer,
            fingerprint=model.fingerprint,
            cache=ReferenceCache(),
            on_progress=on_progress,
        )
    return scores
