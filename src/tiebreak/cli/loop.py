"""`tiebreak loop`: one turn of train, compare, accept. Parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiebreak.recipe import Recipe

EXAMPLE = "Example: tiebreak loop --votes votes.db --folder loop --model runs/mine --data prefs.jsonl"


def loop(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe for the turns, where the loop begins.", show_default=False)
    ] = None,
    votes: Annotated[str, typer.Option(help="URL or file of the votes.")] = "votes.db",
    folder: Annotated[Path, typer.Option(help="The loop folder; made by the first turn.")] = Path("loop"),
    model: Annotated[str | None, typer.Option(help="Model to begin with.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Preferences beside the votes; held-out pairs come from them.")
    ] = None,
    votes_only: Annotated[bool, typer.Option("--votes-only", help="Train on the votes alone.")] = False,
    accept: Annotated[
        str, typer.Option(help="Accept a model that is better (by its interval), not-worse, or always.")
    ] = "better",
    min_votes: Annotated[int, typer.Option(min=1, help="New votes that make a turn worth while.")] = 1,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the model before the current one.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any key of the recipe, where the loop begins.", metavar="K=V")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the turn as JSON on stdout.")] = False,
) -> None:
    """Train on what people said, from the accepted model, and accept the result only if it is better."""
    import json
    from dataclasses import asdict
    from typing import get_args

    from tiebreak.cli.terminal import quiet_libraries, stderr_talk
    from tiebreak.errors import InputError
    from tiebreak.runs.loop import LoopFolder

    place = LoopFolder(folder)
    if rollback:
        typer.echo(f"current  {place.roll_back()}")
        return
    begun = place.exists
    given = recipe is not None or model is not None or data is not None or bool(settings)
    if begun and given:
        raise InputError(
            f"The loop '{folder}' has begun, and keeps the recipe that it began with.",
            where=str(folder / "recipe.yaml"),
            fix="leave out the recipe, --model, --data and --set; or edit that file; or begin another --folder",
        )
    quiet_libraries()
    from tiebreak.workflow.loop import Accept, Circle, take_turn

    if accept not in get_args(Accept):
        raise InputError(f"--accept is not '{accept}'.", fix=f"it is one of: {', '.join(get_args(Accept))}")
    chosen = None if begun else _recipe(recipe, model, data, settings or [])
    rule: Accept = accept  # type: ignore[assignment]
    turn = take_turn(Circle(folder, votes, chosen, rule, votes_only, min_votes), talk=stderr_talk())
    if as_json:
        typer.echo(json.dumps(None if turn is None else asdict(turn), indent=2))
        return
    if turn is not None:
        typer.echo(f"turn {turn.number}   {turn.outcome}: {turn.why}")
        rate = "" if turn.pass_rate is None else f"; pass rate {turn.pass_rate:.1%}"
        typer.echo(f"data     {turn.pairs:,} pairs from {turn.votes:,} votes, {turn.base:,} others{rate}")
    typer.echo(f"current  {place.current()}")


def _recipe(recipe: str | None, model: str | None, data: str | None, settings: list[str]) -> Recipe:
    from tiebreak.builtin import recipe_named
    from tiebreak.cli.train import parsed_settings
    from tiebreak.recipe import Recipe

    start = Recipe() if recipe is None else recipe_named(recipe)
    flags = {"model.name": model, "data.source": data}
    return start.with_settings({k: v for k, v in flags.items() if v is not None} | parsed_settings(settings))
