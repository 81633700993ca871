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
            metavar="MODEL|RUN…",
            help="Run folders, loops, Hub ids, folders, GGUF files, or bundled:base.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is for this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 is any free one.")] = 5000,
    votes: Annotated[
        str | None,
        typer.Option(metavar="URL", help="File or URL of the votes; default: votes.db here if it exists, else yours."),
    ] = None,
    prompts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Prompts to compare answers to: one on a line, or JSON lines with 'prompt'."),
    ] = None,
    pairing: Annotated[
        Literal["chosen", "uniform", "least-known"],
        typer.Option(help="Which two models are compared: the voter chooses, or they are drawn and hidden."),
    ] = "chosen",
    stewards: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY",
            help="Key or name of a voter who may correct all votes; may be repeated. Keys are better in "
            "TIEBREAK_STEWARDS, where others cannot see them.",
        ),
    ] = None,
    stewards_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same in a file, one on a line.")
    ] = None,
    votes_per_minute: Annotated[int, typer.Option(min=0, help="Of one voter; 0 is no limit.")] = 30,
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
    api_key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keys of which requests must bring one, one on a line.")
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD",
            help="Opens the pages, and the API as well; better in TIEBREAK_AUTH, where others cannot see it.",
        ),
    ] = None,
    auth_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same in a file: USER:PASSWORD on its only line.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Name under which browsers may reach the server; may be repeated.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Proxy or network whose X-Forwarded-For is believed; may be repeated."),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Site whose pages may use the API, not the votes; may be repeated."),
    ] = None,
    train: Annotated[
        bool | None,
        typer.Option(
            "--train/--no-train",
            help="Trainings from the Runs page; default: only where no other machine can reach the server.",
            show_default=False,
        ),
    ] = None,
    train_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keys that may train as well as ask, one on a line; other keys may not."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Requests of a model that are answered together.")] = 16,
    queue: Annotated[int, typer.Option(min=0, help="Requests of a model that may wait.")] = 64,
    max_prompt_tokens: Annotated[int, typer.Option(min=1, help="Longest prompt.")] = 4096,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer that may be asked for.")] = 1024,
    over_max_tokens: Annotated[
        Literal["cut", "refuse"], typer.Option(help="What is done with who asks for more: cut and say so, or refuse.")
    ] = "cut",
    requests_per_minute: Annotated[int, typer.Option(min=0, help="Of one client; 0 is no limit.")] = 600,
    timeout: Annotated[float, typer.Option(min=1, help="Longest time of a request, in seconds.")] = 120.0,
) -> None:
    """Serve models through pages, and through an API that OpenAI's clients speak.

    The key for the server behind --engine openai is read from OPENAI_API_KEY.
    """
    import os

    from tiebreak.serve.prompts import read_prompts
    from tiebreak.serve.settings import (
        AUTH_VARIABLE,
        KEY_VARIABLE,
        STEWARDS_VARIABLE,
        Limits,
        PageSettings,
        ServeSettings,
        parse_auth,
        secrets_from,
        secrets_in,
    )
    from tiebreak.votes.voters import stewards_of

    keys = secrets_from(api_key, api_key_file, option="--api-key", variable=KEY_VARIABLE)
    named = ",".join(stewards) if stewards else None
    trusted = secrets_from(named, stewards_file, option="--stewards", variable=STEWARDS_VARIABLE)
    train_keys = () if train_key_file is None else secrets_in(train_key_file, where="--train-key-file")
    users = secrets_from(auth, auth_file, option="--auth", variable=AUTH_VARIABLE)
    settings = ServeSettings(
        host=host,
        port=port,
        api_keys=(*keys, *(key for key in train_keys if key not in keys)),
        auth=parse_auth(users),
        allowed_hosts=tuple(allowed_host) if allowed_host else None,
        limits=Limits(
            prompt_tokens=max_prompt_tokens,
            answer_tokens=max_tokens,
            cut_answers=over_max_tokens == "cut",
            seconds=timeout,
            requests_per_minute=requests_per_minute,
            queue=queue,
            rows=batch,
        ),
        votes=votes,
        trusted_proxies=tuple(trusted_proxy or ()),
        train=train,
        train_keys=train_keys,
        cors_origins=tuple(origin.lower().rstrip("/") for origin in cors or ()),
        pages=PageSettings(
            stewards=stewards_of(trusted),
            votes_per_minute=votes_per_minute,
            pairing=pairing,
            prompts=() if prompts is None else read_prompts(prompts),
        ),
    )
    from tiebreak.serve import run

    run.require_extra()
    from tiebreak.cli.terminal import quiet_libraries

    quiet_libraries()
    run.serve(
        models or (),
        settings,
        engine=engine,
        base=base,
        base_url=base_url,
        upstream_key=os.environ.get("OPENAI_API_KEY"),
        runs=runs if pages else None,
        on_message=lambda sentence: typer.echo(sentence, err=True),
    )
