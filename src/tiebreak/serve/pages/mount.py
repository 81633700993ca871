"""Puts the pages into a FastAPI application: builds them, closes what they do not use, adds the export of votes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount

from tiebreak.errors import TiebreakError
from tiebreak.runs import RunFolder
from tiebreak.serve.engine import Engine, ServedModel
from tiebreak.serve.pages.blind import new_voter
from tiebreak.serve.pages.chat import ChatPage
from tiebreak.serve.pages.compare import ComparePage, known_voter
from tiebreak.serve.pages.data import EXPORT, DataPage
from tiebreak.serve.pages.gate import Gate
from tiebreak.serve.pages.markup import escaped_line
from tiebreak.serve.pages.places import Place
from tiebreak.serve.pages.runs import RunsPage
from tiebreak.serve.pages.session import Session
from tiebreak.serve.pages.settings import PageSettings
from tiebreak.serve.pages.theme import SCRIPT, STYLE, theme
from tiebreak.version import __version__
from tiebreak.votes.pairs import training_rows
from tiebreak.votes.store import VoteStore

_QUIET: Any = {"show_progress": "hidden", "api_visibility": "private"}
_WAITING = 256  # events of all visitors together that may wait
# Gradio encrypts what a browser keeps; the key is in the page, so this hides nothing and only has to stay the same.
_BROWSER_SECRET = "tiebreak-browser"


def mount_pages(
    app: FastAPI, engine: Engine, *, votes: VoteStore | None, runs: Path, settings: PageSettings
) -> FastAPI:
    """Put the pages at `/`. What has another address must be added before, since everything else ends here.

    Args:
        app: gets the pages, and `/votes/export.jsonl` where votes are kept; `app.state.rate_limit`, where there is one,
            counts what is done on the pages.
        engine: that generates; it must serve one model at least.
        votes: the store; None collects none, and there is no Data page.
        runs: the folder of runs.
        settings: of the pages.
    Returns:
        The same application.
    """
    draws: Random = SystemRandom() if settings.seed is None else Random(settings.seed)
    blocks = _blocks(Place(engine, votes, runs, settings, draws))
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
    style, script = (path.read_text(encoding="utf-8") for path in (STYLE, SCRIPT))
    return f'<meta name="color-scheme" content="light dark"><style>{style}</style><script>{script}</script>'


def _blocks(place: Place) -> Any:
    settings, votes = place.settings, place.votes
    with gr.Blocks(title=settings.title, analytics_enabled=False) as blocks:
        session = gr.State(Session())
        voter = gr.BrowserState(None, storage_key="tiebreak-voter", secret=_BROWSER_SECRET)
        gr.HTML('<header class="tb-top"><h1>Tie<span>break</span></h1></header>')
        with gr.Tabs():
            with gr.Tab("Chat") as chat_tab:
                ChatPage(place, session)
            with gr.Tab("Compare") as compare_tab:
                compare = ComparePage(place, session, voter)
            with gr.Tab("Runs") as runs_tab:
                runs = RunsPage(place, session)
            data_tab = data = None
            if votes is not None:
                with gr.Tab("Data") as data_tab:
                    data = DataPage(place, session, voter, votes)
        gr.HTML(lambda: footer(list(place.engine.models())))  # as it is when the page is opened
        compare_tab.select(compare.count, None, compare.account, **_QUIET)
        runs_tab.select(runs.open, session, [runs.list, runs.run, runs.timer], **_QUIET)
        tabs = [chat_tab, compare_tab]
        if data_tab is not None and data is not None:
            tabs.append(data_tab)
            shown = [data.filters[0], data.key, data.list, data.newer, data.older]
            data_tab.select(data.open, [session, voter, *data.filters], shown, **_QUIET)
        for tab in tabs:
            tab.select(lambda: gr.Timer(active=False), None, runs.timer, **_QUIET)
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
