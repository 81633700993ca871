"""A profile as one HTML page that needs nothing but itself: no network, no script, bars drawn as SVG.

Knows the profile and HTML; every text of the data is escaped. Light or dark as the reader's system is.
"""

from __future__ import annotations

from html import escape

from tiebreak.data.profile.measure import Histogram, Profile, Sample
from tiebreak.tasks import TASKS

_STYLE = """
:root { --ink: #1c2024; --soft: #60646c; --paper: #ffffff; --card: #f6f7f9; --line: #e0e3e8; --bar: #3b6fd4;
  --good: #218358; --bad: #c33d3d; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a5abb5; --paper: #15171b; --card: #1e2126;
  --line: #33383f; --bar: #7ba5f5; --good: #5bc798; --bad: #f08a8a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: .95rem; margin: 0 0 .25rem; } p { margin: .25rem 0; } .soft { color: var(--soft); }
.facts, .charts { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.fact, .chart, .sample { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .75rem; }
.fact b { display: block; font-size: 1.35rem; } .chart svg { display: block; width: 100%; height: auto; }
.chart rect { fill: var(--bar); } .chart text { fill: var(--soft); font-size: 11px; }
.sample { margin-bottom: 1rem; } .turn { white-space: pre-wrap; margin: .25rem 0 .75rem; }
.role { color: var(--soft); font-size: .8rem; } .chosen .role, .good .role { color: var(--good); }
.rejected .role, .bad .role { color: var(--bad); }
.completions { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.scroll { overflow-x: auto; margin-bottom: 1rem; }
table { border-collapse: collapse; width: 100%; white-space: nowrap; }
td, th { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); font-weight: normal; }
td:first-child, th:first-child { text-align: left; } th { color: var(--soft); }
ul { padding-left: 1.2rem; margin: .25rem 0; }
"""
_NAMES = {
    "prompt": "Prompt",
    "chosen": "Chosen completion",
    "rejected": "Rejected completion",
    "good": "Good completion",
    "bad": "Bad completion",
    "completion": "Completion",
    "whole": "Prompt and longer completion",
}


