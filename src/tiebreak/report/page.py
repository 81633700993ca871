"""report.html: everything about a run in one file that needs no network and runs no script but its own.

Gathers what the page shows; the form stands in `templates/`. Every text passes through `visible` and HTML escaping by
the template engine's own settings, so that no line of the template can forget it. The only markup that is not
escaped is the SVG that Tiebreak draws, which holds numbers and fixed words, and the page's style and script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.doctor.examine import run_findings
from tiebreak.doctor.finding import Finding
from tiebreak.errors import InputError
from tiebreak.formatting import numbers
from tiebreak.formatting.text import shortened
from tiebreak.recipe import Recipe, read_recipe
from tiebreak.report.answers import answers_shown, within_page
from tiebreak.report.breakdown import breakdown_rows
from tiebreak.report.changed import changed_notes, changed_rows
from tiebreak.report.drawing import DrawnPlot, draw_plots
from tiebreak.report.environment import ANSWER_LIMIT, environment, markup, template_file
from tiebreak.report.facts import data_facts, dropped, model_facts, run_facts
from tiebreak.report.histogram import draw_histograms
from tiebreak.report.page_file import write_page
from tiebreak.report.pairs import moved_most
from tiebreak.report.script import policy, script
from tiebreak.report.shares import shares_of
from tiebreak.report.steps import SHOWN
from tiebreak.report.summary import what_ran
from tiebreak.report.table import result_rows
from tiebreak.report.usage import again, commands, python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.held_out import HeldOutPair, read_held_out
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.samples import Sample
from tiebreak.runs.steps import steps_table

_MOST_SAMPLES = 50
_MOST_TURNS = 12
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
        findings: what is wrong with the run or worth knowing, the most severe first.
    """

    manifest: Manifest
    metrics: Sequence[Mapping[str, Any]]
    samples: Sequence[Sample]
    recipe: str
    folder: str
    has_model: bool
    held_out: Sequence[HeldOutPair] = ()
    findings: Sequence[Finding] = ()


def write_report(run: RunFolder, to: Path | None = None) -> Path:
    """Write a run's report.

    Args:
        run: a run, finished or not; any part but the folder may be missing.
        to: the HTML file; None is the run's own.
    Returns:
        Where it was written.
    Raises:
        InputError: the manifest is damaged.
        RunError: the disk does not take it.
    """
    manifest, recipe = run.load_manifest(), _recipe_text(run)
    recorded = Recorded(
        manifest=manifest,
        metrics=read_metrics(run.metrics_path),
        samples=run.samples(),
        recipe=recipe,
        folder=str(run.path),
        has_model=(run.model / "config.json").is_file(),
        held_out=read_held_out(run.held_out_path),
        findings=run_findings(run, manifest, _readable(recipe)),
    )
    path = run.report_path if to is None else to
    write_page(path, render(recorded))
    return path


def render(recorded: Recorded) -> str:
    """The report as HTML."""
    manifest, folder = recorded.manifest, recorded.folder
    best = manifest.best.step if manifest.best is not None else None
    steps = steps_table(recorded.metrics)
    answers, orders = answers_shown(within_page(recorded.samples[:_MOST_SAMPLES], longest=ANSWER_LIMIT))
    return rendered_page(
        "page.html",
        name=Path(folder).name or folder,
        model=(manifest.model.name if manifest.model else "") or "a model",
        data=(manifest.data.source if manifest.data else "") or None,
        status=manifest.state or "not begun",
        created=numbers.when(manifest.created),
        verdict=verdict(manifest),
        findings=recorded.findings,
        ran=what_ran(manifest, _readable(recorded.recipe)),
        rows=result_rows(manifest),
        shares=[(share, markup(share.svg)) for share in shares_of(manifest)],
        plots=with_markup(draw_plots(recorded.metrics, best=best)),
        behind=breakdown_rows(manifest.breakdown),
        changed=changed_rows(manifest),
        changed_notes=list(changed_notes(manifest)),
        histograms=with_markup(draw_histograms(recorded.held_out)),
        steps=steps,
        step_rows=steps.written(_MOST_STEPS),
        answers=answers,
        orders=orders,
        samples_left=max(0, len(recorded.samples) - _MOST_SAMPLES),
        most_turns=_MOST_TURNS,
        moved=moved_most(recorded.held_out),
        data_facts=data_facts(manifest),
        dropped=dropped(manifest)[:_MOST_REASONS],
        model_facts=model_facts(manifest),
        run_facts=run_facts(manifest),
        recipe=shortened(recorded.recipe, _RECIPE_LIMIT),
        again=again(manifest, folder),
        commands=commands(manifest, folder, has_model=recorded.has_model),
        snippet=python_snippet(manifest, f"{folder}/model") if recorded.has_model else "",
    )


def rendered_page(template: str, **values: Any) -> str:
    """A page from one of the templates that extend `frame.html`, with the style, the script and its policy.

    Args:
        template: its name in `templates/`.
        values: what it shows.
    """
    text = script()
    frame = {"css": template_file("page.css"), "script": markup(text), "policy": policy(text)}
    return environment().get_template(template).render(**frame, **values)


def with_markup(plots: Sequence[DrawnPlot]) -> list[tuple[DrawnPlot, str]]:
    """Drawn plots, each with its SVG as a template writes it."""
    return [(plot, markup(plot.svg)) for plot in plots]


def _recipe_text(run: RunFolder) -> str:
    """The file as it is, so that a recipe of another version of Tiebreak is shown too."""
    try:
        return run.recipe_path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"The recipe cannot be read: {error}.", where=str(run.recipe_path)) from None


def _readable(recipe: str) -> Recipe | None:
    """The recipe; None where another version of Tiebreak wrote it in a form that this one does not know."""
    try:
        return read_recipe(recipe, where="recipe.yaml")
    except InputError:
        return None
