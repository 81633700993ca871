"""A run as a notebook shows it: what it was, before and after as a table, and its curves, in one piece of HTML.

It is read on light and dark pages: text has the colour of the page around it, curves have colours that show on both.
Every text is escaped; the only markup that is not is the SVG that Tiebreak draws, which holds numbers and fixed words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tiebreak.formatting import numbers
from tiebreak.formatting.text import one_line, visible
from tiebreak.report.drawing import DrawnPlot, draw_plots
from tiebreak.report.steps import SHOWN
from tiebreak.report.table import result_rows
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.steps import steps_table

_LONGEST = 200
_LINE = "border-bottom:1px solid rgba(128,128,128,.35)"
_CELL = f"padding:3px 12px 3px 0;{_LINE};text-align:"
_OUTER = (
    "color:inherit;background:transparent;font-family:system-ui,sans-serif;font-size:14px;--curve-text:currentColor"
)
_CURVES = "display:flex;flex-wrap:wrap;gap:16px;margin:12px 0"
_FIGURE = "margin:0;flex:1 1 320px;max-width:460px"


def run_html(manifest: Manifest, rows: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """A run as HTML for a notebook.

    Args:
        manifest: of the run, finished or not.
        rows: the rows of metrics.jsonl.
        name: what the run is called.
    """
    parts = [f"<p style='margin:0 0 8px'><b>{_text(name)}</b> {_text(_about(manifest))}</p>"]
    if manifest.error:
        parts.append(f"<p style='margin:0 0 8px'>{_text(manifest.error)}</p>")
    found = result_rows(manifest)
    if found:
        parts.append(_table(("", "before", "after"), ((row.label, row.before, row.after) for row in found)))
    drawn = "".join(_figure(plot) for plot in draw_plots(rows) if plot.svg)
    if drawn:
        parts.append(f"<div style='{_CURVES}'>{drawn}</div>")
    steps = steps_table(rows)
    if steps.rows:
        title = "<summary style='cursor:pointer'>The steps</summary>"
        table = _table(steps.headings, steps.written(SHOWN))
        parts.append(f"<details>{title}<div style='overflow-x:auto'>{table}</div></details>")
    return f"<div class='tiebreak-run' style='{_OUTER}'>{''.join(parts)}</div>"


def table_html(rows: Iterable[tuple[str, str]]) -> str:
    """Labels and values as HTML for a notebook.

    Args:
        rows: a label and its value each.
    """
    return f"<div class='tiebreak-table' style='{_OUTER}'>{_table(('', ''), rows)}</div>"


def failed_html(message: str) -> str:
    """What is wrong with a run that cannot be shown.

    Args:
        message: of the error.
    """
    return f"<pre style='{_OUTER}'>{_text(message)}</pre>"


def _about(manifest: Manifest) -> str:
    """The run in one line: status, model, data, steps, time."""
    said: list[str] = [manifest.state or "not begun"]
    if manifest.model is not None:
        said.append(str(manifest.model.name))
    if manifest.data is not None:
        said.append(str(manifest.data.source))
    if manifest.length is not None:
        said.append(f"{numbers.whole(manifest.length.steps)} steps")
    if "train" in manifest.timings:
        said.append(numbers.duration(manifest.timings["train"]))
    return " · ".join(said)


def _table(headings: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(_cell("th", text, number) for number, text in enumerate(headings))
    body = "".join(f"<tr>{''.join(_cell('td', text, number) for number, text in enumerate(row))}</tr>" for row in rows)
    headed = f"<thead><tr>{head}</tr></thead>" if head.strip() else ""
    return f"<table style='border-collapse:collapse;color:inherit'>{headed}<tbody>{body}</tbody></table>"


def _cell(kind: str, text: str, number: int) -> str:
    return f"<{kind} style='{_CELL}{'right' if number else 'left'};white-space:nowrap'>{_text(text)}</{kind}>"


def _figure(plot: DrawnPlot) -> str:
    caption = f"<figcaption style='font-size:12px;opacity:.8'>{_text(plot.caption)}</figcaption>"
    return f"<figure style='{_FIGURE}'><b>{_text(plot.title)}</b>{plot.svg}{caption}</figure>"


def _text(text: str) -> str:
    return escape(visible(one_line(text, _LONGEST)))
