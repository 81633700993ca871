"""The Chat page: a conversation with a model, and with the one it was trained from beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import gradio as gr

from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.serve.engine import find_model
from tiebreak.serve.pages.asking import Draft, answers
from tiebreak.serve.pages.chat_view import EMPTY, conversation
from tiebreak.serve.pages.knobs import Sampling, checked_text, knobs, sampling_of
from tiebreak.serve.pages.places import Place
from tiebreak.serve.pages.session import Exchange, Session

GENERATE = "Generate Response"
_BUSY = "The model is still answering: wait, or press Stop."


class ChatPage:
    """Builds the page, and answers what is done on it.

    Args:
        place: where it is.
        session: the state of the page.
    """

    def __init__(self, place: Place, session: gr.State) -> None:
        self.place, self.session = place, session
        settings, choices = place.settings, place.choices()
        first, _ = place.first_two()
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
                visible=place.base_of(first) is not None,
                elem_id="chat-beside",
                container=False,
            )
        self.log = gr.HTML(EMPTY, elem_id="chat-log")
        with gr.Row(elem_classes="tb-examples", elem_id="chat-examples") as self.examples:
            samples = [gr.Button(text, size="sm", variant="secondary") for text in settings.examples]
        self.box = gr.Textbox(
            label="Your message",
            placeholder="Type a message",
            lines=1,
            max_lines=10,
            max_length=settings.max_prompt_chars,
            elem_id="chat-box",
            submit_btn=False,
        )
        with gr.Row(elem_classes="tb-actions"):
            self.go = gr.Button(GENERATE, variant="primary", elem_id="chat-go")
            self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="chat-stop")
            self.again = gr.Button("Retry", visible=False, elem_id="chat-retry")
            self.clear = gr.Button("Clear", visible=False, elem_id="chat-clear")
        self.knobs = knobs(settings, "chat")
        self._connect(samples)

    def _connect(self, samples: list[Any]) -> None:
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        outputs = [self.log, self.box, self.examples, self.go, self.stop, self.again, self.clear]
        asked = [self.session, self.model, self.beside, self.box, *self.knobs]
        gr.on([self.go.click, self.box.submit], self.ask, asked, outputs, **quiet)
        self.again.click(self.retry, [self.session, self.model, self.beside, *self.knobs], outputs, **quiet)
        self.stop.click(self.halt, self.session, None, **quiet)
        self.clear.click(self.forget, self.session, outputs, **quiet)
        self.model.change(self.offer_base, self.model, self.beside, **quiet)
        for sample in samples:
            sample.click(None, None, self.box, js=f"() => {_js_text(str(sample.value))}", api_visibility="private")

    async def ask(
        self, session: Session, model: str, beside: bool, text: str | None, *knob_values: Any
    ) -> AsyncGenerator[Any]:
        """Answer a message."""
        settings = self.place.settings
        try:
            question = checked_text(text, "message", settings.max_prompt_chars).strip()
            sampling = sampling_of(settings, *knob_values)
            exchange = self._exchange(question, model, beside)
            if session.chat_stop is not None:
                raise InputError(_BUSY)
            if not question:
                raise InputError("There is no message yet: type one first.")
            if len(session.exchanges) >= settings.max_turns:
                raise InputError(f"A conversation has at most {settings.max_turns} messages: clear it to begin anew.")
        except InputError as error:
            yield self._shown(session, text, error.what)
            return
        session.exchanges.append(exchange)
        async with aclosing(self._answered(session, exchange, sampling)) as views:
            async for shown in views:
                yield shown

    async def retry(self, session: Session, model: str, beside: bool, *knob_values: Any) -> AsyncGenerator[Any]:
        """Answer the last message again."""
        try:
            sampling = sampling_of(self.place.settings, *knob_values)
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
        """Empty the conversation."""
        await self.halt(session)
        session.exchanges = []
        return self._shown(session, "")

    def offer_base(self, model: str) -> Any:
        """Show the switch where the model has a base."""
        found = self.place.base_of(find_model(self.place.engine.models(), model)) is not None
        return gr.update(visible=found) if found else gr.update(visible=False, value=False)

    def _exchange(self, question: str, name: str, beside: bool) -> Exchange:
        model = find_model(self.place.engine.models(), name)
        base = self.place.base_of(model) if beside else None
        return Exchange(question, model, base=base, before=Draft() if base else None)

    async def _answered(
        self, session: Session, exchange: Exchange, sampling: Sampling, box: Any = ""
    ) -> AsyncGenerator[Any]:
        stop = session.chat_stop = asyncio.Event()
        mine = session.exchanges
        requests = [sampling.request(exchange.model.name, _turns(mine, exchange, before=False), sampling.seed)]
        if exchange.base is not None:
            requests.append(sampling.request(exchange.base.name, _turns(mine, exchange, before=True), sampling.seed))
        try:
            yield self._shown(session, box)
            async with aclosing(answers(self.place.engine, requests, stop, self.place.settings.seconds)) as growing:
                async for drafts in growing:
                    exchange.answer = drafts[0]
                    if exchange.base is not None:
                        exchange.before = drafts[1]
                    if session.exchanges is not mine:  # cleared meanwhile
                        break
                    yield (conversation(mine), *[gr.skip()] * 6)
        finally:
            exchange.answer.done = True
            if exchange.before is not None:
                exchange.before.done = True
            if session.chat_stop is stop:
                session.chat_stop = None
        yield self._shown(session, gr.skip())

    def _shown(self, session: Session, box: Any, problem: str = "") -> tuple[Any, ...]:
        busy, empty = session.chat_stop is not None, not session.exchanges
        return (
            conversation(session.exchanges, problem),
            box,
            gr.update(visible=empty),
            gr.update(interactive=not busy),
            gr.update(visible=busy),
            gr.update(visible=not busy and not empty),
            gr.update(visible=not busy and not empty),
        )


def _turns(exchanges: list[Exchange], last: Exchange, *, before: bool) -> tuple[Message, ...]:
    """The conversation as one side knows it: where the base did not answer, it is told the other answer."""
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
