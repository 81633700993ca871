"""Before and after in plain words: the rows that the page, the model card and the terminal show.

Knows what the figures of a manifest mean and which way is better; a figure that is not there is a dash.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.report import forms
from tiebreak.runs.entries import interval, is_supervised, number, text

if TYPE_CHECKING:
    from rich.table import Table

Better = Literal["higher", "lower"]
Change = Literal["better", "worse"]


@dataclass(frozen=True)
class Row:
    """One figure before and after training.

    Attributes:
        label: what it is, in plain words.
        before, after: the figures as text, a dash where there is none.
        better: which way is better, or None.
        change: whether it went the better way; None where that cannot be said.
        hint: how to read it, one sentence.
    """

    label: str
    before: str
    after: str
    better: Better | None
    change: Change | None = None
    hint: str = ""


def result_rows(manifest: Mapping[str, Any]) -> list[Row]:
    """What training changed.

    Args:
        manifest: a run's manifest; any part may be missing.
    Returns:
        A row for each figure that was measured before or after.
    """
    if is_supervised(manifest):
        rows = _supervised_rows(manifest)
    else:
        rows = _labelled_rows(manifest) if text(manifest, "kind") == "labelled" else _preference_rows(manifest)
    rows += _judge_rows(manifest)
    return [row for row in rows if (row.before, row.after) != (forms.DASH, forms.DASH)]


def rich_table(manifest: Mapping[str, Any]) -> Table:
    """The same rows for the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    styles = {"better": "green", "worse": "red", None: ""}
    for row in result_rows(manifest):
        table.add_row(Text(row.label), Text(row.before), Text(row.after, style=styles[row.change]))
    return table


def accuracy_interval(manifest: Mapping[str, Any]) -> tuple[float, float] | None:
    """The 95% interval of the held-out accuracy after training, where the number of pairs is known."""
    share, pairs = number(manifest, "after", "eval_rewards/accuracies"), number(manifest, "data", "held_out")
    if share is None or not pairs or not 0 <= share <= 1:
        return None
    return forms.wilson(share, int(pairs))


def _preference_rows(manifest: Mapping[str, Any]) -> list[Row]:
    accuracy, chance = number(manifest, "after", "eval_rewards/accuracies"), accuracy_interval(manifest)
    # Against itself a model has margins of exactly 0, so an accuracy there would be a figure without a meaning; an
    # objective without a reference has one.
    first = number(manifest, "before", "eval_rewards/accuracies")
    if not number(manifest, "before", "eval_rewards/margins"):
        first = None
    return [
        Row(
            "held-out accuracy",
            forms.DASH if first is None else forms.percent(first),
            forms.with_interval(accuracy, chance),
            "higher",
            _from_chance(accuracy, chance),
            "share of unseen pairs whose chosen answer has the higher reward; 50% is chance",
        ),
        _row(
            manifest,
            "held-out margin",
            "eval_rewards/margins",
            forms.signed,
            "higher",
            "how far the chosen answer's reward is above the rejected one's",
        ),
        _row(
            manifest, "held-out loss", "eval_loss", forms.decimal, "lower", "what training minimizes, on unseen pairs"
        ),
        _row(
            manifest,
            "chosen answer is the likelier one",
            "eval_logps/accuracies",
            forms.percent,
            "higher",
            "share of unseen pairs in which the model gives the chosen answer more probability than the rejected one",
        ),
    ]


def _labelled_rows(manifest: Mapping[str, Any]) -> list[Row]:
    return [
        _row(
            manifest, "held-out loss", "eval_loss", forms.decimal, "lower", "what training minimizes, on unseen answers"
        ),
        _row(
            manifest,
            "held-out margin",
            "eval_rewards/margins",
            forms.signed,
            "higher",
            "how far the mean reward of good unseen answers is above that of bad ones",
        ),
        _row(
            manifest,
            "reward of good answers",
            "eval_rewards/chosen",
            forms.signed,
            "higher",
            "how much likelier than before the model finds unseen answers that people liked",
        ),
        _row(
            manifest,
            "reward of bad answers",
            "eval_rewards/rejected",
            forms.signed,
            "lower",
            "how much likelier than before the model finds unseen answers that people did not like",
        ),
    ]


def _supervised_rows(manifest: Mapping[str, Any]) -> list[Row]:
    def perplexity(loss: float | None) -> str:
        return forms.DASH if loss is None else forms.plain(math.exp(loss) if loss < 700 else math.inf)

    return [
        _row(
            manifest,
            "held-out loss",
            "eval_loss",
            forms.decimal,
            "lower",
            "what training minimizes, on unseen answers, in nats a token",
        ),
        _row(
            manifest,
            "held-out perplexity",
            "eval_loss",
            perplexity,
            "lower",
            "among how many equally likely tokens the model would be choosing",
        ),
    ]


def _judge_rows(manifest: Mapping[str, Any]) -> list[Row]:
    before, after = (number(manifest, "judge", side, "pass_rate") for side in ("before", "after"))
    wins = number(manifest, "judge", "win_rate", "value")
    chance = interval(manifest, "judge", "win_rate", "interval")
    return [
        Row(
            "judge's pass rate",
            forms.with_interval(before, interval(manifest, "judge", "before", "interval")),
            forms.with_interval(after, interval(manifest, "judge", "after", "interval")),
            "higher",
            _change(before, after, "higher"),
            "share of the model's own answers that the judge accepts, with 95% interval",
        ),
        Row(
            "win rate against the model before",
            forms.DASH,
            forms.with_interval(wins, chance),
            "higher",
            _from_chance(wins, chance),
            "how often the judge prefers the trained model's answer; equal verdicts count half, 50% is no difference",
        ),
    ]


def _row(
    manifest: Mapping[str, Any],
    label: str,
    metric: str,
    form: Callable[[float | None], str],
    better: Better,
    hint: str,
) -> Row:
    before, after = number(manifest, "before", metric), number(manifest, "after", metric)
    return Row(label, form(before), form(after), better, _change(before, after, better), hint)


def _from_chance(share: float | None, chance: tuple[float, float] | None) -> Change | None:
    """A share against one half: said only where the interval lies clear of it."""
    if chance is None or chance[0] <= 0.5 <= chance[1]:
        return None
    return _change(0.5, share, "higher")


def _change(before: float | None, after: float | None, better: Better) -> Change | None:
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)) or before == after:
        return None
    return "better" if (after > before) == (better == "higher") else "worse"
