"""report.html: everything about a run in one file that needs no network and runs no script.

Gathers what the page shows; the form stands in `templates/`. Every text passes through `visible` and HTML escaping by
the template engine's own settings (`environment`). The only markup that is not escaped is the SVG that Tiebreak draws,
which holds numbers and fixed words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.formatting import numbers
from tiebreak.formatting.text import shortened
from tiebreak.report.drawing import draw_plots
from tiebreak.report.environment import environment, markup, template_file
from tiebreak.report.facts import data_facts, dropped, model_facts, run_facts
from tiebreak.report.steps import SHOWN
from tiebreak.report.table import result_rows
from tiebreak.report.usage import commands, python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.held_out import HeldOutPair, read_held_out
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.samples import Sample
from tiebreak.runs.steps import steps_table

_MOST_SAMPLES = 50
_MOST_TURNS = 12
_MOST_MOVED = 5
_MOST_STEPS = 4 * SHOWN
_MOST_REASONS = 40
_RECIPE_LIMIT = 20_000


@dataclass(frozen=True)
class Recorded:
    """All that a run left behind and that its page shows.

    Attributes:
        manifest: of the run; any part may be missing.
        metrics: the rows of metrics.jsonl.
        samples: prompts with the answers before and after.
        recipe: the recipe as YAML.
        folder: the run folder, as the user names it.
        has_model: whether there is a model that can be used.
        held_out: the held-out pairs, with what training did to each.
    """

    manifest: Manifest
    metrics: Sequence[Mapping[str, Any]]
    samples: Sequence[Sample]
    recipe: str
    folder: str
    has_model: bool
    held_out: Sequence[HeldOutPair] = ()


def write_report(run: RunFolder) -> Path:
    """Write a run's report.

    Args:
        run: a run, finished or not; any part but the folder may be missing.
    Returns:
        Where it was written.
    Raises:
        InputError: the manifest is damaged.
    """
    recorded = Recorded(
        manifest=run.load_manifest(),
        metrics=read_metrics(run.metrics_path),
        samples=run.samples(),
        recipe=_recipe_text(run),
        folder=str(run.path),
        has_model=(run.model / "config.json").is_file(),
        held_out=read_held_out(run.held_out_path),
    )
    write_text(run.report_path, render(recorded))
    return run.report_path


def render(recorded: Recorded) -> str:
    """The report as HTML."""
    manifest, samples, folder = recorded.manifest, recorded.samples, recorded.folder
    plots = [(plot, markup(plot.svg)) for plot in draw_plots(recorded.metrics)]
    steps = steps_table(recorded.metrics)
    return (
        environment()
        .get_template("page.html")
        .render(
            name=Path(folder).name or folder,
            model=(manifest.model.name if manifest.model else "") or "a model",
            data=(manifest.data.source if manifest.data else "") or None,
            status=manifest.state or "not begun",
            created=numbers.when(manifest.created),
            verdict=verdict(manifest),
            rows=result_rows(manifest),
            plots=plots,
            steps=steps,
            step_rows=steps.written(_MOST_STEPS),
            samples=samples[:_MOST_SAMPLES],
            samples_left=max(0, len(samples) - _MOST_SAMPLES),
            most_turns=_MOST_TURNS,
            moved=moved_most(recorded.held_out),
            data_facts=data_facts(manifest),
            dropped=dropped(manifest)[:_MOST_REASONS],
            model_facts=model_facts(manifest),
            run_facts=run_facts(manifest),
            recipe=shortened(recorded.recipe, _RECIPE_LIMIT),
            commands=commands(manifest, folder, has_model=recorded.has_model),
            snippet=python_snippet(manifest, f"{folder}/model") if recorded.has_model else "",
            css=template_file("page.css"),
        )
    )


def moved_most(pairs: Sequence[HeldOutPair]) -> list[tuple[str, list[HeldOutPair]]]:
    """The held-out pairs that are worth a look, by what happened to them; groups without a pair are not there."""
    by_gain = sorted(pairs, key=lambda pair: pair.gain)
    groups = [
        ("Gained most", [pair for pair in by_gain[::-1] if pair.gain > 0]),
        ("Lost most", [pair for pair in by_gain if pair.gain < 0]),
        ("The chosen answer became the likelier one", [pair for pair in by_gain[::-1] if pair.flipped == "to chosen"]),
        ("The rejected answer became the likelier one", [pair for pair in by_gain if pair.flipped == "to rejected"]),
    ]
    return [(title, found[:_MOST_MOVED]) for title, found in groups if found]


def _recipe_text(run: RunFolder) -> str:
    """The file as it is, so that a recipe of another version of Tiebreak is shown too."""
    try:
        return run.recipe_path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"The recipe cannot be read: {error}.", where=str(run.recipe_path)) from None
