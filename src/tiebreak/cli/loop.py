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
        str | None, typer.Argument(help="Recipe of the turns; only for the first turn.", show_default=False)
    ] = None,
    votes: Annotated[
        str | None, typer.Option(help="File or URL of the votes; default: votes.db here if it exists, else yours.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="The loop folder; the first turn creates it.")] = Path("loop"),
    model: Annotated[str | None, typer.Option(help="Model to start from; only for the first turn.")] = None,
    data: Annotated[
        str | None, typer.Option(help="Preferences to use beside the votes; the held-out pairs come from them.")
    ] = None,
    votes_only: Annotated[bool, typer.Option("--votes-only", help="Train only on the votes.")] = False,
    accept: Annotated[
        str, typer.Option(help="When to accept a model: better (clearly, by its interval), not-worse, or always.")
    ] = "better",
    min_votes: Annotated[int, typer.Option(min=1, help="Fewest new votes for a turn.")] = 1,
    rollback: Annotated[bool, typer.Option("--rollback", help="Go back to the model before the current one.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any key of the recipe; only for the first turn.", metavar="K=V")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the turn as JSON on stdout.")] = False,
) -> None:
    """Train the accepted model on the votes, and accept the result only if it is better."""
    import json
    from typing import get_args

    from tiebreak.cli.terminal import quiet_libraries, stderr_progress
    from tiebreak.errors import InputError
    from tiebreak.runs.loop import LoopFolder
    from tiebreak.votes.address import default_votes, parse_address

    loop_folder = LoopFolder(folder)
    if rollback:
        typer.echo(f"current  {loop_folder.roll_back()}")
        return
    begun = loop_folder.exists
    given = recipe is not None or model is not None or data is not None or bool(settings)
    if begun and given:
        raise InputError(
            f"The loop '{folder}' has begun, so its recipe is fixed.",
            where=str(folder / "recipe.yaml"),
            fix="remove RECIPE, --model, --data and --set; or edit that file; or start another loop with --folder",
        )
    quiet_libraries()
    from tiebreak.workflow.gate import Accept
    from tiebreak.workflow.loop import LoopSettings, take_turn

    if accept not in get_args(Accept):
        raise InputError(f"--accept cannot be '{accept}'.", fix=f"use one of: {', '.join(get_args(Accept))}")
    chosen = None if begun else _recipe(recipe, model, data, settings or [])
    rule: Accept = accept  # type: ignore[assignment]
    progress, store = stderr_progress(), votes or default_votes()
    progress.say(f"votes   {parse_address(store).located}")
    turn = take_turn(LoopSettings(folder, store, chosen, rule, votes_only, min_votes), progress=progress)
    if as_json:
        typer.echo(json.dumps(None if turn is None else turn.to_json(), indent=2))
        return
    if turn is not None:
        typer.echo(f"turn {turn.number}   {turn.outcome}: {turn.why}")
        rate = "" if turn.pass_rate is None else f"; pass rate {turn.pass_rate:.1%}"
        typer.echo(f"data     {turn.pairs:,} pairs from {turn.votes:,} votes, {turn.base:,} others{rate}")
    typer.echo(f"current  {loop_folder.current()}")


def _recipe(recipe: str | None, model: str | None, data: str | None, settings: list[str]) -> Recipe:
    from tiebreak.cli.train import parsed_settings
    from tiebreak.recipe import Recipe
    from tiebreak.recipe.builtin import recipe_named

    start = Recipe() if recipe is None else recipe_named(recipe)
    flags = {"model.name": model, "data.source": data}
    said = {key: value for key, value in flags.items() if value is not None}
    return start.with_settings(said | parsed_settings(settings, said))
