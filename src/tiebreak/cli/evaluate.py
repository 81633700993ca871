"""`tiebreak evaluate`: held-out preference metrics of a run or a model. Parses, calls, prints."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Example: tiebreak evaluate runs/mine --data held_out.jsonl"


def evaluate(
    model: Annotated[str, typer.Argument(help="Run folder, Hub id, folder, or bundled:base.", show_default=False)],
    data: Annotated[str, typer.Option(help="Hub dataset id, file, folder of shards, or bundled:preferences.")],
    reference: Annotated[
        str | None, typer.Option(help="Model to measure against; a run's own base if not given.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Split of the data.")] = None,
    schema: Annotated[str, typer.Option(help="Format of the rows.")] = "auto",
    max_length: Annotated[int | None, typer.Option(help="Longest prompt plus ending, in tokens.")] = None,
    limit: Annotated[int | None, typer.Option(help="Use only the first N pairs.")] = None,
    beta: Annotated[float | None, typer.Option(help="Scale of the rewards; a run's own if not given.")] = None,
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows that cannot be read.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
) -> None:
    """Measure a model on preferences: how often it gives the chosen answer the higher reward."""
    import json

    from tiebreak.cli.terminal import quiet_libraries, stderr_talk

    quiet_libraries()
    from tiebreak.workflow.evaluate import Question, evaluate_model

    question = Question(
        model=model,
        data=data,
        reference=reference,
        split=split,
        schema=schema,
        max_length=max_length,
        limit=limit,
        beta=beta,
        skip_bad_rows=skip_bad_rows,
    )
    found = evaluate_model(question, talk=stderr_talk())
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
        return
    for label, value in found.rows():
        typer.echo(f"{label:34} {value}")
