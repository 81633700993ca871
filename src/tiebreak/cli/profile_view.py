"""A profile on the terminal: a table of facts, bars of block characters, samples.

Knows the profile and rich; every text of the data is printed as it is, never as markup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tiebreak.tasks import TASKS

if TYPE_CHECKING:
    from tiebreak.data.profile.measure import Histogram, Profile, Sample

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STYLES = {"chosen": "green", "rejected": "red", "good": "green", "bad": "red", "completion": "green"}
_LONGEST_TEXT = 400


def profile_view(profile: Profile) -> RenderableType:
    """The whole view, for `console.print`."""
    task = TASKS[profile.task]
    parts: list[RenderableType] = [
        Text(profile.source, style="bold"),
        Text(f"form {profile.schema}: {profile.why}"),
        Text(),
        _facts(profile),
        Text(),
        _lengths(profile),
    ]
    if profile.unit == "characters":
        parts.append(Text("Lengths are in characters; name a model with --model to see tokens.", style="dim"))
    rows = _rows(profile)
    if rows:
        parts += [Text(), *rows]
    parts += [part for sample in profile.samples for part in (Text(), *_sample(sample, task.example))]
    return Group(*parts)


def _facts(profile: Profile) -> Table:
    task = TASKS[profile.task]
    table = Table.grid(padding=(0, 2))
    facts = [
        ("rows", f"{profile.rows:,}"),
        (task.examples, f"{profile.pairs:,}"),
        ("distinct prompts", f"{profile.prompts:,}"),
        ("exact duplicates", f"{profile.duplicates:,}"),
    ]
    if task.pairs:
        facts.append(("equal completions", f"{profile.equal_completions:,}"))
    facts += [(label, f"{count:,}") for label, count in (profile.labels or {}).items()]
    if task.compares:
        facts.append((f"contradicting {task.examples}", f"{profile.contradicting:,}"))
    if profile.longer_is_chosen is not None:
        facts.append(("longer completion is chosen", f"{profile.longer_is_chosen:.1%}"))
    if profile.over_max_length is not None:
        share = profile.over_max_length / max(1, profile.pairs)
        facts.append((f"over {profile.max_length:,} tokens", f"{profile.over_max_length:,} ({share:.1%})"))
    if profile.scored is not None and profile.scored < 1:
        facts.append(("completion tokens that are scored", f"{profile.scored:.1%}"))
    if profile.held_out:
        rows = f"{profile.held_out.pairs_with_common_prompt:,} {task.examples}"
        common = f"{profile.held_out.common_prompts:,} prompts, in {rows}"
        facts.append((f"also in {profile.held_out.source}", common))
    for name, value in facts:
        table.add_row(Text(name), Text(value, style="bold"))
    return table


def _lengths(profile: Profile) -> Table:
    unit = f"tokens of {profile.tokenizer}" if profile.tokenizer else profile.unit
    table = Table(title=f"Lengths in {unit}", title_justify="left", box=None, padding=(0, 1), title_style="")
    table.add_column("", no_wrap=True)
    for name in ("least", "quarter", "median", "three q.", "most", "mean"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for name, each in profile.lengths.items():
        five = (each.minimum, each.lower_quartile, each.median, each.upper_quartile, each.maximum)
        table.add_row(
            "prompt+longer" if name == "whole" else name,
            *(f"{value:,.0f}" for value in five),
            f"{each.mean:,.1f}",
            _bars(each.histogram),
        )
    return table


def _bars(histogram: Histogram) -> Text:
    most = max(1, *histogram.counts)
    # A bin that has anything in it shows at least the lowest block.
    marks = [_BLOCKS[0 if not count else max(1, round(count / most * 8))] for count in histogram.counts]
    return Text("".join(marks), style="cyan")


def _rows(profile: Profile) -> list[Text]:
    lines = [
        Text(f"{tally.count:,} {fate}: {remark}\n  {tally.named()}")
        for fate, tallies in (
            ("dropped", profile.dropped),
            ("not taken by the model", profile.refused),
            ("noted", profile.notes),
        )
        for remark, tally in tallies.items()
    ]
    if profile.unused:
        lines.append(Text("not used: " + ", ".join(f"{name} ({n:,} rows)" for name, n in profile.unused.items())))
    if profile.passed_over:
        lines.append(Text("files not read, of no split: " + ", ".join(profile.passed_over)))
    if profile.bad.count:
        first = "\n  ".join(profile.bad.examples[:5])
        lines.append(Text(f"{profile.bad.count:,} bad rows skipped:\n  {first}", style="yellow"))
    return lines


def _sample(sample: Sample, noun: str) -> list[Text]:
    name = f", {sample.id}" if sample.id else ""
    lines = [Text(f"{noun} {sample.row + 1:,}{name}", style="bold")]
    lines += [_turn(turn["role"], turn["content"], "dim") for turn in sample.prompt]
    return [*lines, *(_turn(role, text, _STYLES[role]) for role, text in sample.completions.items())]


def _turn(role: str, content: str, style: str) -> Text:
    text = content if len(content) <= _LONGEST_TEXT else content[:_LONGEST_TEXT] + " …"
    # Escape sequences in data must not reach the terminal.
    safe = "".join(char if char.isprintable() or char == "\n" else " " for char in text) or "(nothing)"
    return Text.assemble((f"{role:>10}  ", style), safe.replace("\n", "\n" + " " * 12))
