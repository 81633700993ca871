"""A server from its first check to its end: what can be wrong is said before a model is loaded."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from tiebreak.errors import InputError, Interrupted, RunError
from tiebreak.serve.settings import ServeSettings, check_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tiebreak.serve.engine import Engine

EngineKind = Literal["local", "openai"]
# Mounts pages; a function so that pages can know engine and settings.
Pages = Callable[["FastAPI", "Engine", ServeSettings], "FastAPI"]
_NEEDED = ("fastapi", "uvicorn", "prometheus_client", "httpx", "gradio", "sqlalchemy", "alembic")
# How long answers that are on their way may go on once the server is asked to stop.
_GRACE_SECONDS = 5


def serve(
    models: Sequence[str],
    settings: ServeSettings,
    *,
    engine: EngineKind = "local",
    base: bool = False,
    base_url: str | None = None,
    upstream_key: str | None = None,
    pages: Pages | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve models until the process is asked to stop.

    Args:
        models: as `find_models` takes them; with `openai`, names of the other server's models, or none for all.
        settings: of the server.
        engine: `local` generates here; `openai` lets another server generate.
        base: serve the model that each run started from as well.
        base_url: address of the other server's API.
        upstream_key: key for the other server.
        pages: mounts pages on the app.
        tell: called with each sentence that is worth knowing.
    Raises:
        InputError: something that the user gave is wrong, the port is in use, or the extra is missing.
        RunError: the other server cannot be reached.
        Interrupted: Ctrl-C; being terminated is a plain end.
    """
    require_extra()
    check_settings(settings)
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
    with listening(settings) as place, _engine(models, settings, engine, base, base_url, upstream_key, tell) as chosen:
        _serve(chosen, settings, place, pages, tell)


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
    with socket.socket(family, kind) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                what, fix = f"Port {settings.port} is in use.", f"choose another, such as --port {settings.port + 1}"
                raise InputError(what, where="--port", fix=fix) from None
            if error.errno == errno.EACCES:
                what = f"Port {settings.port} is not allowed to you."
                raise InputError(what, where="--port", fix="choose one above 1023") from None
            raise InputError(f"This machine has no address '{settings.host}'.", where="--host") from None
        yield place


@contextlib.contextmanager
def _engine(
    models: Sequence[str],
    settings: ServeSettings,
    kind: EngineKind,
    base: bool,
    base_url: str | None,
    upstream_key: str | None,
    tell: Callable[[str], None],
) -> Iterator[Engine]:
    limits = settings.limits
    if kind == "openai":
        from tiebreak.serve.remote import RemoteEngine

        yield RemoteEngine(base_url or "", models, api_key=upstream_key, queue=limits.queue)
        return
    from tiebreak.serve.loading import find_models

    found = find_models(models, base=base)
    _leave_a_core()
    from tiebreak.serve.following import following
    from tiebreak.serve.local import LocalEngine

    local = LocalEngine(found, rows=limits.rows, queue=limits.queue, max_prompt_tokens=limits.prompt_tokens, tell=tell)
    with following(local, found, tell=tell):
        yield local


def _leave_a_core() -> None:
    """Leave one core to the part that talks with clients, unless the user has said how many threads there are."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))


def _serve(
    engine: Engine,
    settings: ServeSettings,
    place: socket.socket,
    pages: Pages | None,
    tell: Callable[[str], None],
) -> None:
    import uvicorn

    from tiebreak.serve.app import create_app

    app = create_app(engine, settings, mount=None if pages is None else lambda app: pages(app, engine, settings))
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws_max_size=settings.limits.body_bytes,
    )

    class Server(uvicorn.Server):
        """One that says where it is, and that ends a process by returning instead of by the signal again."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                host, port = place.getsockname()[:2]
                tell(f"Serving on http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C stops)")

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
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
        server.run(sockets=[place])
    except SystemExit:
        raise RunError("The server could not be started.", fix="run it again with --debug") from None
    if not server.started:
        raise RunError("The server could not be started.", fix="run it again with --debug")
    tell("Stopped.")
    if server.interrupted:
        raise Interrupted("Stopped by Ctrl-C.")
