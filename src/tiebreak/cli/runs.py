"""`tiebreak runs list|show|compare`: what ran here, how it went, and what made the difference.

Parses, calls and prints. Whatever was read from a run is printed as text, never as markup.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tiebreak.doctor.finding import Finding
    from tiebreak.runs.compare import Comparison, Summary
    from tiebreak.runs.folder import RunFolder
    from tiebreak.runs.manifest import Manifest

app = typer.Typer(
    help="List runs, show one, compare several.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_MOST_BESIDE = 8  # runs that a terminal shows well beside each other
_WIDE = 160  # columns where stdout is no terminal: a file or a pipe has room

AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the runs under runs/, newest first.

    Example: tiebreak runs list --json
    """
    from tiebreak.runs.compare import summarize
    from tiebreak.runs.folder import RUNS, list_runs

    found = [summarize(run) for run in list_runs()]
    if as_json:
        _print_json([_plain(summary) for summary in found])
    elif found:
        _console().print(_list_table(found))
    else:
        typer.echo(f"There are no runs under '{RUNS}' yet; `tiebreak quickstart` makes one.", err=True)


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, or the name of one under runs/.")],
    table: Annotated[
        bool, typer.Option("--table", help="Show only the table of its steps: losses, rewards, log-probs, logits.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the report there: report.html. With --table, that table: steps.csv, steps.xlsx or steps.md.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a run went: its verdict, its metrics, how it ran.

    Example: tiebreak runs show base-preferences-1 --table --out steps.csv
    """
    from tiebreak.runs.compare import summarize
    from tiebreak.runs.folder import find_run

    found = find_run(run)
    if out is not None and not table:
        _write_report(found, out, force=force)
    if table:
        _show_steps(found, out, force=force, as_json=as_json)
    elif as_json:
        recipe = found.recipe().model_dump(by_alias=True, mode="json")
        _print_json({**_plain(summarize(found)), "recipe": recipe, "manifest": found.load_manifest().to_json()})
    else:
        _show(found)


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", help="Run folders, or names under runs/.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with curves, compare.html; or a table, one row a run: results.csv, .xlsx or .md.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare runs: the settings that differ, and the metrics side by side.

    Example: tiebreak runs compare base-preferences-1 base-preferences-2 --out compare.html
    """
    from tiebreak.report.beside import compare_runs

    comparison = compare_runs(runs, out=out, force=force)
    if out is not None:
        typer.echo(f"Written to {out}.", err=True)
    if as_json:
        _print_json(comparison.to_json())
        return
    _console().print(_comparison_table(comparison))
    same = [metric.name for metric in comparison.metrics if not metric.differs]
    for note in (*comparison.notes, *([f"These are the same in all runs: {', '.join(same)}."] if same else [])):
        typer.echo(f"Note: {note}", err=True)
    if len(comparison.runs) > _MOST_BESIDE:
        typer.echo(
            f"{len(comparison.runs)} runs are many for a terminal: `--out compare.html` has more room.", err=True
        )


def _write_report(run: RunFolder, out: Path, *, force: bool) -> None:
    from tiebreak.errors import InputError
    from tiebreak.report.page import write_report
    from tiebreak.report.page_file import check_page
    from tiebreak.runs.sheet import SUFFIXES

    if out.suffix.lower() in SUFFIXES:
        raise InputError(
            "A table is of a run's steps.", where="--out", fix="add --table, or name a file that ends in .html"
        )
    check_page(out, force=force)
    write_report(run, out)
    typer.echo(f"Written to {out}.", err=True)


def _show_steps(run: RunFolder, out: Path | None, *, force: bool, as_json: bool) -> None:
    from tiebreak.errors import InputError
    from tiebreak.report.steps import rich_blocks
    from tiebreak.runs.metrics_file import read_metrics
    from tiebreak.runs.sheet import check_sheet, write_sheet
    from tiebreak.runs.steps import steps_table

    if out is not None:
        if out.suffix.lower() == ".html":
            raise InputError("The report has more than that table.", where="--out", fix="leave --table out")
        check_sheet(out, force=force)
    steps = steps_table(read_metrics(run.metrics_path))
    if out is not None:
        write_sheet(steps.sheet(), out, force=force)
        typer.echo(f"Written to {out}.", err=True)
    if as_json:
        _print_json([dict(row) for row in steps.rows])
        return
    if not steps.rows:
        typer.echo("No step was logged yet.", err=True)
        return
    console = _console()
    for block in rich_blocks(steps, console.width, most=None):
        console.print(block)
    typer.echo(steps.note, err=True)


def _show(run: RunFolder) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from tiebreak.formatting.numbers import DASH
    from tiebreak.formatting.text import one_line
    from tiebreak.report.changed import changed_table
    from tiebreak.report.facts import Fact, data_facts, dropped, model_facts, run_facts
    from tiebreak.report.table import result_rows, rich_table
    from tiebreak.report.verdict import verdict

    manifest, console = run.load_manifest(), _console()
    model = (manifest.model.name if manifest.model else "") or DASH
    data = (manifest.data.source if manifest.data else "") or DASH
    said = verdict(manifest)
    colour = {"better": "green", "worse": "red", "failed": "red"}.get(said.tone, "yellow")
    console.print(Text(one_line(f"{run.path}: {model} ← {data}"), style="bold"))
    console.print(Text(said.headline, style=colour))
    if said.detail:
        console.print(Text(one_line(said.detail, 1200)))
    for finding in _findings(run, manifest):
        console.print(Text(one_line(finding.line, 600), style="" if finding.severity == "note" else "red"))
    if result_rows(manifest):
        console.print(Padding(rich_table(manifest), (1, 0)))
    if (changed := changed_table(manifest)) is not None:
        console.print(Padding(changed, (0, 0, 1, 0)))
    facts = _table()
    facts.show_header = False
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    rows = [Fact(f"dropped: {fact.name}", fact.value) for fact in dropped(manifest)]
    for fact in [*data_facts(manifest), *rows, *model_facts(manifest), *run_facts(manifest)]:
        facts.add_row(Text(one_line(fact.name, 60)), Text(one_line(fact.value, 400)))
    for name, path in (("model files", run.model), ("report", run.report_path)):
        if path.exists():
            facts.add_row(Text(name), Text(str(path)))
    console.print(facts)


def _findings(run: RunFolder, manifest: Manifest) -> tuple[Finding, ...]:
    from tiebreak.doctor.examine import run_findings
    from tiebreak.errors import InputError

    try:
        return run_findings(run, manifest, run.recipe())
    except InputError:  # a recipe that cannot be read is no reason to show nothing
        return run_findings(run, manifest, None)


def _list_table(found: list[Summary]) -> Table:
    from rich.text import Text

    from tiebreak.formatting import numbers as forms
    from tiebreak.formatting.text import one_line
    from tiebreak.metrics import ACCURACY, LOSS

    table = _table()
    for heading in ("run", "status", "model", "data"):
        table.add_column(heading, overflow="fold")
    for heading in ("steps", *(metric.shown["progress"].label for metric in (ACCURACY, LOSS))):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("began", no_wrap=True)
    for run in found:
        cells = (
            run.name,
            run.status,
            run.model or forms.DASH,
            run.data or forms.DASH,
            _steps(run),
            ACCURACY.format(run.accuracy),
            LOSS.format(run.loss),
            forms.when(run.created),
        )
        table.add_row(*(Text(one_line(cell, 60)) for cell in cells))
    return table


def _comparison_table(comparison: Comparison) -> Table:
    from rich.text import Text

    from tiebreak.formatting.text import one_line

    table = _table()
    table.add_column("", no_wrap=True)
    for name in comparison.names:
        table.add_column(Text(one_line(name, 40)), justify="right", overflow="fold")
    table.add_row(Text("status", style="dim"), *(Text(one_line(run.status, 40)) for run in comparison.runs))
    for setting in comparison.settings:
        values = (Text(one_line(value, 60)) for value in setting.written())
        table.add_row(Text(setting.key, style="dim"), *values)
    table.add_row("")
    for metric in comparison.metrics:
        if not metric.differs:
            continue
        cells = [
            Text(value, style="bold green" if i == metric.best else "") for i, value in enumerate(metric.written())
        ]
        table.add_row(Text(metric.name), *cells)
    return table


def _steps(run: Summary) -> str:
    from tiebreak.formatting.numbers import DASH, whole

    if run.step is None or run.step == run.steps or run.steps is None:
        return whole(run.steps if run.step is None else run.step)
    return f"{whole(run.step)}/{whole(run.steps)}" if run.step < run.steps else DASH


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDE)


def _plain(summary: Summary) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(summary)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(_finite(value), indent=2))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: what is not finite is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
