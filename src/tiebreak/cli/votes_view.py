"""Votes on the terminal: tables and sentences, in which the texts of people and models are text and never markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tiebreak.votes.comparisons import Agreement
    from tiebreak.votes.open_comparisons import AskedEvaluation
    from tiebreak.votes.tally import Position, Tally, Voters
    from tiebreak.votes.vote import Vote

_WIDE = 160  # columns where stdout is no terminal: a file or a pipe has room


def list_table(found: list[Vote]) -> Table:
    """Votes, one a line."""
    from rich.text import Text

    from tiebreak.formatting.text import one_line

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


def standings_table(result: Tally) -> Table:
    """What each model achieved."""
    from rich.text import Text

    from tiebreak.formatting.text import one_line

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
        cells = [f"{count:,}" for count in counts]
        table.add_row(Text(name), *cells, f"{each.score:.0f}", f"{each.low:.0f} – {each.high:.0f}")
    return table


def agreement_line(found: Agreement) -> str:
    """How far voters agree."""
    if found.share is None:
        return "No two voters compared the same two answers, so their agreement is not known."
    return (
        f"Two voters who saw the same comparison agreed in {found.share:.1%} of {found.pairs:,} cases, "
        f"on {found.comparisons:,} comparisons."
    )


def voters_line(found: Voters) -> str:
    """How much of the votes the busiest voters cast; empty where there are none."""
    if found.top_share is None or found.top_three_share is None:
        return ""
    if found.voters == 1:
        return "All votes are of one voter."
    three = f", the three busiest {found.top_three_share:.1%}" if found.voters > 3 else ""
    return f"{found.voters:,} voters; the busiest ({found.top[0][0]}) cast {found.top_share:.1%} of the votes{three}."


def position_line(found: Position) -> str:
    """How often the left answer won, and whether that is a lean; empty where no vote says left or right."""
    if found.share is None or found.low is None or found.high is None:
        return ""
    lean = ""
    if found.low > 0.5 or found.high < 0.5:
        lean = f": voters lean to the {'left' if found.share > 0.5 else 'right'}"
    votes = f"{found.left + found.right:,} votes for a side"
    return f"Left won {found.share:.1%} of {votes} (95% interval {found.low:.1%} – {found.high:.1%}){lean}."


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)


def console() -> Console:
    """A console that shows text as text, wide where stdout is no terminal."""
    from rich.console import Console

    found = Console(highlight=False, markup=False, emoji=False)
    return found if found.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_WIDE)


def open_table(found: Sequence[AskedEvaluation]) -> Table:
    """Evaluations that wait for votes, one a line."""
    from rich.text import Text

    from tiebreak.formatting.text import one_line

    table = _table()
    for heading in ("evaluation", "asked"):
        table.add_column(heading, no_wrap=True)
    table.add_column("models", overflow="fold")
    for heading in ("comparisons", "without a verdict", "votes"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        table.add_row(
            Text(each.key, style="dim"),
            Text(f"{each.made:%Y-%m-%d %H:%M}"),
            Text(" and ".join(one_line(model, 60) for model in each.models)),
            *(f"{count:,}" for count in (each.comparisons, each.unanswered, each.votes)),
        )
    return table
