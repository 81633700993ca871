"""`tiebreak push` and `tiebreak push-data`: a run or a data set to the Hub. Parses, calls, prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiebreak.hub.upload import Pushed

EXAMPLE = "Example: tiebreak push runs/mine my-name/my-model --private"
DATA_EXAMPLE = "Example: tiebreak push-data prefs.jsonl my-name/my-preferences --license cc-by-4.0"

Repo = Annotated[str, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the Hub.", show_default=False)]
Private = Annotated[bool, typer.Option("--private", help="Make the repository private.")]
Revision = Annotated[str | None, typer.Option(metavar="BRANCH", help="Upload to this branch; created if missing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only write the files that would be uploaded to a folder.")]
Out = Annotated[Path | None, typer.Option(help="Folder for a dry run; NAME-dry-run if not given.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run: a folder, or a name under runs/.")],
    repo: Annotated[
        str | None, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the Hub.", show_default=False)
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="REPO_ID", help="Upload a Space that serves the model, instead of a model repository."),
    ] = None,
    private: Private = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="For an adapter run: upload plain weights with the adapter merged in.")
    ] = False,
    adapter_only: Annotated[
        bool, typer.Option("--adapter-only", help="For an adapter run: upload only the adapter and its card.")
    ] = False,
    revision: Revision = None,
    dry_run: DryRun = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Upload a finished run to the Hub: model or adapter, tokenizer, card, report, curves, recipe, metrics.

    With --space, a Space with pages to chat with the model and to compare answers.

    An upload that was cut off goes on when the same command is run again.
    """
    _check_target(repo, space, adapter_only=adapter_only, revision=revision)
    _calm()
    if merge or space is not None:
        from tiebreak.cli.terminal import quiet_libraries

        quiet_libraries()
    if space is not None:
        from tiebreak.hub.space import push_space

        _show(push_space(run, space, private=private, merge=merge, dry_run=dry_run, out=out, say=_say), as_json)
        return
    from tiebreak.hub.models import push as push_run

    done = push_run(
        run,
        repo or "",
        private=private,
        merge=merge,
        adapter_only=adapter_only,
        revision=revision,
        dry_run=dry_run,
        out=out,
        say=_say,
    )
    _show(done, as_json)


def push_data(
    source: Annotated[
        str, typer.Argument(help="Hub dataset id, file, folder of shards, or bundled:preferences.", show_default=False)
    ],
    repo: Repo,
    private: Private = False,
    config: Annotated[str | None, typer.Option(help="Configuration of a Hub dataset.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder inside the source, such as harmless-base.")] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Split to upload; can be repeated. Train if not given.")
    ] = None,
    source_revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub dataset.")] = None,
    schema: Annotated[str, typer.Option(help="Form of the rows, or auto to detect it.")] = "auto",
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns", help="Which column is what: prompt=question,chosen=good,rejected=bad.", metavar="ROLE=COLUMN"
        ),
    ] = None,
    transform: Annotated[
        str | None, typer.Option("--transform", help="MODULE:FUNCTION that every row goes through first.")
    ] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Skip and report rows that cannot be read.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N rows of a split.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Licence of the data, for the card; unknown if not given.")
    ] = None,
    revision: Revision = None,
    dry_run: DryRun = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Upload preferences to the Hub in one form: Parquet files and a card."""
    _calm()
    import datasets

    from tiebreak.cli.terminal import stderr_progress
    from tiebreak.data.forms.roles import parse_flag
    from tiebreak.data.reading.sources import SourceSpec
    from tiebreak.hub.data import push_data as push_source

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    with stderr_progress().share(f"reading {source}") as on_progress:
        done = push_source(
            SourceSpec(source, config, data_dir, None, source_revision),
            repo,
            splits=split or (),
            schema=schema,
            columns=None if columns is None else parse_flag(columns),
            transform=transform,
            skip_bad_rows=skip_bad_rows,
            max_rows=limit,
            private=private,
            license=license_,
            revision=revision,
            dry_run=dry_run,
            out=out,
            say=_say,
            on_progress=on_progress,
        )
    _show(done, as_json)


def _check_target(repo: str | None, space: str | None, *, adapter_only: bool, revision: str | None) -> None:
    """Refuse a push to no repository, or to two, and flags that a Space has no use for."""
    from tiebreak.errors import InputError

    if repo is None and space is None:
        raise InputError("No repository is named.", where="REPO_ID", fix="name one: tiebreak push RUN OWNER/NAME")
    if repo is not None and space is not None:
        raise InputError(
            "A push goes either to a model repository or to a Space, but both are named.",
            where="--space",
            fix="run two commands: tiebreak push RUN REPO_ID, and tiebreak push RUN --space REPO_ID",
        )
    if space is not None and adapter_only:
        raise InputError(
            "A Space needs a whole model, not only an adapter.", where="--adapter-only", fix="remove this flag"
        )
    if space is not None and revision is not None:
        raise InputError("A Space runs only its main branch.", where="--revision", fix="remove this flag")


def _calm() -> None:
    """Keep the Hub client's own advice out of our output, and its bars where nobody can see them."""
    from huggingface_hub import utils

    utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if not sys.stderr.isatty():
        utils.disable_progress_bars()  # type: ignore[attr-defined]


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _show(done: Pushed, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done.to_json(), ensure_ascii=False, indent=2))
        return
    width = max(len(file.path) for file in done.files)
    lines = [f"{file.path:{width}}  {_size(file.size):>9}" for file in done.files]
    total = f"{'total':{width}}  {_size(sum(file.size for file in done.files)):>9}"
    if done.committed is None:
        typer.echo("\n".join([*lines, total]))
        _say(f"Nothing was uploaded. The files for {done.repo} are in: {done.folder}")
        return
    _say("\n".join([*lines, total]))
    if not done.committed.changed:
        _say("Nothing has changed: the repository already has these files.")
    typer.echo(done.committed.url)


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
