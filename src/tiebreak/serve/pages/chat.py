"""The Chat page: a conversation with a model, and with the one it was trained from beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import gradio as gr

from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.serve.generation.engine import ServedModel, find_model
from tiebreak.serve.pages.context import Exchange, PageContext, Session
from tiebreak.serve.pages.conversation import kept_html, new_id, restored
from tiebreak.serve.pages.markup import PICK_JS, answer_card, escaped_line, notice, pick_button, picked, said
from tiebreak.serve.pages.sampling_settings import SamplingSettings, checked_text, sampling_of, settings_fold
from tiebreak.serve.pages.streaming import Draft, stream_answers

GENERATE = "Generate Response"
_EMPTY = (
    '<div class="tb-empty"><p class="tb-empty-title">Ask the model something.</p>'
    "<p>Type below, or begin with an example.</p></div>"
)
# The script of the pages draws the conversations of the browser and says which one is opened.
_CHATS_JS = "window.tiebreakChats(element, trigger)"
_KEEP_SECONDS = 2.0  # so much of a growing answer may be lost when a page is closed
_BUSY = "The model is still answering: wait, or press Stop."


class ChatPage:
    """Builds the page, and answers what is done on it.

    Args:
        context: what every page is built from.
        session: the state of the page.
    """

    def __init__(self, context: PageContext, session: gr.State) -> None:
        self.context, self.session = context, session
        settings, choices = context.settings, context.choices()
        first, _ = context.first_two()
        with gr.Row(elem_classes="tb-bar"):
            self.model = gr.Dropdown(
                choices,
                value=first.name,
                label="Model",
                visible=len(choices) > 1,
                filterable=False,
                elem_id="chat-model",
            )
            self.beside = gr.Checkbox(
                False,
                label="Show the base beside it (before and after)",
                visible=context.base_of(first) is not None,
                elem_id="chat-beside",
                container=False,
            )
        self.chats = gr.HTML('<div class="tb-chats"></div>', elem_id="chat-list", js_on_load=_CHATS_JS)
        self.log = gr.HTML(_EMPTY, elem_id="chat-log", js_on_load=PICK_JS)
        with gr.Row(elem_classes="tb-examples", elem_id="chat-examples") as self.examples:
            samples = [gr.Button(text, size="sm", variant="secondary") for text in settings.examples]
        with gr.Column(elem_id="chat-composer"):
            self.note = gr.HTML("", elem_id="chat-note", js_on_load=PICK_JS)
            self.box = gr.Textbox(
                label="Your message",
                placeholder="Type a message",
                lines=1,
                max_lines=10,
                max_length=settings.max_prompt_chars,
                elem_id="chat-box",
                submit_btn=False,
                autofocus=True,
            )
            with gr.Row(elem_classes="tb-actions"):
                self.go = gr.Button(GENERATE, variant="primary", elem_id="chat-go")
                self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="chat-stop")
                self.again = gr.Button("Retry", visible=False, elem_id="chat-retry")
                self.clear = gr.Button("New chat", visible=False, elem_id="chat-clear")
        self.kept = gr.HTML("", elem_id="chat-kept", elem_classes="tb-hidden")
        self.fold = settings_fold(settings, "chat")
        self._connect(samples)

    def _connect(self, samples: list[Any]) -> None:
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        outputs = [
            *(self.log, self.box, self.examples, self.go, self.stop, self.again, self.clear),
            *(self.note, self.kept),
        ]
        asked: list[Any] = [self.session, self.model, self.beside, self.box, *self.fold]
        gr.on([self.go.click, self.box.submit], self.ask, asked, outputs, **quiet)
        self.again.click(self.retry, [self.session, self.model, self.beside, *self.fold], outputs, **quiet)
        self.stop.click(self.halt, self.session, None, **quiet)
        self.clear.click(self.forget, self.session, outputs, **quiet)
        gr.on([self.log.click, self.note.click], self.change, [self.session, self.fold[0]], outputs, **quiet)
        self.chats.click(self.reopen, self.session, [*outputs, self.fold[0]], **quiet)
        self.model.change(self.offer_base, self.model, self.beside, **quiet)
        for sample in samples:
            sample.click(None, None, self.box, js=f"() => {_js_text(str(sample.value))}", api_visibility="private")

    async def ask(
        self, session: Session, model: str, beside: bool, text: str | None, *fold: Any
    ) -> AsyncGenerator[Any]:
        """Answer a message."""
        settings = self.context.settings
        try:
            question = checked_text(text, "message", settings.max_prompt_chars).strip()
            sampling = sampling_of(settings, *fold)
            exchange = self._exchange(question, model, beside)
            if session.chat_stop is not None:
                raise InputError(_BUSY)
            if not question:
                raise InputError("There is no message yet: type one first.")
            if session.editing is None and len(session.exchanges) >= settings.max_turns:
                raise InputError(f"A conversation has at most {settings.max_turns} messages: begin a new one.")
        except InputError as error:
            yield self._shown(session, gr.skip(), error.what)  # what was typed stays
            return
        if session.editing is not None:
            del session.exchanges[session.editing :]
            session.editing = None
        session.exchanges.append(exchange)
        async with aclosing(self._answered(session, exchange, sampling)) as views:
            async for shown in views:
                yield shown

    async def retry(self, session: Session, model: str, beside: bool, *fold: Any) -> AsyncGenerator[Any]:
        """Answer the last message again."""
        try:
            sampling = sampling_of(self.context.settings, *fold)
            if session.chat_stop is not None or not session.exchanges:
                raise InputError(_BUSY if session.exchanges else "There is nothing to answer again.")
            exchange = self._exchange(session.exchanges[-1].question, model, beside)
        except InputError as error:
            yield self._shown(session, gr.skip(), error.what)
            return
        session.exchanges[-1] = exchange
        async with aclosing(self._answered(session, exchange, sampling, box=gr.skip())) as views:
            async for shown in views:
                yield shown

    async def halt(self, session: Session) -> None:
        """Stop the answer; what has come stays."""
        if session.chat_stop is not None:
            session.chat_stop.set()

    async def forget(self, session: Session) -> Any:
        """Begin a new conversation; the browser keeps the old one."""
        await self.halt(session)
        session.exchanges, session.chat, session.editing = [], "", None
        return self._shown(session, "")

    def change(self, session: Session, system: str | None, event: gr.EventData) -> Any:
        """Edit a message, delete one with its answer, or leave a message as it is."""
        what, _, number = picked(event).partition(":")
        index = int(number) if number.isdecimal() and len(number) < 6 else -1
        if what == "leave":
            session.editing = None
            return self._shown(session, "")
        if session.chat_stop is not None:
            return self._shown(session, gr.skip(), _BUSY)
        if not 0 <= index < len(session.exchanges) or what not in ("edit", "delete"):
            return self._shown(session, gr.skip())
        if what == "edit":
            session.editing = index
            return self._shown(session, session.exchanges[index].question)
        del session.exchanges[index]
        box = gr.skip() if session.editing is None else ""
        session.editing = None
        return self._shown(session, box, kept=self._kept(session, system))

    async def reopen(self, session: Session, event: gr.EventData) -> Any:
        """Go on with a conversation that the browser kept, or leave one that it no longer keeps."""
        data: Any = event._data
        given = data.get("open") if isinstance(data, dict) else None
        if given is None:
            return (*await self.forget(session), gr.skip())
        settings, problem, system = self.context.settings, "", gr.skip()
        try:
            id, system, exchanges = restored(
                given, self.context.engine.models(), turns=settings.max_turns, chars=settings.max_prompt_chars
            )
            await self.halt(session)
            session.chat, session.exchanges, session.editing = id, exchanges, None
        except InputError as error:
            problem = error.what
        return (*self._shown(session, "", problem), system)

    def offer_base(self, model: str) -> Any:
        """Show the switch where the model has a base."""
        found = self.context.base_of(find_model(self.context.engine.models(), model)) is not None
        return gr.update(visible=found) if found else gr.update(visible=False, value=False)

    def _exchange(self, question: str, name: str, beside: bool) -> Exchange:
        model = find_model(self.context.engine.models(), name)
        base = self.context.base_of(model) if beside else None
        return Exchange(question, model, base=base, before=Draft() if base else None)

    async def _answered(
        self, session: Session, exchange: Exchange, sampling: SamplingSettings, box: Any = ""
    ) -> AsyncGenerator[Any]:
        stop = session.chat_stop = asyncio.Event()
        session.chat = session.chat or new_id()
        mine, system, kept_at = session.exchanges, sampling.system, time.monotonic()
        requests = [sampling.request(exchange.model.name, _turns(mine, exchange, before=False), sampling.seed)]
        if exchange.base is not None:
            requests.append(sampling.request(exchange.base.name, _turns(mine, exchange, before=True), sampling.seed))
        seconds = self.context.settings.seconds
        try:
            yield self._shown(session, box, kept=self._kept(session, system))
            async with aclosing(stream_answers(self.context.engine, requests, stop, seconds)) as growing:
                async for drafts in growing:
                    exchange.answer = drafts[0]
                    if exchange.base is not None:
                        exchange.before = drafts[1]
                    if session.exchanges is not mine:  # cleared meanwhile
                        break
                    # Markdown of a long answer takes a while, and others are answered meanwhile.
                    log = await asyncio.to_thread(conversation_html, mine)
                    keep = time.monotonic() - kept_at > _KEEP_SECONDS
                    kept_at = time.monotonic() if keep else kept_at
                    yield (log, *[gr.skip()] * 7, self._kept(session, system) if keep else gr.skip())
        finally:
            exchange.answer.done = True
            if exchange.before is not None:
                exchange.before.done = True
            if session.chat_stop is stop:
                session.chat_stop = None
        kept = self._kept(session, system) if session.exchanges is mine else gr.skip()
        yield self._shown(session, gr.skip(), kept=kept)

    def _kept(self, session: Session, system: str | None) -> str:
        return kept_html(session.chat, system or "", session.exchanges)

    def _shown(self, session: Session, box: Any, problem: str = "", *, kept: Any = None) -> tuple[Any, ...]:
        busy, empty = session.chat_stop is not None, not session.exchanges
        return (
            conversation_html(session.exchanges, problem),
            box,
            gr.update(visible=empty),
            gr.update(interactive=not busy),
            gr.update(visible=busy),
            gr.update(visible=not busy and not empty),
            gr.update(visible=not busy and not empty),
            _editing(session.editing),
            gr.skip() if kept is None else kept,
        )


def _turns(exchanges: list[Exchange], last: Exchange, *, before: bool) -> tuple[Message, ...]:
    """The conversation as one side knows it: where the base did not answer, it is given the other answer."""
    turns: list[Message] = []
    for exchange in exchanges:
        turns.append(Message("user", exchange.question))
        if exchange is last:
            break
        answer = exchange.before if before and exchange.before is not None else exchange.answer
        turns.append(Message("assistant", answer.text))
    return tuple(turns)


def _js_text(text: str) -> str:
    """A text as a literal of JavaScript that may also stand in a page."""
    return json.dumps(text).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def conversation_html(exchanges: Sequence[Exchange], problem: str = "") -> str:
    """The whole conversation as HTML.

    Args:
        exchanges: in their order.
        problem: what went wrong, if something did.
    """
    if not exchanges and not problem:
        return _EMPTY
    return "".join(_exchange(*numbered) for numbered in enumerate(exchanges)) + notice(problem, "bad")


def _editing(number: int | None) -> str:
    if number is None:
        return ""
    words = f"You are editing message {number + 1}: sending it takes the place of it and of all that follows."
    leave = pick_button("leave", "Leave it as it is")
    return f'<p class="tb-notice tb-editing" role="status">{escaped_line(words, 200)} {leave}</p>'


def _exchange(number: int, exchange: Exchange) -> str:
    changes = "".join(
        f'<button type="button" class="tb-pick" data-pick="{what.lower()}:{number}" '
        f'aria-label="{what} message {number + 1}">{what}</button>'
        for what in ("Edit", "Delete")
    )
    question = f'<div class="tb-question">{said(exchange.question)}</div><div class="tb-changes">{changes}</div>'
    question = f'<div class="tb-asking">{question}</div>'
    if exchange.before is None or exchange.base is None:
        return f'<div class="tb-exchange">{question}{_answer(exchange.answer, exchange.model, "")}</div>'
    both = _answer(exchange.before, exchange.base, "before") + _answer(exchange.answer, exchange.model, "after")
    return f'<div class="tb-exchange">{question}<div class="tb-sides">{both}</div></div>'


def _answer(draft: Draft, model: ServedModel, when: str) -> str:
    mark = f'<span class="tb-tag{" tb-accent" if when == "after" else ""}">{when}</span> ' if when else ""
    return answer_card(draft, mark + escaped_line(model.title), f"Answer {when}".strip())
