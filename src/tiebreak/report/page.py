"""report.html: everything about a run in one file that needs no network and runs no script.

Gathers what the page shows; the form stands in `templates/`. Every text passes through `visible` and HTML escaping by
the template engine's own settings, so that no line of the template can forget it. The only markup that is not
escaped is the SVG that Tiebreak draws, which holds numbers and fixed words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.report import forms
from tiebreak.report.curves import Figure, figures
from tiebreak.report.facts import data_facts, left_out, model_facts, run_facts
from tiebreak.report.samples import Sample, read_samples
from tiebreak.report.table import result_rows
from tiebreak.report.text import one_line, shortened, visible
from tiebreak.report.usage import commands, python_snippet
from tiebreak.report.verdict import verdict
from tiebreak.runs.entries import state, text, with_kind
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics import read_metrics

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_SAMPLES = 50
_MOST_TURNS = 12
_MOST_REASONS = 40
_ANSWER_LIMIT = 6000
_RECIPE_LIMIT = 20_000


def write_report(run: RunFolder) -> Path:
    """Write a run's report.

    Args:
        run: a run, finished or not; any part but the folder may be missing.
    Returns:
        Where it was written.
    Raises:
        InputError: the manifest is damaged.
    """
    page = render(
        manifest=_manifest(run),
        metrics=read_metrics(run.metrics_path),
        samples=read_samples(run.samples_path),
        recipe=_recipe_text(run),
        folder=str(run.path),
        has_model=(run.model / "config.json").is_file(),
    )
    write_text(run.report_path, page)
    return run.report_path


def render(
    *,
    manifest: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    samples: Sequence[Sample],
    recipe: str,
    folder: str,
    has_model: bool,
) -> str:
    """The report as HTML.

    Args:
        manifest: of the run.
        metrics: the rows of metrics.jsonl.
        samples: prompts with the answers before and after.
        recipe: the recipe as YAML.
        folder: the run folder, as the user names it.
        has_model: whether the run has a model that can be used.
    """
    model, data = text(manifest, "model", "name") or "a model", text(manifest, "data", "source")
    return (
        _environment()
        .get_template("page.html")
        .render(
            name=Path(folder).name or folder,
            model=model,
            data=data,
            status=state(manifest) or "not begun",
            created=forms.when(text(manifest, "created")),
            verdict=verdict(manifest),
            rows=result_rows(manifest),
            figures=[(figure, _markup(figure)) for figure in figures(metrics)],
            samples=samples[:_MOST_SAMPLES],
            samples_left=max(0, len(samples) - _MOST_SAMPLES),
            most_turns=_MOST_TURNS,
            data_facts=data_facts(manifest),
            left_out=left_out(manifest)[:_MOST_REASONS],
            model_facts=model_facts(manifest),
            run_facts=run_facts(manifest),
            recipe=shortened(recipe, _RECIPE_LIMIT),
            commands=commands(manifest, folder, has_model=has_model),
            snippet=python_snippet(manifest, f"{folder}/model") if has_model else "",
            css=_css(),
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def harmless(value: object) -> object:
        return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = one_line
    environment.filters["answer"] = lambda value: shortened(value, _ANSWER_LIMIT)
    return environment


def _markup(figure: Figure) -> str:
    from markupsafe import Markup

    return Markup(figure.svg)


def _css() -> str:
    from markupsafe import Markup

    return Markup((_TEMPLATES / "page.css").read_text(encoding="utf-8"))


def _manifest(run: RunFolder) -> dict[str, Any]:
    try:
        return with_kind(run.manifest(), run.recipe().objective.name)
    except InputError:  # a recipe of another version; a damaged manifest is told by the next line
        return run.manifest()


def _recipe_text(run: RunFolder) -> str:
    """The file as it is, so that a recipe of another version of Tiebreak is shown too."""
    try:
        return run.recipe_path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"The recipe cannot be read: {error}.", where=str(run.recipe_path)) from None
