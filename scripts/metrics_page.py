"""docs/metrics.md: the table of all metrics, written from the list in `tiebreak.metrics`.

Keeps what stands before the table. Run it as `python -m scripts.metrics_page` after a change of the list; a test says
when the page is behind.
"""

from __future__ import annotations

from pathlib import Path

from tiebreak.metrics import HELD_OUT, METRICS, Metric
from tiebreak.tasks import TASKS

PAGE = Path(__file__).parents[1] / "docs/metrics.md"
BEGIN = "<!-- the table below is written by `python -m scripts.metrics_page` -->"
_HEAD = "| metric | what it is | better | in the plot | on held-out data |\n|---|---|---|---|---|\n"


def table() -> str:
    """All metrics as a table in Markdown."""
    return _HEAD + "".join(f"| {' | '.join(_cells(metric))} |\n" for metric in METRICS)


def page(written: str) -> str:
    """The page with the table as it is now.

    Args:
        written: the page as it is; what stands before `BEGIN` is kept.
    """
    head, found, _ = written.partition(BEGIN)
    if not found:
        raise ValueError(f"{PAGE} has no line {BEGIN!r}")
    return f"{head}{BEGIN}\n\n{table()}"


def _cells(metric: Metric) -> list[str]:
    plot = metric.plot.title if metric.plot is not None else ""
    return [f"`{metric.name}`", metric.meaning, metric.better or "", plot, _held_out(metric)]


def _held_out(metric: Metric) -> str:
    measured = metric.held_out
    if measured is None:
        return ""
    examples = [task.examples for task in TASKS.values() if measured(task)]
    name = f"{HELD_OUT}{metric.of or metric.name}"
    return f"`{name}`, of " + ("all" if len(examples) == len(TASKS) else " and ".join(examples))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
