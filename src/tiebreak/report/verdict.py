"""One sentence on how a run went, with the metrics behind it, and what they do not say.

Says "better" only where an interval lies clear of chance; what cannot be told from the metrics is said to be unclear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tiebreak.formatting import numbers
from tiebreak.metrics import ACCURACY, LIKELIER, LOSS, MARGIN
from tiebreak.report.table import accuracy_interval
from tiebreak.runs.manifest import Manifest
from tiebreak.tasks import TASKS, Task

Tone = Literal["better", "worse", "unclear", "unfinished", "failed"]


@dataclass(frozen=True)
class Verdict:
    """How the run went.

    Attributes:
        tone: for colours and exit decisions.
        headline: one sentence.
        detail: the metrics behind it, and what they do not say.
    """

    tone: Tone
    headline: str
    detail: str = ""


def verdict(manifest: Manifest) -> Verdict:
    """Judge a run by what its manifest records; any part may be missing."""
    return _unfinished(manifest) or _by_judge(manifest) or _by_held_out(manifest)


def _unfinished(manifest: Manifest) -> Verdict | None:
    match manifest.state:
        case "failed":
            return Verdict("failed", "The run failed.", manifest.error or "It left no message.")
        case "interrupted":
            return Verdict("unfinished", "The run was interrupted and can be resumed.", manifest.error or "")
        case "running":
            return Verdict("unfinished", "The run is not finished.", "These are the figures so far.")
        case None:
            return Verdict("unfinished", "The run has not begun.")
    return None


def _by_judge(manifest: Manifest) -> Verdict | None:
    judge = manifest.judge
    if judge is None or judge.win_rate is None:
        return None
    wins, chance = judge.win_rate.value, judge.win_rate.interval
    over = f"{numbers.whole(judge.prompts)} held-out prompts" if judge.prompts else "held-out prompts"
    detail = (
        f"A judge read both models' answers to {over}: the trained model's win rate is "
        f"{numbers.percent(wins)} (95% interval {numbers.percent_range(*chance)}; 50% is no difference)."
    )
    if judge.before is not None and judge.after is not None:
        before, after = numbers.percent(judge.before.pass_rate), numbers.percent(judge.after.pass_rate)
        detail += f" It accepts {after} of the trained model's answers; before, {before}."
    if chance[0] > 0.5:
        return Verdict("better", "The trained model answers better than the model it started from.", detail)
    if chance[1] < 0.5:
        return Verdict("worse", "The trained model answers worse than the model it started from.", detail)
    return Verdict("unclear", "No clear difference between the model before and after.", detail)


def _by_held_out(manifest: Manifest) -> Verdict:
    task = TASKS[manifest.task]
    if not task.compares:
        return _by_loss(manifest)
    if not task.pairs:
        return _by_margin(manifest)
    accuracy, chance = manifest.final(ACCURACY.recorded), accuracy_interval(manifest)
    if accuracy is None or chance is None or manifest.data is None:
        return _nothing_measured(task)
    count = numbers.whole(manifest.data.held_out)
    detail = (
        f"On {count} {task.examples} that it was not trained on, training favoured the chosen answer in "
        f"{numbers.percent(accuracy)} (95% interval {numbers.percent_range(*chance)}; 50% is chance)."
    )
    before, after = manifest.final(LIKELIER.recorded, "before"), manifest.final(LIKELIER.recorded)
    if before is not None and after is not None:
        detail += (
            f" The chosen answer is the likelier one in {numbers.percent(after)}; before, {numbers.percent(before)}."
        )
    detail += " No judge read the model's own answers, so look at the samples too."
    if chance[0] > 0.5:
        return Verdict("better", f"The model learned {task.words.lesson}.", detail)
    if chance[1] < 0.5:
        return Verdict("worse", f"The model learned the opposite of {task.words.lesson}.", detail)
    return Verdict("unclear", f"No clear sign that the model learned {task.words.lesson}.", detail)


def _nothing_measured(task: Task) -> Verdict:
    return Verdict(
        "unclear",
        "The run is finished; nothing here says whether the model got better.",
        f"No held-out {task.examples} were measured. `tiebreak evaluate` with other data gives figures.",
    )


def _by_margin(manifest: Manifest) -> Verdict:
    """Of completions that are good or bad by themselves there is no share, so no interval and no clear word."""
    task, margin = TASKS[manifest.task], manifest.final(MARGIN.recorded)
    if margin is None or manifest.data is None:
        return _nothing_measured(task)
    side = "above" if margin > 0 else "below" if margin < 0 else "the same as"
    far = "" if not margin else f"{numbers.hundredths(abs(margin))} "
    return Verdict(
        "unclear",
        f"No clear sign that the model learned {task.words.lesson}.",
        f"On {numbers.whole(manifest.data.held_out)} {task.examples} that it was not trained on, the mean reward of "
        f"good ones is {far}{side} that of bad ones; how sure that is cannot be said. "
        "No judge read the model's own answers, so look at the samples too.",
    )


def _by_loss(manifest: Manifest) -> Verdict:
    lesson = TASKS[manifest.task].words.lesson
    before, after = manifest.final(LOSS.recorded, "before"), manifest.final(LOSS.recorded)
    if before is None or after is None:
        return Verdict("unclear", "The run is finished; no held-out loss says whether the model got better.")
    detail = (
        f"On answers that it was not trained on, its loss went from {numbers.decimal(before)} to "
        f"{numbers.decimal(after)} nats a token. No judge read the model's own answers, so look at the samples too."
    )
    if after < before:
        return Verdict("better", f"The model came closer to {lesson}.", detail)
    return Verdict("worse", f"The model did not come closer to {lesson}.", detail)
