"""`tiebreak push` and `tiebreak push-data`: a run or a data set to the Hub. Parses, calls, prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiebreak.hub.models import Pushed

EXAMPLE = "Example: tiebreak push runs/mine my-name/my-model --private"
DATA_EXAMPLE = "Example: tiebreak push-data prefs.jsonl my-name/my-preferences --license cc-by-4.0"

Repo = Annotated[str, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the Hub.", show_default=False)]
Private = Annotated[bool, typer.Option("--private", help="Make the repository private.")]
Revision = Annotated[str | None, typer.Option(metavar="BRANCH", help="Upload to this branch, made if it is missing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write into a folder what would be uploaded; no network.")]
Out = Annotated[Path | None, typer.Option(help="Folder of a dry run; NAME-dry-run if not given.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def push(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A finished run: a folder, or a name under runs/.")],
    repo: Annotated[
        str | None, typer.Argument(metavar="REPO_ID", help="OWNER/NAME on the Hub.", show_default=False)
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="REPO_ID", help="Upload a Space that serves the model, in place of a model repository."),
    ] = None,
    private: Private = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Of an adapter run: upload plain weights with the adapter merged in.")
    ] = False,
    adapter_only: Annotated[
        bool, typer.Option("--adapter-only", help="Of an adapter run: upload the adapter and its card alone.")
    ] = False,
    revision: Revision = None,
    dry_run: DryRun = False,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Upload a finished run to the Hub: model or adapter, tokenizer, card, report, curves, recipe, metrics.

    With --space, a Space with pages to talk with the model and to compare answers.

    An upload that was cut off goes on when the same command is run again.
    """
    _check_place(repo, space, adapter_only=adapter_only, revision=revision)
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
        list[str] | None, typer.Option(help="Split to upload; may be given more than once. Train if not given.")
    ] = None,
    source_revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub dataset.")] = None,
    schema: Annotated[str, typer.Option(help="Format of the rows, or auto to recognise it.")] = "auto",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Go on at rows that cannot be read, and report them.")
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

    from tiebreak.cli.data_progress import reading
    from tiebreak.data.sources import SourceSpec
    from tiebreak.hub.data import push_data as push_source

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    with reading(f"reading {source}") as told:
        done = push_source(
            SourceSpec(source, config, data_dir, None, source_revision),
            repo,
            splits=split or (),
            schema=schema,
            skip_bad_rows=skip_bad_rows,
            max_rows=limit,
            private=private,
            license=license_,
            revision=revision,
            dry_run=dry_run,
            out=out,
            say=_say,
            on_progress=told,
        )
    _show(done, as_json)


def _check_place(repo: str | None, space: str | None, *, adapter_only: bool, revision: str | None) -> None:
    """Refuse what names no place, or two, or flags that a Space has no use for."""
    from tiebreak.errors import InputError

    if repo is None and space is None:
        raise InputError("There is no place to push to.", where="REPO_ID", fix="name one: tiebreak push RUN OWNER/NAME")
    if repo is not None and space is not None:
        raise InputError(
            "A push goes to a model repository or to a Space, and both are named.",
            where="--space",
            fix="run two commands: tiebreak push RUN REPO_ID, and tiebreak push RUN --space REPO_ID",
        )
    if space is not None and adapter_only:
        raise InputError("A Space needs a model that can be asked.", where="--adapter-only", fix="leave it out")
    if space is not None and revision is not None:
        raise InputError("A Space runs its main branch alone.", where="--revision", fix="leave it out")


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
    total = f"{'in all':{width}}  {_size(sum(file.size for file in done.files)):>9}"
    if done.committed is None:
        typer.echo("\n".join([*lines, total]))
        _say(f"Nothing was uploaded. What would go to {done.repo} is in: {done.folder}")
        return
    _say("\n".join([*lines, total]))
    if not done.committed.changed:
        _say("Nothing is new: the repository holds these very files.")
    typer.echo(done.committed.url)


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
