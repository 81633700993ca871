"""`tiebreak votes list|export|import|open|stats|withdraw`: the votes that people cast. Parses, calls and prints.

The texts of a vote are printed as text, never as markup, with control characters made visible.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiebreak.cli.votes_view import (
    agreement_line,
    console,
    list_table,
    open_table,
    position_line,
    standings_table,
    voters_line,
)

if TYPE_CHECKING:
    from tiebreak.votes.filters import VoteFilter
    from tiebreak.votes.store import VoteStore
    from tiebreak.votes.vote import Vote

app = typer.Typer(
    help="List, export, import, count and withdraw the votes that people cast, and see what waits for votes.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL", help="A file, sqlite:///FILE, or postgresql+psycopg://USER@HOST/DATABASE.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON.")]
Corrected = Annotated[
    bool,
    typer.Option("--corrected", help="Use also votes whose verdict was corrected after the models were named."),
]


@app.command("list")
def list_(
    url: Url,
    model: Annotated[str | None, typer.Option(help="Only votes on an answer of this model.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict: left, right, tie or both_bad.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many votes to show, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest votes.

    Example: tiebreak votes list votes.db --verdict tie
    """
    from tiebreak.votes.checks import check_verdict
    from tiebreak.votes.filters import VoteFilter

    wanted = VoteFilter(model=model, verdict=None if verdict is None else check_verdict(verdict))
    with _open(url) as store:
        found = _newest(store, wanted, limit)
        total = store.count(wanted)
    if as_json:
        _print_json([vote.to_row() for vote in found])
    elif found:
        console().print(list_table(found))
        if total > len(found):
            typer.echo(f"These are the newest {len(found):,} of {total:,} votes; --limit shows more.", err=True)
    else:
        typer.echo("There are no such votes.", err=True)


@app.command()
def export(
    url: Url,
    file: Annotated[Path, typer.Argument(help="The file to write: .jsonl or .csv.", show_default=False)],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Write the rows to train on (.jsonl) instead of the votes.")
    ] = False,
    corrected: Corrected = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the votes to a file, with their corrections: JSON lines, CSV; or the rows to train on.

    Example: tiebreak votes export votes.db rows.jsonl --pairs
    """
    from tiebreak.votes.export import check_target, write_csv, write_lines
    from tiebreak.votes.pairs import training_rows

    check_target(file, force=force, pairs=pairs)
    dropped: dict[str, int] = {}
    with _open(url) as store:
        if pairs:
            rows, reasons = training_rows(store.every(), corrected=corrected)
            dropped = dict(reasons)
            count = write_lines(rows, file)
        elif file.suffix.lower() == ".csv":
            count = write_csv(store.every(), file)
        else:
            count = write_lines((vote.to_row() for vote in store.every()), file)
    noun = "rows" if pairs else "votes"
    if as_json:
        _print_json({"file": str(file), noun: count, **({"dropped": dropped} if pairs else {})})
        return
    for reason, number in dropped.items():
        typer.echo(f"dropped {number:,}: {reason}", err=True)
    typer.echo(f"wrote {count:,} {noun} to {file}")


@app.command("import")
def import_(
    where: Annotated[
        str,
        typer.Argument(
            metavar="[URL] FILE",
            help="Where the votes go (as for the other commands; left out: where `tiebreak serve` keeps them), then "
            "the file.",
            show_default=False,
        ),
    ],
    file: Annotated[str | None, typer.Argument(hidden=True)] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="ROLE=COLUMN,…", help="Where the answers stand, as for `data inspect`.")
    ] = None,
    schema: Annotated[str, typer.Option(help="The form of the rows; by default it is recognised.")] = "auto",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Go on at rows that cannot be read.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import votes: an export of `votes export`, rows of Chatbot Arena, or any two answers with a verdict.

    What is there already is not added again.

    Example: tiebreak votes import votes.db arena.jsonl
    """
    from tiebreak.data.forms.roles import parse_flag
    from tiebreak.votes import open_votes
    from tiebreak.votes.address import default_votes, parse_address
    from tiebreak.workflow.import_votes import import_votes, open_file

    url, source = (default_votes(create_folder=True), where) if file is None else (where, file)
    opened = open_file(source)  # a mistyped file makes no empty store
    with open_votes(url) as store:
        found = import_votes(
            opened,
            store,
            schema=schema,
            columns=None if columns is None else parse_flag(columns),
            skip_bad_rows=skip_bad_rows,
        )
    if as_json:
        _print_json(found.to_json())
        return
    for reason, number in found.dropped.items():
        typer.echo(f"dropped {number:,}: {reason}", err=True)
    there = f"; {found.there:,} were there already" if found.there else ""
    typer.echo(f"imported {found.added:,} votes into {parse_address(url).located}{there}")


