"""The `tiebreak` command: which subcommands there are, and how an error becomes a message and an exit code.

Knows the names of the commands; what each does is in the module of its name.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated, Any

import typer

from tiebreak.cli import (
    chat,
    data,
    doctor,
    evaluate,
    export,
    loop,
    push,
    quickstart,
    recipes,
    runs,
    serve,
    sweep,
    train,
    votes,
)
from tiebreak.cli.failures import failure_of, print_failure, usage_failure
from tiebreak.process.allocator import tune_process
from tiebreak.version import __version__

KEYBOARD = 130

app = typer.Typer(
    name="tiebreak",
    help="Turn comparisons of two answers into a language model that gives the better one.",
    epilog="Start with: tiebreak quickstart",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=quickstart.EXAMPLE)(quickstart.quickstart)
app.add_typer(data.app, name="data")
app.command(epilog=train.SFT_EXAMPLE)(train.sft)
app.command(epilog=train.TRAIN_EXAMPLE)(train.train)
app.command(epilog=sweep.EXAMPLE)(sweep.sweep)
app.command(epilog=doctor.EXAMPLE)(doctor.doctor)
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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tiebreak {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of an error. Works at any position.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong input, 1 anything else, 130 interrupted."""
    _take_interrupts()
    tune_process()  # the process is the command's own; before anything imports torch
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    sys.exit(_exit_code([argument for argument in given if argument != "--debug"], debug=debug))


def _take_interrupts() -> None:
    """Let SIGINT stop a command that was begun with SIGINT ignored, as a script's jobs in the background are.

    Only where it leads a session: then no keyboard can send it, and whoever does means this command. So a page stops
    the training that it began, however the server was started.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and hasattr(os, "getsid") and os.getsid(0) == os.getpid():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit_code(arguments: list[str], *, debug: bool) -> int:
    as_json = "--json" in arguments
    try:
        ended = app(arguments, prog_name="tiebreak", standalone_mode=False)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    except BaseException as error:  # noqa: BLE001  the last resort: a message, and how to learn more
        if debug:
            traceback.print_exc()
        if hasattr(error, "format_message"):
            return _usage(error, as_json=as_json)
        failure = failure_of(error)
        print_failure(failure, as_json=as_json)
        return failure.exit_code
    if ended == KEYBOARD:  # the parser catches what the keyboard raises
        print_failure(failure_of(KeyboardInterrupt()), as_json=as_json)
    return ended if isinstance(ended, int) else 0


def _usage(error: Any, *, as_json: bool) -> int:
    """A command line that cannot be parsed, in the parser's own frame."""
    from typer.rich_utils import rich_format_error

    failure = usage_failure(error)
    rich_format_error(error)
    if failure.fix is not None:
        print(f"  what to do: {failure.fix}", file=sys.stderr)
    print_failure(failure, as_json=as_json, said=True)
    return failure.exit_code
