"""`tiebreak quickstart`: the whole journey on the bundled model and data. Parses, calls, prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tiebreak.runs.manifest import Manifest
    from tiebreak.runs.samples import Sample

EXAMPLE = "Example: tiebreak quickstart"
_SHOWN = 5  # samples; the report has all


def quickstart(
    out: Annotated[
        Path | None, typer.Option(help="The run folder; made under runs/ if not given.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's manifest as JSON on stdout.")] = False,
) -> None:
    """Train the bundled model on the bundled preferences, offline, and show before and after."""
    import json

    from tiebreak.cli.terminal import quiet_libraries, stderr_progress
    from tiebreak.recipe.builtin import recipe_named

    recipe = recipe_named("quickstart")
    quiet_libraries()
    from tiebreak.workflow.train import train

    run = train(recipe, out=out, progress=stderr_progress())
    manifest = run.folder.load_manifest()
    if as_json:
        typer.echo(json.dumps(manifest.to_json(), indent=2, ensure_ascii=False))
        return
    _show(run.path, run.folder.report_path, manifest, run.folder.samples())


def _show(path: Path, report: Path, manifest: Manifest, samples: Sequence[Sample]) -> None:
    from tiebreak.cli.terminal import own_name, stdout_console
    from tiebreak.report.table import rich_table

    console = stdout_console()
    console.print()
    console.print(rich_table(manifest))
    console.print()
    console.print(_side_by_side(samples))
    seconds = sum(manifest.timings.values())
    typer.echo(f"\nreport  {report}  (the run took {seconds:.0f} seconds)")
    typer.echo(f"next    {own_name()} chat {path} --base")
    typer.echo(f"        {own_name()} train --model MODEL --data YOUR-PREFERENCES.jsonl")


def _side_by_side(samples: Sequence[Sample]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), header_style="bold")
    for title in ("held-out prompt", "before", "after"):
        table.add_column(title, ratio=1)
    marks = {True: ("✓ ", "green"), False: ("✗ ", "red"), None: ("", "")}
    for sample in samples[:_SHOWN]:
        cells = [Text(sample.prompt[-1].content)]
        for answer, passed in ((sample.before, sample.before_passed), (sample.after, sample.after_passed)):
            mark, style = marks[passed]
            cells.append(Text(mark, style=style) + Text(answer or ""))
        table.add_row(*cells)
    return table
