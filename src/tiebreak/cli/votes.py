"""`tiebreak votes list|export|stats|withdraw`: what people said so far. Parses, calls and prints.

What stands in a vote is printed as text, never as markup, with control characters made visible.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tiebreak.votes.store import VoteStore
    from tiebreak.votes.tally import Agreement, Tally
    from tiebreak.votes.vote import Vote

app = typer.Typer(
    help="List the votes that people cast, export them, count them, take them back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_WIDE = 160  # columns where stdout is no terminal: a file or a pipe has room

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL", help="A file, sqlite:///FILE, or postgresql+psycopg://USER@HOST/DATABASE.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON.")]


@app.command("list")
def list_(
    url: Url,
    model: Annotated[str | None, typer.Option(help="Only votes with an answer of this model.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only this verdict: left, right, tie or both_bad.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show the newest N votes.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest votes.

    Example: tiebreak votes list votes.db --verdict tie
    """
    from tiebreak.votes.bounds import check_verdict
    from tiebreak.votes.filters import VoteFilter

    if verdict is not None:
        check_verdict(verdict)
    wanted = VoteFilter(model=model, verdict=verdict)  # type: ignore[arg-type]
    with _opened(url) as store:
        found = _newest(store, wanted, limit)
        total = store.count(wanted)
    if as_json:
        _print_json([vote.to_row() for vote in found])
    elif found:
        _console().print(_list_table(found))
        if total > len(found):
            typer.echo(f"The newest {len(found):,} of {total:,} votes; more with --limit.", err=True)
    else:
        typer.echo("There are no such votes.", err=True)


@app.command()
def export(
    url: Url,
    file: Annotated[Path, typer.Argument(help="Where to: .jsonl or .csv.", show_default=False)],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Write the rows to train on (.jsonl) instead of the votes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the account as JSON.")] = False,
) -> None:
    """Write the votes that count to a file: JSON lines, CSV, or the rows to train on.

    Example: tiebreak votes export votes.db rows.jsonl --pairs
    """
    from tiebreak.votes import export as write
    from tiebreak.votes.pairs import training_rows

    write.check_target(file, force=force, pairs=pairs)
    left_out: dict[str, int] = {}
    with _opened(url) as store:
        if pairs:
            rows, reasons = training_rows(store.every())
            left_out = dict(reasons)
            count = write.write_lines(rows, file)
        elif file.suffix.lower() == ".csv":
            count = write.write_csv(store.every(), file)
        else:
            count = write.write_lines((vote.to_row() for vote in store.every()), file)
    noun = "rows" if pairs else "votes"
    if as_json:
        _print_json({"file": str(file), noun: count, **({"left_out": left_out} if pairs else {})})
        return
    for reason, number in left_out.items():
        typer.echo(f"left out {number:,}: {reason}", err=True)
    typer.echo(f"wrote {count:,} {noun} to {file}")


@app.command()
def stats(url: Url, as_json: AsJson = False) -> None:
    """Count games, wins and ties, and fit Bradley-Terry scores; say how far voters agree.

    Example: tiebreak votes stats votes.db
    """
    from tiebreak.votes.tally import tally

    with _opened(url) as store:
        result = tally(store.every())
    if as_json:
        _print_json(result.to_json())
        return
    if not result.votes:
        typer.echo("There are no votes yet.", err=True)
        return
    if result.standings:
        _console().print(_standings_table(result))
    typer.echo(_agreement_line(result.agreement))
    if result.same_model:
        typer.echo(f"Not in the table: {result.same_model:,} votes between two answers of one model.", err=True)


@app.command()
def withdraw(
    url: Url,
    voter: Annotated[str | None, typer.Option(metavar="KEY", help="Every vote of this voter.")] = None,
    id: Annotated[str | None, typer.Option("--id", metavar="ID", help="This one vote.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take votes back: their reasons and edited answers are erased, and they count nowhere.

    Example: tiebreak votes withdraw votes.db --voter k3yof-a-voter
    """
    from tiebreak.errors import InputError

    if (voter is None) == (id is None):
        raise InputError(
            "Say what to withdraw: the votes of one voter, or one vote.", fix="give --voter KEY or --id ID"
        )
    with _opened(url) as store:
        count = int(store.withdraw(id)) if id is not None else store.withdraw_voter(voter or "")
    if as_json:
        _print_json({"withdrawn": count})
    else:
        typer.echo(f"withdrew {count:,} {'vote' if count == 1 else 'votes'}")


def _opened(url: str) -> VoteStore:
    from tiebreak.votes import open_votes

    return open_votes(url, create=False)


def _newest(store: VoteStore, wanted: Any, limit: int) -> list[Vote]:
    from tiebreak.votes.store import MOST_A_PAGE

    found: list[Vote] = []
    while len(found) < limit:
        after = found[-1].id if found else None
        page = store.votes(wanted, limit=min(MOST_A_PAGE, limit - len(found)), after=after, newest_first=True)
        if not page:
            break
        found += page
    return found


def _list_table(found: list[Vote]) -> Table:
    from rich.text import Text

    from tiebreak.report.text import one_line

    table = _table()
    for heading in ("id", "time", "verdict"):
        table.add_column(heading, no_wrap=True)
    for heading in ("prompt", "left", "right", "voter"):
        table.add_column(heading, overflow="fold")
    for vote in found:
        left, right = (f"{answer.model}: {answer.text}" for answer in (vote.left, vote.right))
        table.add_row(
            Text(vote.id, style="dim"),
            Text(f"{vote.time:%Y-%m-%d %H:%M}"),
            Text(vote.verdict),
            *(Text(one_line(text, 60)) for text in (vote.prompt[-1][1], left, right, vote.voter)),
        )
    return table


def _standings_table(result: Tally) -> Table:
    from rich.text import Text

    from tiebreak.report.text import one_line

    table = _table()
    table.add_column("model", overflow="fold")
    for heading in ("games", "wins", "losses", "ties", "both bad", "score", "95% interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    names = [standing.model for standing in result.standings]
    for each in result.standings:
        name = one_line(each.model, 60)
        if names.count(each.model) > 1:
            name += f" ({one_line(each.fingerprint, 12)})"
        counts = (each.games, each.wins, each.losses, each.ties, each.both_bad)
        figures = [f"{count:,}" for count in counts]
        table.add_row(Text(name), *figures, f"{each.score:.0f}", f"{each.low:.0f} – {each.high:.0f}")
    return table


def _agreement_line(found: Agreement) -> str:
    if found.share is None:
        return "No two voters saw the same comparison, so nothing is known of their agreement."
    return (
        f"Two voters who saw the same comparison agreed in {found.share:.1%} of {found.pairs:,} cases, "
        f"on {found.comparisons:,} comparisons."
    )


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDE)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))
