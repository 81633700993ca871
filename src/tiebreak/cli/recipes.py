"""`tiebreak recipes`: the built-in recipes, the keys a recipe has, and the objectives. Parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at recipes, and copy one to change it.")

Name = Annotated[str, typer.Argument(help="Name of a built-in recipe.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


@app.command("list", epilog="Example: tiebreak recipes list")
def list_(as_json: AsJson = False) -> None:
    """List the built-in recipes."""
    import json

    from tiebreak.builtin import builtin_names, builtin_summary

    found = {name: builtin_summary(name) for name in builtin_names()}
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    width = max(map(len, found))
    for name, summary in found.items():
        typer.echo(f"{name:{width}}  {summary}")


@app.command(epilog="Example: tiebreak recipes show quickstart")
def show(name: Name) -> None:
    """Print a recipe as it is written."""
    from tiebreak.builtin import builtin_text

    typer.echo(builtin_text(name), nl=False)


@app.command(epilog="Example: tiebreak recipes copy quickstart mine.yaml")
def copy(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Where to write it.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> None:
    """Copy a recipe to a file, to change it."""
    from tiebreak.builtin import builtin_text
    from tiebreak.errors import InputError
    from tiebreak.files import write_text

    text = builtin_text(name)
    if file.exists() and not force:
        raise InputError(f"The file '{file}' exists.", fix="choose another name, or add --force")
    try:
        write_text(file, text)
    except OSError as error:
        raise InputError(f"The recipe cannot be written: {error.strerror}.", where=str(file)) from None
    typer.echo(f"Written to {file}. Run it with: tiebreak train {file}", err=True)


@app.command(epilog="Example: tiebreak recipes keys train")
def keys(
    section: Annotated[str | None, typer.Argument(help="Only this section.", show_default=False)] = None,
) -> None:
    """List every key that a recipe may have, with its default and what it means."""
    from tiebreak.errors import InputError
    from tiebreak.recipe import Recipe, described_keys

    sections = list(Recipe.model_fields)
    if section is not None and section not in sections:
        raise InputError(f"A recipe has no section '{section}'.", fix=f"it has: {', '.join(sections)}")
    for key, default, sentence in described_keys():
        if section is None or key.startswith(section + "."):
            typer.echo(f"{key} = {default}\n    {sentence}")


@app.command(epilog="Example: tiebreak recipes objectives")
def objectives(as_json: AsJson = False) -> None:
    """List the objectives: the losses that a recipe can name."""
    import json

    from tiebreak.objectives import objective_named, objective_names

    found = [objective_named(name) for name in objective_names()]
    if as_json:
        rows = {
            o.name: {
                "settings": dict(o.settings),
                "summary": o.summary,
                "source": o.source,
                "needs_reference": o.needs_reference,
                "unpaired": o.unpaired,
            }
            for o in found
        }
        typer.echo(json.dumps(rows, indent=2))
        return
    for entry in found:
        settings = ", ".join(f"{name}={value}" for name, value in entry.settings.items())
        kind = "labelled endings" if entry.unpaired else "pairs"
        needs = "with a reference" if entry.needs_reference else "no reference"
        typer.echo(f"{entry.name} ({settings})  [{kind}, {needs}]\n    {entry.summary}\n    {entry.source}")
