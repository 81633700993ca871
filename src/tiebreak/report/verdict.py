"""One sentence on how a run went, with its figures, and what they do not say.

Says "better" only where an interval lies clear of chance; what cannot be told from the figures is said to be unclear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tiebreak.report import forms
from tiebreak.report.table import accuracy_interval
from tiebreak.runs.entries import interval, is_supervised, number, state, text

Tone = Literal["better", "worse", "unclear", "unfinished", "failed"]


@dataclass(frozen=True)
class Verdict:
    """How the run went.

    Attributes:
        tone: for colours and exit decisions.
        headline: one sentence.
        detail: the figures behind it, and what they do not say.
    """

    tone: Tone
    headline: str
    detail: str = ""


def verdict(manifest: Mapping[str, Any]) -> Verdict:
    """Judge a run by what its manifest records; any part may be missing."""
    return _unfinished(manifest) or _by_judge(manifest) or _by_held_out(manifest)


def _unfinished(manifest: Mapping[str, Any]) -> Verdict | None:
    match state(manifest):
        case "failed":
            return Verdict("failed", "The run failed.", text(manifest, "error") or "It left no message.")
        case "interrupted":
            return Verdict("unfinished", "The run was interrupted and can be resumed.", text(manifest, "error") or "")
        case "running":
            return Verdict("unfinished", "The run is not finished.", "These are the figures so far.")
        case None:
            return Verdict("unfinished", "The run has not begun.")
    return None


def _by_judge(manifest: Mapping[str, Any]) -> Verdict | None:
    wins, chance = number(manifest, "judge", "win_rate", "value"), interval(manifest, "judge", "win_rate", "interval")
    if wins is None or chance is None:
        return None
    prompts = number(manifest, "judge", "prompts")
    over = f"{forms.whole(prompts)} held-out prompts" if prompts else "held-out prompts"
    detail = (
        f"A judge read both models' answers to {over}: the trained model's win rate is "
        f"{forms.percent(wins)} (95% interval {forms.percent_range(*chance)}; 50% is no difference)."
    )
    before, after = (number(manifest, "judge", side, "pass_rate") for side in ("before", "after"))
    if before is not None and after is not None:
        detail += f" It accepts {forms.percent(after)} of the trained model's answers; before, {forms.percent(before)}."
    if chance[0] > 0.5:
        return Verdict("better", "The trained model answers better than the model it started from.", detail)
    if chance[1] < 0.5:
        return Verdict("worse", "The trained model answers worse than the model it started from.", detail)
    return Verdict("unclear", "No clear difference between the model before and after.", detail)


def _by_held_out(manifest: Mapping[str, Any]) -> Verdict:
    if is_supervised(manifest):
        return _by_loss(manifest)
    accuracy, chance = number(manifest, "after", "eval_rewards/accuracies"), accuracy_interval(manifest)
    if accuracy is None or chance is None:
        return Verdict(
            "unclear",
            "The run is finished; nothing here says whether the model got better.",
            "No held-out pairs were measured. `tiebreak evaluate` with other data gives figures.",
        )
    pairs = number(manifest, "data", "held_out")
    detail = (
        f"On {forms.whole(pairs)} pairs that it was not trained on, training favoured the chosen answer in "
        f"{forms.percent(accuracy)} (95% interval {forms.percent_range(*chance)}; 50% is chance)."
    )
    before, after = (number(manifest, side, "eval_logps/accuracies") for side in ("before", "after"))
    if before is not None and after is not None:
        detail += f" The chosen answer is the likelier one in {forms.percent(after)}; before, {forms.percent(before)}."
    detail += " No judge read the model's own answers, so look at the samples too."
    if chance[0] > 0.5:
        return Verdict("better", "The model learned the preferences.", detail)
    if chance[1] < 0.5:
        return Verdict("worse", "The model learned the opposite of the preferences.", detail)
    return Verdict("unclear", "No clear sign that the model learned the preferences.", detail)


def _by_loss(manifest: Mapping[str, Any]) -> Verdict:
    before, after = number(manifest, "before", "eval_loss"), number(manifest, "after", "eval_loss")
    if before is None or after is None:
        return Verdict("unclear", "The run is finished; no held-out loss says whether the model got better.")
    detail = (
        f"On answers that it was not trained on, its loss went from {forms.decimal(before)} to {forms.decimal(after)} "
        "nats a token. No judge read the model's own answers, so look at the samples too."
    )
    if after < before:
        return Verdict("better", "The model came closer to the demonstrations.", detail)
    return Verdict("worse", "The model did not come closer to the demonstrations.", detail)