def profile_page(profile: Profile) -> str:
    """The page, complete from doctype to end."""
    task = TASKS[profile.task]
    title = f"{task.examples.capitalize()}: {profile.source}"
    parts = [
        f"<h1>{escape(profile.source)}</h1>",
        f'<p class="soft">Form <b>{escape(profile.schema)}</b>: {escape(profile.why)}.</p>',
        _facts(profile),
        _rows(profile),
        _lengths(profile),
        "<h2>Samples</h2>",
        *(_sample(sample, task.example) for sample in profile.samples),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _facts(profile: Profile) -> str:
    task = TASKS[profile.task]
    facts = [
        ("rows", f"{profile.rows:,}"),
        (task.examples, f"{profile.pairs:,}"),
        ("prompts", f"{profile.prompts:,}"),
        ("exact duplicates", f"{profile.duplicates:,}"),
    ]
    if task.pairs:
        facts.append(("equal completions", f"{profile.equal_completions:,}"))
    facts += [(label, f"{count:,}") for label, count in (profile.labels or {}).items()]
    if task.compares:
        facts.append((f"contradicting {task.examples}", f"{profile.contradicting:,}"))
    if profile.longer_is_chosen is not None:
        facts.append(("the longer completion is chosen", f"{profile.longer_is_chosen:.1%}"))
    if profile.over_max_length is not None:
        share = profile.over_max_length / max(1, profile.pairs)
        facts.append(
            (
                f"{task.examples} over {profile.max_length:,} tokens",
                f"{profile.over_max_length:,} ({share:.1%})",
            )
        )
    if profile.scored is not None and profile.scored < 1:
        facts.append(("completion tokens that are scored", f"{profile.scored:.1%}"))
    if profile.held_out:
        facts.append((f"prompts also in {profile.held_out.source}", f"{profile.held_out.common_prompts:,}"))
    cards = "".join(f'<div class="fact"><b>{escape(value)}</b>{escape(name)}</div>' for name, value in facts)
    return f'<h2>At a glance</h2><div class="facts">{cards}</div>'


def _rows(profile: Profile) -> str:
    lines = [
        f"{tally.count:,} {fate}: {remark} ({tally.named()})"
        for fate, tallies in (
            ("dropped", profile.dropped),
            ("not taken by the model", profile.refused),
            ("noted", profile.notes),
        )
        for remark, tally in tallies.items()
    ]
    if profile.unused:
        lines.append("not used: " + ", ".join(f"{name} ({n:,} rows)" for name, n in profile.unused.items()))
    if profile.passed_over:
        lines.append("files not read, of no split: " + ", ".join(profile.passed_over))
    if profile.bad.count:
        lines.append(f"{profile.bad.count:,} bad rows were skipped; the first: {profile.bad.examples[0]}")
    if not lines:
        return ""
    return "<h2>Rows to know of</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _lengths(profile: Profile) -> str:
    of = f"tokens of {profile.tokenizer}" if profile.tokenizer else profile.unit
    hint = "" if profile.unit == "tokens" else " Name a model with --model to see tokens."
    rows = "".join(
        f"<tr><td>{_NAMES[name]}</td>"
        + "".join(
            f"<td>{value:,.0f}</td>"
            for value in (each.minimum, each.lower_quartile, each.median, each.upper_quartile, each.maximum)
        )
        + f"<td>{each.mean:,.1f}</td></tr>"
        for name, each in profile.lengths.items()
    )
    charts = "".join(
        f'<div class="chart"><h3>{_NAMES[name]}</h3>{_bars(each.histogram, f"{_NAMES[name]}, {of}")}</div>'
        for name, each in profile.lengths.items()
    )
    return (
        f'<h2>Lengths</h2><p class="soft">In {escape(of)}.{hint}</p><div class="scroll"><table><tr><th></th>'
        "<th>least</th><th>quarter</th><th>median</th><th>three quarters</th><th>most</th><th>mean</th></tr>"
        f"{rows}</table></div>"
        f'<div class="charts">{charts}</div>'
    )


def _bars(histogram: Histogram, label: str) -> str:
    width, height, foot = 320, 110, 16
    step = width / len(histogram.counts)
    most = max(1, *histogram.counts)
    last = f"{histogram.edges[-1]:,}{' and more' if histogram.open_ended else ''}"
    bars = []
    for index, count in enumerate(histogram.counts):
        tall = (height - foot) * count / most
        top = height - foot - tall
        is_open = histogram.open_ended and index == len(histogram.counts) - 1
        end = "and more" if is_open else f"to {histogram.edges[index + 1] - 1}"
        bars.append(
            f'<rect x="{index * step + 0.5:.1f}" y="{top:.1f}" width="{step - 1:.1f}" height="{tall:.1f}">'
            f"<title>{histogram.edges[index]} {end}: {count:,}</title></rect>"
        )
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">{"".join(bars)}'
        f'<text x="0" y="{height - 3}">{histogram.edges[0]:,}</text>'
        f'<text x="{width}" y="{height - 3}" text-anchor="end">{last}</text></svg>'
    )


def _sample(sample: Sample, noun: str) -> str:
    turns = "".join(_turn(turn["role"], turn["content"]) for turn in sample.prompt)
    name = f", {escape(sample.id)}" if sample.id else ""
    completions = "".join(f'<div class="{role}">{_turn(role, text)}</div>' for role, text in sample.completions.items())
    return (
        f'<div class="sample"><h3>{noun.capitalize()} {sample.row + 1:,}{name}</h3>{turns}'
        f'<div class="completions">{completions}</div></div>'
    )


def _turn(role: str, content: str) -> str:
    said = escape(content) if content else "<i>(nothing)</i>"
    return f'<div class="role">{escape(role)}</div><div class="turn">{said}</div>'
