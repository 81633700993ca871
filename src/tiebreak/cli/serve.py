"""`tiebreak serve`: models behind an address. Parses and calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

EXAMPLE = "Example: tiebreak serve runs/mine --base --port 5000"


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL|RUN…", help="Run folders, loops, Hub ids, folders, or bundled:base.", show_default=False
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is for this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any free one.")] = 5000,
    votes: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the votes; default: votes.db here.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the runs that the pages show.")] = Path("runs"),
    pages: Annotated[bool, typer.Option("--pages/--no-pages", help="The pages, or the API alone.")] = True,
    base: Annotated[bool, typer.Option("--base", help="Serve the model that each run started from as well.")] = False,
    engine: Annotated[
        Literal["local", "openai"], typer.Option(help="Generate here, or by a server that speaks OpenAI's API.")
    ] = "local",
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="With --engine openai: http://127.0.0.1:8000/v1 or the like.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Key that requests must bring; better in TIEBREAK_API_KEY, where others cannot see it."
        ),
    ] = None,
    auth: Annotated[
        str | None, typer.Option(metavar="USER:PASSWORD", help="Opens the pages, and the API as well.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Name under which browsers may reach the server; may be repeated.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Requests of a model that are answered together.")] = 16,
    queue: Annotated[int, typer.Option(min=0, help="Requests of a model that may wait.")] = 64,
    max_prompt_tokens: Annotated[int, typer.Option(min=1, help="Longest prompt.")] = 4096,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer that may be asked for.")] = 1024,
    requests_per_minute: Annotated[int, typer.Option(min=0, help="Of one client; 0 is no limit.")] = 600,
    timeout: Annotated[float, typer.Option(min=1, help="Longest time of a request, in seconds.")] = 120.0,
) -> None:
    """Serve models through pages, and through an API that OpenAI's clients speak.

    The key for the server behind --engine openai is read from OPENAI_API_KEY.
    """
    import os

    from tiebreak.serve.settings import KEY_VARIABLE, Limits, ServeSettings, parse_auth

    key = api_key if api_key is not None else os.environ.get(KEY_VARIABLE)
    settings = ServeSettings(
        host=host,
        port=port,
        api_keys=() if key is None else (key,),
        auth=parse_auth(auth),
        allowed_hosts=tuple(allowed_host) if allowed_host else None,
        limits=Limits(
            prompt_tokens=max_prompt_tokens,
            answer_tokens=max_tokens,
            seconds=timeout,
            requests_per_minute=requests_per_minute,
            queue=queue,
            rows=batch,
        ),
        votes=votes,
    )
    from tiebreak.serve.run import require_extra

    require_extra()
    from tiebreak.cli.terminal import quiet_libraries

    quiet_libraries()
    from contextlib import nullcontext

    from tiebreak.serve import run
    from tiebreak.serve.settings import check_settings
    from tiebreak.serve.with_pages import with_pages

    check_settings(settings)
    with with_pages(settings, runs) if pages else nullcontext((settings, None)) as (with_policies, mount):
        run.serve(
            models or (),
            with_policies,
            engine=engine,
            base=base,
            base_url=base_url,
            upstream_key=os.environ.get("OPENAI_API_KEY"),
            pages=mount,
            tell=lambda sentence: typer.echo(sentence, err=True),
        )
