"""`tiebreak data`: what a source is, and the same in the canonical form. Parses, calls, prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from tiebreak.data.load import LoadedPreferences, LoadOptions
    from tiebreak.data.reading.sources import SourceSpec

app = typer.Typer(no_args_is_help=True, help="Look at preferences and other rows, and convert them to one form.")

Source = Annotated[
    str, typer.Argument(help="Hub dataset id, file, folder of shards, or bundled:preferences.", show_default=False)
]
Config = Annotated[str | None, typer.Option(help="Configuration of a Hub dataset.")]
DataDir = Annotated[str | None, typer.Option(help="Folder inside the source, such as harmless-base.")]
Split = Annotated[str | None, typer.Option(help="Split to read; train, or the only one, if not given.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub dataset.")]
SchemaName = Annotated[str, typer.Option("--schema", help="Form of the rows, or auto to recognise it.")]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns", help="Which column is what: prompt=question,chosen=good,rejected=bad.", metavar="ROLE=COLUMN"
    ),
]
TransformName = Annotated[
    str | None, typer.Option("--transform", help="MODULE:FUNCTION that every row goes through first.")
]
Skip = Annotated[bool, typer.Option("--skip-bad-rows", help="Go on at rows that cannot be read, and report them.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Read only the first N rows.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

_INSPECT = "Example: tiebreak data inspect prefs.jsonl --model gpt2 --html profile.html"
_CONVERT = "Example: tiebreak data convert Anthropic/hh-rlhf --data-dir harmless-base harmless.jsonl.gz"


@app.command(epilog=_INSPECT)
def inspect(
    source: Source,
    config: Config = None,
    data_dir: DataDir = None,
    split: Split = None,
    revision: Revision = None,
    schema: SchemaName = "auto",
    columns: ColumnNames = None,
    transform: TransformName = None,
    skip_bad_rows: Skip = False,
    model: Annotated[str | None, typer.Option(help="Measure lengths in the tokens of this model.")] = None,
    max_length: Annotated[int, typer.Option(min=8, help="Count the pairs longer than this, in tokens.")] = 1024,
    score_turns: Annotated[
        Literal["all", "last"], typer.Option(help="Of a completion of several turns, which of the assistant's count.")
    ] = "all",
    special_tokens: Annotated[
        Literal["text", "parse"], typer.Option(help="What special tokens of the model in the text are.")
    ] = "text",
    eval_source: Annotated[str | None, typer.Option(help="Look for prompts in common with this source.")] = None,
    eval_split: Annotated[str | None, typer.Option(help="Look for prompts in common with this split.")] = None,
    limit: Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples shown.")] = 0,
    html: Annotated[Path | None, typer.Option(help="Write the profile as one HTML page.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a source is: its form, lengths, labels, repetitions and contradictions, and a few samples."""
    from tiebreak.data.profile.measure import profile
    from tiebreak.data.reading.sources import SourceSpec

    if html is not None:
        _check_page(html)
    spec = SourceSpec(source, config, data_dir, split, revision)
    tokenizer = None
    if model is not None:
        from tiebreak.models.load import load_tokenizer

        tokenizer = load_tokenizer(model)
    how = _how(schema, columns, transform, skip_bad_rows)
    loaded = _load(spec, how, limit)
    held_out = _held_out(loaded, eval_source, eval_split, how)
    result = profile(
        loaded,
        held_out=held_out,
        tokenizer=tokenizer,
        tokenizer_name=model,
        max_length=max_length,
        score_turns=score_turns,
        special_tokens=special_tokens,
        seed=seed,
    )
    if html is not None:
        from tiebreak.data.profile.html import profile_page
        from tiebreak.report.page_file import write_page

        write_page(html, profile_page(result))
        typer.echo(f"The page is {html}.", err=True)
    if as_json:
        import json

        typer.echo(json.dumps(result.to_json(), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    from tiebreak.cli.profile_view import profile_view

    Console(highlight=False).print(profile_view(result))


@app.command(epilog=_CONVERT)
def convert(
    source: Source,
    file: Annotated[
        Path, typer.Argument(help="Where to: .jsonl, .jsonl.gz, .jsonl.zst or .parquet.", show_default=False)
    ],
    config: Config = None,
    data_dir: DataDir = None,
    split: Split = None,
    revision: Revision = None,
    schema: SchemaName = "auto",
    columns: ColumnNames = None,
    transform: TransformName = None,
    skip_bad_rows: Skip = False,
    limit: Limit = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a source in the canonical form: prompt (messages), chosen, rejected, id, weight and scores.

    Unpaired completions become prompt, completion, label; demonstrations prompt, completion.
    """
    from tiebreak.data.convert import check_target, write_rows
    from tiebreak.data.reading.sources import SourceSpec
    from tiebreak.tasks import TASKS

    check_target(file, force=force)
    how = _how(schema, columns, transform, skip_bad_rows)
    loaded = _load(SourceSpec(source, config, data_dir, split, revision), how, limit)
    rows = write_rows(loaded.dataset, file, force=force)
    if as_json:
        import json

        written = {"file": str(file), "pairs": rows, "kind": loaded.task, "schema": loaded.recognition.schema}
        typer.echo(json.dumps(written | loaded.report.to_json(), ensure_ascii=False, indent=2))
        return
    report = loaded.report
    typer.echo(f"read {report.rows:,} rows of {report.source} as '{loaded.recognition.schema}'", err=True)
    for reason, tally in report.dropped.items():
        typer.echo(f"dropped {tally.count:,}: {reason} ({tally.named()})", err=True)
    for remark, tally in report.notes.items():
        typer.echo(f"noted {tally.count:,}: {remark} ({tally.named()})", err=True)
    if report.passed_over:
        typer.echo(f"files not read, of no split: {', '.join(report.passed_over)}", err=True)
    if report.unused_line():
        typer.echo(f"not used: {report.unused_line()}", err=True)
    _say_bad(loaded)
    typer.echo(f"wrote {rows:,} {TASKS[loaded.task].examples} to {file}")


def _how(schema: str, columns: str | None, transform: str | None, skip_bad_rows: bool) -> LoadOptions:
    """How a source is to be read, from the flags."""
    from tiebreak.data.forms.roles import parse_flag

    return {
        "schema": schema,
        "columns": None if columns is None else parse_flag(columns),
        "transform": transform,
        "skip_bad_rows": skip_bad_rows,
    }


def _load(spec: SourceSpec, how: LoadOptions, limit: int | None) -> LoadedPreferences:
    import datasets

    from tiebreak.cli.terminal import stderr_progress
    from tiebreak.data.load import load_as_it_is

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    with stderr_progress().share(f"reading {spec.source}") as on_progress:
        settings: LoadOptions = {**how, "max_rows": limit, "on_progress": on_progress}
        return load_as_it_is(spec, **settings)


def _held_out(
    loaded: LoadedPreferences, eval_source: str | None, eval_split: str | None, how: LoadOptions
) -> LoadedPreferences | None:
    """The held-out set that was asked for, or the one that lies beside the source."""
    from tiebreak.data.preparing.gather import split_beside
    from tiebreak.data.reading.sources import SourceSpec
    from tiebreak.errors import InputError

    if eval_source is not None:
        return _load(SourceSpec(eval_source, split=eval_split), {"skip_bad_rows": how["skip_bad_rows"]}, None)
    if eval_split is not None:
        return _load(loaded.spec.of_split(eval_split), how, None)
    beside = split_beside(loaded)
    if beside is None:
        return None
    try:
        return _load(beside, how, None)
    except InputError as error:  # nobody asked for it: say so and go on without
        typer.echo(f"The split '{beside.split}' cannot be compared: {error.what}", err=True)
        return None


def _say_bad(loaded: LoadedPreferences) -> None:
    bad = loaded.report.bad
    if bad.count:
        typer.echo(f"skipped {bad.count:,} bad rows:", err=True)
        for example in bad.examples[:10]:
            typer.echo(f"  {example}", err=True)
        if bad.count > 10:
            typer.echo(f"  and {bad.count - 10:,} more", err=True)


def _check_page(path: Path) -> None:
    from tiebreak.errors import InputError

    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"The page cannot be written to '{path}'.", where="--html", fix="name a file in a folder")