@app.command("open")
def open_(
    url: Url,
    close: Annotated[
        str | None,
        typer.Option(
            metavar="EVALUATION", help="Ask nobody about this evaluation any more, by its key; votes on it stay."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which evaluations wait for votes, as `tiebreak evaluate --votes` has put them there.

    Example: tiebreak votes open votes.db
    """
    with _open(url) as store:
        if close is not None:
            count = store.open_comparisons.close(close)
            if as_json:
                _print_json({"closed": count})
            else:
                typer.echo(f"closed {count:,} {'comparison' if count == 1 else 'comparisons'}")
            return
        found = store.open_comparisons.evaluations()
    if as_json:
        _print_json([each.to_json() for each in found])
    elif found:
        console().print(open_table(found))
    else:
        typer.echo("No comparison is open.", err=True)


@app.command()
def stats(url: Url, corrected: Corrected = False, as_json: AsJson = False) -> None:
    """Count wins and ties, fit Bradley-Terry scores; show how far voters agree, who votes most, and a lean to a side.

    Example: tiebreak votes stats votes.db
    """
    from tiebreak.votes.count import tally

    with _open(url) as store:
        result = tally(store.every(), corrected=corrected)
    if as_json:
        _print_json(result.to_json())
        return
    if not result.votes and not result.corrected:
        typer.echo("There are no votes yet.", err=True)
        return
    if result.standings:
        console().print(standings_table(result))
    typer.echo(agreement_line(result.agreement))
    for line in (voters_line(result.voters), position_line(result.position)):
        if line:
            typer.echo(line)
    if result.corrected:
        noun = "vote" if result.corrected == 1 else "votes"
        why = "whose verdict was corrected after the models were named; --corrected counts them"
        typer.echo(f"Left out: {result.corrected:,} {noun} {why}.", err=True)
    if result.same_model:
        typer.echo(f"Not in the table: {result.same_model:,} votes between two answers of one model.", err=True)


@app.command()
def withdraw(
    url: Url,
    voter: Annotated[
        str | None, typer.Option(metavar="KEY", help="Withdraw every vote of this voter, by key or by name.")
    ] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Withdraw this vote.")] = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw votes: their reasons and edited answers are erased, and they are no longer counted.

    Example: tiebreak votes withdraw votes.db --voter k3yof-a-voter
    """
    from tiebreak.errors import InputError

    if (voter is None) == (id is None):
        raise InputError(
            "Say what to withdraw: one vote, or all votes of one voter.", fix="give --voter KEY or --id ID"
        )
    from tiebreak.votes.vote import OPERATOR
    from tiebreak.votes.voters import is_name, voter_of

    with _open(url) as store:
        if id is not None:
            count = int(store.withdraw(id, by=OPERATOR))
        else:
            given = voter or ""
            count = store.withdraw_voter(given, by=OPERATOR)
            if not is_name(given):  # the key of a browser, whose votes stand by the name that follows from it
                count += store.withdraw_voter(voter_of(given), by=OPERATOR)
    if as_json:
        _print_json({"withdrawn": count})
    else:
        typer.echo(f"withdrew {count:,} {'vote' if count == 1 else 'votes'}")


def _open(url: str) -> VoteStore:
    from tiebreak.votes import open_votes

    return open_votes(url, create=False)


def _newest(store: VoteStore, wanted: VoteFilter, limit: int) -> list[Vote]:
    from tiebreak.votes.store import MAX_PAGE

    found: list[Vote] = []
    while len(found) < limit:
        after = found[-1].id if found else None
        page = store.votes(wanted, limit=min(MAX_PAGE, limit - len(found)), after=after, newest_first=True)
        if not page:
            break
        found += page
    return found


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
