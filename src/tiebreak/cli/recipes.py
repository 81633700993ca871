"""`tiebreak recipes`: the built-in recipes, the keys a recipe has, and the objectives. Parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiebreak.recipe.keys import Key

app = typer.Typer(no_args_is_help=True, help="Look at recipes, and copy one to change it.")

Name = Annotated[str, typer.Argument(help="Name of a built-in recipe.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


@app.command("list", epilog="Example: tiebreak recipes list")
def list_(as_json: AsJson = False) -> None:
    """List the built-in recipes."""
    import json

    from tiebreak.recipe.builtin import builtin_names, builtin_summary

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
    from tiebreak.recipe.builtin import builtin_text

    typer.echo(builtin_text(name), nl=False)


@app.command(epilog="Example: tiebreak recipes copy quickstart mine.yaml")
def copy(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Where to write it.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> None:
    """Copy a recipe to a file, to change it."""
    from tiebreak.recipe.builtin import builtin_text

    _write_new(file, builtin_text(name), "recipe", force=force)
    typer.echo(f"Written to {file}. Run it with: tiebreak train {file}", err=True)


@app.command(epilog="Example: tiebreak recipes keys train")
def keys(
    section: Annotated[str | None, typer.Argument(help="Only this section, or this key.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List every key that a recipe may have: its default, what it may be, its unit and what it means."""
    import json

    from tiebreak.errors import InputError
    from tiebreak.recipe import Recipe, described_keys

    sections = list(Recipe.model_fields)
    every = described_keys(Recipe)
    found = [key for key in every if section is None or key.name == section or key.name.startswith(section + ".")]
    if not found:
        raise InputError(f"A recipe has no section or key '{section}'.", fix=_nearest(section or "", sections, every))
    if as_json:
        typer.echo(json.dumps([key.to_json() for key in found], indent=2, ensure_ascii=False))
        return
    for key in found:
        typer.echo(f"{key.name} = {key.written_default}\n    {key.description}\n    allowed: {key.allowed}")


@app.command(epilog="Example: tiebreak recipes schema recipe.schema.json")
def schema(
    file: Annotated[
        Path | None, typer.Argument(help="Where to write it; stdout if not given.", show_default=False)
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="Print where the installed copy lies.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
) -> None:
    """Write the JSON Schema of a recipe, by which an editor completes and checks one."""
    from tiebreak.recipe.schema import SCHEMA_FILE, schema_text

    if path:
        typer.echo(SCHEMA_FILE)
    elif file is None:
        typer.echo(schema_text(), nl=False)
    else:
        _write_new(file, schema_text(), "schema", force=force)
        typer.echo(f"Written to {file}. First line of a recipe: # yaml-language-server: $schema={file}", err=True)


@app.command(epilog="Example: tiebreak recipes objectives simpo mymodule:my_loss")
def objectives(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these; MODULE:FUNCTION is a loss of your own.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the objectives: the losses that a recipe can name."""
    import json

    from tiebreak.objectives import objective_named, objective_names
    from tiebreak.tasks import TASKS

    found = [objective_named(name, where="NAMES") for name in names or objective_names()]
    if as_json:
        rows = {
            entry.name: {
                "settings": dict(entry.settings),
                "summary": entry.summary,
                "source": entry.source,
                "needs_reference": entry.needs_reference,
                "unpaired": entry.task == "unpaired",
            }
            for entry in found
        }
        typer.echo(json.dumps(rows, indent=2))
        return
    for entry in found:
        settings = ", ".join(f"{name}={value}" for name, value in entry.settings.items())
        data = TASKS[entry.task].examples
        needs = "with a reference" if entry.needs_reference else "no reference"
        typer.echo(f"{entry.name} ({settings})  [{data}, {needs}]")
        for line in filter(None, (entry.summary, entry.source)):
            typer.echo(f"    {line}")


def _nearest(name: str, sections: list[str], keys: list[Key]) -> str:
    """What somebody may have meant: others' key of that name, the nearest one, or all sections."""
    import difflib

    from tiebreak.recipe.elsewhere import at_home, ours_for

    names = [key.name for key in keys]
    meant = at_home(name, names) or ours_for(name)
    near = difflib.get_close_matches(name, [*sections, *names], n=1)
    if meant is not None:
        return str(meant)
    return f"did you mean '{near[0]}'?" if near else f"its sections: {', '.join(sections)}"


def _write_new(file: Path, text: str, what: str, *, force: bool) -> None:
    from tiebreak.errors import InputError
    from tiebreak.files import write_text

    if file.exists() and not force:
        raise InputError(f"The file '{file}' exists.", fix="choose another name, or add --force")
    try:
        write_text(file, text)
    except OSError as error:
        raise InputError(f"The {what} cannot be written: {error.strerror}.", where=str(file)) from None
