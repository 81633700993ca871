"""A server from its first check to its end: what can be wrong is said before a model is loaded."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError, Interrupted, RunError
from tiebreak.serve.settings import DATA_POLICY, PAGE_POLICY, ServeSettings, check_settings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from tiebreak.serve.generation.engine import Engine

EngineKind = Literal["local", "openai"]
# Puts the pages on an app, before an engine.
Pages = Callable[["FastAPI", "Engine"], "FastAPI"]
_NEEDED = (
    *("fastapi", "uvicorn", "prometheus_client", "httpx", "gradio", "sqlalchemy", "alembic"),
    *("markdown_it", "mdit_py_plugins", "latex2mathml", "nh3"),
)
_NO_PAGES = ("/v1", "/healthz", "/metrics", "/openapi.json")
# How long answers that are on their way may go on once the server is asked to stop.
_GRACE_SECONDS = 5


def serve_models(
    models: Sequence[str | os.PathLike[str]] | str | os.PathLike[str] = (),
    settings: ServeSettings | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    votes: str | os.PathLike[str] | None = None,
    runs: str | os.PathLike[str] | None = "runs",
    base: bool = False,
    engine: EngineKind = "local",
    base_url: str | None = None,
    upstream_key: str | None = None,
    progress: bool = False,
) -> None:
    """Serve models until the program is interrupted. This is `tiebreak.serve`, and does as `tiebreak serve` does.

    Keys and passwords are those of the settings alone; no environment variable is read for them.

    Args:
        models: a run, a run folder, a loop, Hub id, folder or `bundled:base`, or several of them.
        settings: everything that can be set about a server; None is the defaults.
        host, port, votes: in place of those of the settings; port 0 is any free one.
        runs: folder of the runs that the pages show; None serves the API without pages.
        base: serve the model that each run started from as well.
        engine, base_url, upstream_key: `openai` lets the server at the address generate, which is sent the key.
        progress: True says on stderr where the server is, and what else is worth knowing.
    Raises:
        InputError: something that was given is wrong, the port is in use, the votes cannot be opened, or a package is
            missing.
        RunError: the other server cannot be reached.
        Interrupted: Ctrl-C, or the notebook's kernel was interrupted.
    """
    names = [models] if isinstance(models, str | os.PathLike) else list(models)
    said: dict[str, Any] = {"host": host, "port": port, "votes": None if votes is None else os.fspath(votes)}
    chosen = replace(settings or ServeSettings(), **{key: value for key, value in said.items() if value is not None})
    with _kept(engine):
        serve(
            [os.fspath(name) for name in names],
            chosen,
            engine=engine,
            base=base,
            base_url=base_url,
            upstream_key=upstream_key,
            runs=None if runs is None else Path(runs),
            on_message=(lambda sentence: print(sentence, file=sys.stderr, flush=True)) if progress else lambda _: None,
        )


def _kept(engine: EngineKind) -> contextlib.AbstractContextManager[None]:
    """The host process stays as it is; before another server no library is loaded that could change it."""
    if engine == "openai":
        return contextlib.nullcontext()
    from tiebreak.process.host import same_host

    return same_host()


def serve(
    models: Sequence[str],
    settings: ServeSettings,
    *,
    engine: EngineKind = "local",
    base: bool = False,
    base_url: str | None = None,
    upstream_key: str | None = None,
    runs: Path | None = None,
    on_message: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve models until the process is asked to stop.

    Args:
        models: as `find_models` takes them; with `openai`, names of the other server's models, or none for all.
        settings: of the server.
        engine: `local` generates here; `openai` lets another server generate.
        base: serve the model that each run started from as well.
        base_url: address of the other server's API.
        upstream_key: key for the other server.
        runs: folder of the runs that the pages show; None serves the API without pages.
        on_message: called with each sentence that is worth knowing.
    Raises:
        InputError: something that the user gave is wrong, the port is in use, the votes cannot be opened, or a package
            is missing.
        RunError: the other server cannot be reached.
        Interrupted: Ctrl-C; being terminated is a plain end.
    """
    require_extra()
    check_settings(settings)
    _check_engine(engine, base, base_url)
    with (
        listening(settings) as listener,
        _pages(settings, runs, on_message) as (with_policies, pages),
        _engine(models, settings, engine, base, base_url, upstream_key, on_message) as chosen,
    ):
        _serve(chosen, with_policies, listener, pages, on_message)


def _check_engine(engine: EngineKind, base: bool, base_url: str | None) -> None:
    if engine == "openai" and not base_url:
        raise InputError(
            "The engine 'openai' needs the address of a server.",
            where="--base-url",
            fix="for example: --base-url http://127.0.0.1:8000/v1",
        )
    if engine == "local" and base_url:
        raise InputError(
            "An address is given, but the models are run here.", where="--base-url", fix="add --engine openai"
        )
    if engine == "openai" and base:
        raise InputError("The base of another server's model is not known.", where="--base", fix="name both models")


