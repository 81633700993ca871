"""`tiebreak doctor`: what is wrong with a run, and what to change. Parses, calls, prints."""

from __future__ import annotations

from typing import Annotated

import typer

from tiebreak.cli.data import Config, DataDir, Revision, Split, TransformName
from tiebreak.cli.train import Columns, Limit, Schema, Settings, SkipBadRows, flag_settings, parsed_settings
from tiebreak.doctor.finding import Severity

EXAMPLE = "Example: tiebreak doctor trainer_state.json --held-out 500"


def doctor(
    logged: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|METRICS|SOURCE",
            help="A run folder, the name of one under runs/; a log: metrics.jsonl, trainer_state.json, a CSV export of "
            "Weights & Biases, a folder of TensorBoard or MLflow, a table in CSV, Excel, Markdown or HTML; or a source "
            "of preferences.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Recipe of the run, a file or a built-in one; without a log it is judged alone.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A source of preferences, where its name could be that of a run or a log.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Read the data by this model's tokenizer and template: what is cut."),
    ] = None,
    config: Config = None,
    data_dir: DataDir = None,
    split: Split = None,
    revision: Revision = None,
    schema: Schema = None,
    columns: Columns = None,
    transform: TransformName = None,
    skip_bad_rows: SkipBadRows = None,
    limit: Limit = None,
    settings: Settings = None,
    held_out: Annotated[
        int | None, typer.Option(min=1, help="Number of held-out examples, where the log does not say.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="Name of the loss, where nothing says it: see `tiebreak recipes objectives`.")
    ] = None,
    fail_on: Annotated[
        Severity | None, typer.Option(help="Exit with 1 where a finding is as severe as this, or more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON.")] = False,
) -> None:
    """Say what is wrong with a run, its settings or data, with the figures that show it, and what to change."""
    import json

    from tiebreak.cli.terminal import stderr_progress
    from tiebreak.doctor.finding import at_least
    from tiebreak.doctor.written import written
    from tiebreak.workflow.diagnose import diagnose

    flags = flag_settings(
        {
            "config": config,
            "data_dir": data_dir,
            "split": split,
            "revision": revision,
            "schema": schema,
            "columns": columns,
            "transform": transform,
            "skip_bad_rows": skip_bad_rows,
            "limit": limit,
        }
    )
    changes = {key: value for key, value in flags.items() if value is not None}
    changes |= parsed_settings(settings or [], {**changes, "model.name": model})
    found = diagnose(
        logged,
        recipe=recipe,
        held_out=held_out,
        objective=objective,
        data=data,
        model=model,
        settings=changes,
        progress=stderr_progress(),
    )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        for line in written(found):
            typer.echo(line)
    if fail_on is not None and at_least(found.findings, fail_on):
        raise typer.Exit(1)
