"""`tiebreak chat`: a conversation in the terminal. Parses, calls, prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiebreak.workflow.chat import Conversation

EXAMPLE = 'Example: tiebreak chat runs/mine --base --prompt "What is the capital of France?"'


def chat(
    model: Annotated[
        str, typer.Argument(help="Run folder, Hub id, folder, GGUF file, or bundled:base.", show_default=False)
    ],
    prompt: Annotated[str | None, typer.Option(help="Answer this prompt and exit; - reads it from stdin.")] = None,
    base: Annotated[bool, typer.Option("--base", help="Also show the answer of the run's base model.")] = False,
    system: Annotated[str | None, typer.Option(help="A system message before the conversation.")] = None,
    temperature: Annotated[float, typer.Option(min=0, max=5, help="Sampling temperature; 0 is greedy.")] = 0.7,
    top_p: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the probability to sample from (nucleus).")
    ] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
) -> None:
    """Talk to a model; its answers appear as they are generated."""
    import sys

    from tiebreak.cli.terminal import quiet_libraries

    quiet_libraries()
    from tiebreak.generation.sampling import Sampling
    from tiebreak.workflow.chat import open_conversation

    sampling = Sampling(temperature, top_p, max_new_tokens, seed)
    conversation = open_conversation(model, base=base, system=system, sampling=sampling)
    for speaker in conversation.speakers:
        if speaker.note is not None:
            typer.echo(f"{speaker.name.strip()}: {speaker.note}", err=True)
    if prompt is not None:
        text = sys.stdin.read() if prompt == "-" else prompt
        _answer(conversation, _nonempty(text))
        return
    _talk(conversation)


def _talk(conversation: Conversation) -> None:
    import sys

    interactive = sys.stdin.isatty()
    if interactive:
        typer.echo("Type a message. /new starts a new conversation, /quit or Ctrl-D ends.", err=True)
    while True:
        try:
            text = input("\nyou › " if interactive else "").strip()
        except EOFError:
            return
        if text in ("/quit", "/exit"):
            return
        if text == "/new":
            conversation.restart()
            typer.echo("A new conversation.", err=True)
        elif text.startswith("/"):
            typer.echo("Unknown command. Use /new or /quit.", err=True)
        elif text:
            _answer(conversation, text)


def _nonempty(text: str) -> str:
    from tiebreak.errors import InputError

    if not text.strip():
        raise InputError("The prompt is empty.", where="--prompt", fix="give a text, or - to read it from stdin")
    return text.strip()


def _answer(conversation: Conversation, text: str) -> None:
    import sys

    for name, pieces in conversation.answers(text):
        if name:
            typer.echo(f"{name} › ", nl=False)
        try:
            for piece in pieces:
                sys.stdout.write(_printable(piece))
                sys.stdout.flush()
        except KeyboardInterrupt:
            typer.echo(" …", nl=False)
        typer.echo("")


def _printable(text: str) -> str:
    """Text of a model without the control characters that would steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable())
