"""`tiebreak export`: a run's model in another form. Parses, calls, prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "Example: tiebreak export runs/mine --merge --out models/mine"


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    merge: Annotated[
        bool, typer.Option("--merge", help="Merge the adapter into the model: plain weights in safetensors.")
    ] = False,
    gguf: Annotated[
        bool, typer.Option("--gguf", help="Write a GGUF file and an Ollama Modelfile, with llama.cpp's converter.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder to create; inside the run if not given.", show_default=False)
    ] = None,
) -> None:
    """Write a run's model for use elsewhere."""
    from tiebreak.cli.terminal import quiet_libraries

    quiet_libraries()
    from tiebreak.workflow.export import export_run

    for path in export_run(run, out, merge=merge, gguf=gguf):
        typer.echo(path)