def require_extra() -> None:
    """Refuse to begin without what the extra brings.

    Raises:
        InputError: a package is missing.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"Serving needs packages that are not installed: {', '.join(missing)}.",
            fix='pip install "tiebreak[serve]"',
        )


@contextlib.contextmanager
def listening(settings: ServeSettings) -> Iterator[socket.socket]:
    """Take the port, so that nothing is loaded for a port that somebody else has; nobody is answered yet.

    Raises:
        InputError: it is in use, not allowed, or the host is none of this machine.
    """
    host = settings.host.strip("[]")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise InputError(f"There is no host '{settings.host}'.", where="--host") from None
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                what, fix = f"Port {settings.port} is in use.", f"choose another, such as --port {settings.port + 1}"
                raise InputError(what, where="--port", fix=fix) from None
            if error.errno == errno.EACCES:
                what = f"Port {settings.port} is not allowed to you."
                raise InputError(what, where="--port", fix="choose one above 1023") from None
            raise InputError(f"This machine has no address '{settings.host}'.", where="--host") from None
        yield listener


@contextlib.contextmanager
def _pages(
    settings: ServeSettings, runs: Path | None, on_message: Callable[[str], None]
) -> Iterator[tuple[ServeSettings, Pages | None]]:
    """The settings with the pages' policies, and what puts the pages on an app; the votes are open meanwhile."""
    if runs is None:
        yield settings, None
        return
    from tiebreak.serve.pages import mount_pages
    from tiebreak.votes import open_votes
    from tiebreak.votes.address import default_votes, parse_address

    limits = settings.limits
    policies = (("/", PAGE_POLICY), *((path, DATA_POLICY) for path in _NO_PAGES))
    page_settings = replace(
        settings.pages,
        max_tokens=limits.answer_tokens,
        default_tokens=min(limits.default_answer_tokens, limits.answer_tokens),
        seconds=limits.seconds,
    )
    votes = settings.votes or default_votes(create_folder=True)
    with open_votes(votes) as store:
        on_message(f"Votes are kept in {parse_address(votes).located}")

        def pages(app: FastAPI, engine: Engine) -> FastAPI:
            return mount_pages(app, engine, votes=store, runs=runs, settings=page_settings)

        yield replace(settings, policies=policies), pages


@contextlib.contextmanager
def _engine(
    models: Sequence[str],
    settings: ServeSettings,
    kind: EngineKind,
    base: bool,
    base_url: str | None,
    upstream_key: str | None,
    on_message: Callable[[str], None],
) -> Iterator[Engine]:
    limits = settings.limits
    if kind == "openai":
        from tiebreak.serve.generation.remote import RemoteEngine

        yield RemoteEngine(base_url or "", models, api_key=upstream_key, queue=limits.queue)
        return
    from tiebreak.serve.generation.loading import find_models

    found = find_models(models, base=base)
    from tiebreak.serve.generation.following import following
    from tiebreak.serve.generation.local import LocalEngine

    local = LocalEngine(
        found,
        rows=limits.rows,
        queue=limits.queue,
        max_prompt_tokens=limits.prompt_tokens,
        on_message=on_message,
    )
    with _leaving_a_core(), following(local, found, on_message=on_message):
        yield local


@contextlib.contextmanager
def _leaving_a_core() -> Iterator[None]:
    """Leave one core to the part that talks with clients, unless the user has said how many threads there are."""
    import torch

    threads = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, threads - 1))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _serve(
    engine: Engine,
    settings: ServeSettings,
    listener: socket.socket,
    pages: Pages | None,
    on_message: Callable[[str], None],
) -> None:
    import uvicorn

    from tiebreak.serve.app import create_app
    from tiebreak.serve.connections import server_config

    app = create_app(engine, settings, mount=None if pages is None else lambda app: pages(app, engine))
    config = server_config(app, timeout_graceful_shutdown=_GRACE_SECONDS, ws_max_size=settings.limits.body_bytes)

    class Server(uvicorn.Server):
        """One that says where it is, and that ends a process by returning instead of by the signal again."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                host, port = listener.getsockname()[:2]
                on_message(f"Serving on http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C stops)")

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            if threading.current_thread() is not threading.main_thread():
                yield  # signals reach the main thread only
                return
            before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

        @property
        def interrupted(self) -> bool:
            return signal.SIGINT in self._captured_signals

    server = Server(config)
    try:
        _run(server, listener)
    except SystemExit:
        raise RunError("The server could not be started.", fix="run it again with --debug") from None
    if not server.started:
        raise RunError("The server could not be started.", fix="run it again with --debug")
    on_message("Stopped.")
    if server.interrupted:
        raise Interrupted("Stopped by Ctrl-C.")


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run the server to its end: here, or beside an event loop that runs here already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        server.run(sockets=[listener])
        return
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="tiebreak-serve")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        server.should_exit = True
        thread.join()
        raise Interrupted("Stopped by Ctrl-C.") from None
