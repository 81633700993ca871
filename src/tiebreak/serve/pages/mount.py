"""Puts the pages into a FastAPI application: builds them, closes what they do not use, adds the export of votes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiebreak.errors import TiebreakError
from tiebreak.runs import RunFolder
from tiebreak.serve.api.guard import RateLimit, client_of
from tiebreak.serve.generation.engine import Engine, ServedModel
from tiebreak.serve.pages.chat import ChatPage
from tiebreak.serve.pages.compare import ComparePage
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.data import EXPORT, IN_ORDER, DataPage
from tiebreak.serve.pages.markup import escaped_line
from tiebreak.serve.pages.runs import RunsPage
from tiebreak.serve.pages.theme import SCRIPTS, STYLE, theme
from tiebreak.serve.settings import PAGE_POLICY, PageSettings, ServeSettings
from tiebreak.version import __version__
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.store import VoteStore
from tiebreak.votes.voters import known_voter, new_voter

_QUIET: Any = {"show_progress": "hidden", "api_visibility": "private"}
_WAITING = 256  # events of all visitors together that may wait
_TIMER_JS = "() => ({__type__: 'update', active: %s})"
# Gradio encrypts what a browser keeps; the key is in the page, so this hides nothing and only has to stay the same.
_BROWSER_SECRET = "tiebreak-browser"
_READ = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/static/[\w./-]+|/assets/[\w./-]+"
    r"|/gradio_api/(theme\.css|startup-events|queue/data|heartbeat/\w+)"
)
_WRITE = re.compile(r"/gradio_api/(queue/join|cancel|reset|run/predict)/?")
# The browser says what it wants in these; of the others Gradio would look for files by what stands in the query.
_ASKS = ("/gradio_api/queue/data",)
_COUNTED = ("/gradio_api/queue/join", "/gradio_api/run/")


def mount_pages(
    app: FastAPI, engine: Engine, *, votes: VoteStore | None, runs: Path, settings: PageSettings
) -> FastAPI:
    """Put the pages at `/`. What has another address must be added before, since everything else ends here.

    Args:
        app: gets the pages, and `/votes/export.jsonl` where votes are kept; `app.state.rate_limit`, where there is one,
            counts what is done on the pages, and `app.state.settings` says who may train.
        engine: that generates; it must serve one model at least.
        votes: the store; None collects none, and there is no Data page.
        runs: the folder of runs.
        settings: of the pages.
    Returns:
        The same application.
    """
    draws: Random = SystemRandom() if settings.seed is None else Random(settings.seed)
    blocks = _blocks(PageContext(engine, votes, runs, settings, draws), getattr(app.state, "settings", None))
    if votes is not None:
        _add_export(app, votes)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        head=_head(),
    )
    pages = app.router.routes[-1]
    if not isinstance(pages, Mount):
        raise TypeError("Gradio is not where it was mounted.")
    pages.app = Gate(pages.app, getattr(app.state, "rate_limit", None))
    return app


def _head() -> str:
    """Style and script of the pages. As a style of Gradio's the first would be rewritten, and lose the phone's part."""
    style, *scripts = (path.read_text(encoding="utf-8") for path in (STYLE, *SCRIPTS))
    script = "\n".join(scripts)
    return f'<meta name="color-scheme" content="light dark"><style>{style}</style><script>{script}</script>'


def _blocks(context: PageContext, server: ServeSettings | None) -> Any:
    settings, votes = context.settings, context.votes
    with gr.Blocks(title=settings.title, analytics_enabled=False) as blocks:
        session = gr.State(Session())
        voter = gr.BrowserState(None, storage_key="tiebreak-voter", secret=_BROWSER_SECRET)
        gr.HTML('<header class="tb-top"><h1>Tie<span>break</span></h1></header>')
        with gr.Tabs():
            with gr.Tab("Chat") as chat_tab:
                ChatPage(context, session)
            with gr.Tab("Compare") as compare_tab:
                compare = ComparePage(context, session, voter)
            with gr.Tab("Runs") as runs_tab:
                runs = RunsPage(context, session, server)
            data_tab = data = None
            if votes is not None:
                with gr.Tab("Data") as data_tab:
                    data = DataPage(context, session, voter, votes)
        gr.HTML(lambda: footer(list(context.engine.models())))  # as it is when the page is opened
        compare_tab.select(compare.open, [session, voter], compare.opened, **_QUIET)
        runs_tab.select(runs.open, session, [runs.list, runs.run], **_QUIET)
        if runs.training is not None:
            runs_tab.select(runs.training.view, session, runs.training.shown, **_QUIET)
        tabs = [chat_tab, compare_tab]
        if data_tab is not None and data is not None:
            tabs.append(data_tab)
            data_tab.select(data.open, [session, voter, *data.filters], data.opened, **_QUIET, **IN_ORDER)
        # In the browser: were the server asked, the answer for the tab that was left might come last.
        for tab in tabs:
            tab.select(None, None, runs.timer, js=_TIMER_JS % "false", api_visibility="private")
        runs_tab.select(None, None, runs.timer, js=_TIMER_JS % "true", api_visibility="private")
        blocks.load(lambda key: known_voter(key) or new_voter(), voter, voter, **_QUIET)
    blocks.queue(default_concurrency_limit=None, max_size=_WAITING, api_open=False)
    return blocks


def footer(models: list[ServedModel]) -> str:
    """Which models these are, with their licences."""
    lines = "".join(
        f"<li><strong>{escaped_line(model.title)}</strong>{_maker(model)} · "
        f"{'licence ' + escaped_line(model.license) if model.license else 'licence not known'}</li>"
        for model in models
    )
    return (
        f'<div class="tb-foot tb-quiet"><ul>{lines}</ul>'
        f"Tiebreak {escaped_line(__version__)}. Answers are written by machines and may be wrong.</div>"
    )


def _maker(model: ServedModel) -> str:
    """The run that made a model, where the model goes by another name."""
    run = RunFolder(Path(model.run)).title if model.run else model.title
    return "" if run == model.title else f" · {escaped_line(run)}"


def _add_export(app: FastAPI, votes: VoteStore) -> None:
    @app.get(EXPORT, include_in_schema=False)
    def export() -> Response:
        """The rows to train on that the votes give, one JSON object a line."""
        try:
            rows, _ = training_rows(votes.every())
        except TiebreakError as error:
            return PlainTextResponse(error.what, status_code=503)
        headers = {"Content-Disposition": 'attachment; filename="votes.jsonl"', "Cache-Control": "no-store"}
        return StreamingResponse(_lines(rows), media_type="application/x-ndjson", headers=headers)


def _lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False) + "\n"


class Gate:
    """Stands before Gradio's application: the addresses that the pages use are open, and no other.

    Gradio brings uploads, files, proxies, recordings, histories and more. None of that is used here, so none of it
    answers.

    Args:
        app: Gradio's application.
        rate: how much one client may ask; None is no limit.
    """

    def __init__(self, app: ASGIApp, rate: RateLimit | None = None) -> None:
        self.app, self.rate = app, rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":  # the pages use none
                await send({"type": "websocket.close", "code": 1008})
            return
        path, method = str(scope["path"]), scope["method"]
        pattern = _READ if method in ("GET", "HEAD") else _WRITE if method == "POST" else None
        if pattern is None or ".." in path or not pattern.fullmatch(path):
            await PlainTextResponse("There is nothing here.", status_code=404)(scope, receive, _with_headers(send))
            return
        if self.rate is not None and path.startswith(_COUNTED) and (wait := self.rate.wait(client_of(scope))):
            # In the form in which the script of the pages reads a sentence.
            said = {"detail": f"Too many requests. Try again in {wait} s."}
            answer = JSONResponse(said, status_code=429, headers={"Retry-After": str(wait)})
            await answer(scope, receive, _with_headers(send))
            return
        if path not in _ASKS:
            scope = {**scope, "query_string": b""}
        await self.app(scope, receive, _with_headers(send, lasting=path.startswith("/assets/")))


def _with_headers(send: Send, *, lasting: bool = False) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = PAGE_POLICY
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            if lasting and message["status"] == 200:  # the name of an asset changes when its content does
                headers["Cache-Control"] = "public, max-age=31536000, immutable"
        await send(message)

    return send_with
