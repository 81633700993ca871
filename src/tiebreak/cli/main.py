"""The `tiebreak` command: which subcommands there are, and how an error becomes a message and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from tiebreak.cli import chat, data, evaluate, export, loop, push, quickstart, recipes, runs, serve, train, votes
from tiebreak.engine.allocator import keep_memory
from tiebreak.errors import InputError, TiebreakError
from tiebreak.version import __version__

app = typer.Typer(
    name="tiebreak",
    help="Turn comparisons of two answers into a language model that gives the better one.",
    epilog="Start with: tiebreak quickstart",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=quickstart.EXAMPLE)(quickstart.quickstart)
app.add_typer(data.app, name="data")
app.command(epilog=train.SFT_EXAMPLE)(train.sft)
app.command(epilog=train.TRAIN_EXAMPLE)(train.train)
app.command(epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command(epilog=chat.EXAMPLE)(chat.chat)
app.command(epilog=serve.EXAMPLE)(serve.serve)
app.command(epilog=export.EXAMPLE)(export.export)
app.command(epilog=push.EXAMPLE)(push.push)
app.command("push-data", epilog=push.DATA_EXAMPLE)(push.push_data)
app.add_typer(runs.app, name="runs")
app.add_typer(recipes.app, name="recipes")
app.add_typer(votes.app, name="votes")
app.command(epilog=loop.EXAMPLE)(loop.loop)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tiebreak {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error; may stand anywhere.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong input, 1 anything else, 130 interrupted."""
    keep_memory()  # before anything imports torch
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    sys.exit(_exit_code([argument for argument in given if argument != "--debug"], debug))


def _exit_code(arguments: list[str], debug: bool) -> int:
    try:
        app(arguments, prog_name="tiebreak")  # prints usage errors itself, and ends by SystemExit
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    except KeyboardInterrupt:
        _tell("Stopped.")
        return 130
    except TiebreakError as error:
        if debug:
            traceback.print_exc()
        _tell(str(error), "error" if isinstance(error, InputError) or error.exit_code == 1 else "stopped")
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last resort: told, with how to learn more
        if debug:
            traceback.print_exc()
        first = str(error).strip().split("\n")[0]
        _tell(f"{type(error).__name__}: {first}\n  what to do: run it again with --debug for the traceback", "failed")
        return 1
    return 0


def _tell(message: str, word: str = "") -> None:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    head = f"{word}: " if word else ""
    if colour and head:
        head = f"\x1b[1;31m{head}\x1b[0m"
    print(head + _printable(message), file=sys.stderr)


def _printable(message: str) -> str:
    """The message without control characters, which data may have brought along."""
    return "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in message)
