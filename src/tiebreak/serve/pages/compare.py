"""The Compare page: two answers, a blind vote, and the tally of all votes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import gradio as gr

from tiebreak.errors import InputError, TiebreakError
from tiebreak.serve.api.guard import RateLimit, client_of
from tiebreak.serve.generation.engine import find_model
from tiebreak.serve.pages.agenda import Agenda
from tiebreak.serve.pages.ballot import ballot, keep_vote
from tiebreak.serve.pages.blind import (
    DrawnComparison,
    drawn_models,
    going_on,
    new_comparison,
    requests_of,
    sign,
    vote_on,
)
from tiebreak.serve.pages.compare_view import (
    EMPTY,
    KEYS_JS,
    comparison_html,
    tally_table,
    thanks,
)
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.markup import notice
from tiebreak.serve.pages.sampling_settings import SamplingSettings, checked_text, sampling_of, settings_fold
from tiebreak.serve.pages.streaming import stream_answers
from tiebreak.serve.pages.waiting import WaitingPart
from tiebreak.serve.settings import Pairing
from tiebreak.votes.count import RunningCount
from tiebreak.votes.vote import Turn, Verdict
from tiebreak.votes.voters import known_voter, new_voter, voter_of

PAIRINGS: dict[str, Pairing] = {
    "I choose them": "chosen",
    "Any two, hidden": "uniform",
    "The two least known, hidden": "least-known",
}
_BUSY = "The answers are still being written: wait, or press Stop."
_GONE = "This comparison is no longer known here: ask for two new answers."
_NONE = "There are no two answers to go on from yet."
_SAME = "Both answers are the same, so there is nothing to vote on. Go on, or ask for two others."
_SAME_AGAIN = "Both answers were the same: two others are being drawn."
_UNKEPT = "Votes are not kept here, so there is nothing to vote on: `tiebreak serve … --votes votes.db` keeps them."
_FULL = "The conversation is too long to go on with: ask for two new answers."
_DONE = "You have voted on all prompts. Thank you."
_STANDING = "These answers are of an evaluation and go on no further: type a prompt and get two new ones."
_NONE_WAITS = "No comparison waits for your vote any more. Thank you."
_DRAWS = 4  # of answers, while both are the same
_OF_AN_ADDRESS = 10  # times as many votes as of one voter, since several may sit behind one address


class ComparePage:
    """Builds the page, and answers what is done on it.

    Args:
        context: what every page is built from.
        session: the state of the page.
        voter: the voter's key, kept by the browser.
    """

    def __init__(self, context: PageContext, session: gr.State, voter: gr.BrowserState) -> None:
        self.context, self.session, self.voter = context, session, voter
        settings, choices = context.settings, context.choices()
        self.running = None if context.votes is None else RunningCount(context.votes)
        self.rate = RateLimit(settings.votes_per_minute * _OF_AN_ADDRESS)
        self.agenda = Agenda(settings.prompts, self.running)
        self.progress = gr.HTML("", elem_id="compare-progress", visible=bool(settings.prompts))
        free = settings.pairing == "chosen" and len(choices) > 1
        with gr.Row(elem_classes="tb-bar"):
            self.pairing = gr.Dropdown(
                list(PAIRINGS.items()),
                value=settings.pairing,
                label="Which two models",
                filterable=False,
                visible=free,
                elem_id="compare-pairing",
            )
            self.models = [
                gr.Dropdown(choices, value=model.name, label=label, filterable=False, visible=free)
                for model, label in zip(context.first_two(), ("One model", "The other (or the same)"), strict=True)
            ]
        self.answers = gr.HTML(EMPTY, elem_id="compare-answers")
        self.word = gr.HTML("", elem_id="compare-word", js_on_load=KEYS_JS)
        self.ballot, self.reason, self.edited, buttons = ballot(settings)
        self.waiting = WaitingPart(context)
        self.box = gr.Textbox(
            label="Prompt",
            placeholder="Type a prompt for both",
            lines=1,
            max_lines=10,
            max_length=settings.max_prompt_chars,
            elem_id="compare-box",
        )
        has_list = bool(settings.prompts)
        with gr.Row(elem_classes="tb-actions"):
            self.next = gr.Button("Next Prompt", variant="primary", visible=has_list, elem_id="compare-next")
            self.go = gr.Button("Get Two Answers", variant="secondary" if has_list else "primary", elem_id="compare-go")
            self.on = gr.Button("Go On With Both", visible=False, elem_id="compare-on")
            self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="compare-stop")
        self.fold = settings_fold(settings, "compare", seed=False)
        self.tally = gr.HTML("", elem_id="compare-tally")
        self.opened = [self.progress, self.tally, *self.waiting.shown]
        self._connect(buttons)

    def _connect(self, buttons: dict[Verdict, Any]) -> None:
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        shown = [self.answers, self.word, self.ballot, self.reason, self.edited, self.box]
        shown += [self.next, self.go, self.on, self.stop, self.progress]
        which = [self.session, self.voter, self.pairing, *self.models]
        gr.on([self.go.click, self.box.submit], self.ask, [*which, self.box, *self.fold], shown, **quiet)
        self.next.click(self.ask_next, [*which, *self.fold], shown, **quiet)
        self.on.click(self.go_on, [self.session, self.voter, self.box], shown, **quiet)
        self.stop.click(self.halt, self.session, None, **quiet)
        standing = [self.answers, self.word, self.ballot, self.reason, self.edited, self.on, *self.waiting.shown]
        self.waiting.next.click(self.show_waiting, [self.session, self.voter], standing, **quiet)
        self.pairing.change(lambda how: [gr.update(visible=how == "chosen")] * 2, self.pairing, self.models, **quiet)
        voted = [self.answers, self.word, self.ballot, self.reason, self.edited, self.voter, *self.opened]
        for verdict, button in buttons.items():
            button.click(self._voting(verdict), [self.session, self.voter, self.reason, self.edited], voted, **quiet)

    def open(self, session: Session, voter: Any) -> dict[Any, Any]:
        """Show what has become of the votes since."""
        done = self.agenda.html(known_voter(voter))
        return {self.progress: done, self.tally: self._count(), **self.waiting.view(voter)}

    async def ask(
        self, session: Session, voter: Any, pairing: str, first: str, second: str, text: str | None, *fold: Any
    ) -> AsyncGenerator[dict[Any, Any]]:
        """Have both sides answer what was typed."""
        settings = self.context.settings
        try:
            prompt = checked_text(text, "prompt", settings.max_prompt_chars).strip()
            if not prompt:
                raise InputError("There is no prompt yet: type one first.")
            found = self._begun(session, (("user", prompt),), pairing, first, second, sampling_of(settings, *fold))
        except TiebreakError as error:
            yield {self.word: notice(error.what, "bad")}
            return
        yield {self.box: ""}
        async for shown in self._answer(session, found):
            yield shown

    async def ask_next(
        self, session: Session, voter: Any, pairing: str, first: str, second: str, *fold: Any
    ) -> AsyncGenerator[dict[Any, Any]]:
        """Have both sides answer the next prompt of the file that this voter has not voted on."""
        prompts = self.context.settings.prompts
        try:
            sampling = sampling_of(self.context.settings, *fold)
            number = await asyncio.to_thread(self.agenda.next, known_voter(voter), session.skipped)
            if number is None:
                yield {self.word: notice(_DONE, "good"), self.progress: self.agenda.html(known_voter(voter))}
                return
            found = self._begun(session, prompts[number], pairing, first, second, sampling)
            session.skipped.add(number)
        except TiebreakError as error:
            yield {self.word: notice(error.what, "bad")}
            return
        async for shown in self._answer(session, found):
            yield shown

    async def go_on(self, session: Session, voter: Any, text: str | None) -> AsyncGenerator[dict[Any, Any]]:
        """Have both sides answer what comes next in the conversation."""
        settings, before = self.context.settings, session.comparison
        try:
            said = checked_text(text, "message", settings.max_prompt_chars).strip()
            if before is None or not before.whole:
                raise InputError(_NONE)
            if not isinstance(before, DrawnComparison):
                raise InputError(_STANDING)
            if not said:
                raise InputError("There is no message yet: type what comes next, for both.")
            if len(before.prompt) + len(before.before[0]) + 2 > settings.max_turns:
                raise InputError(_FULL)
            if session.compare_stop is not None:
                raise InputError(_BUSY)
            found = session.comparison = going_on(before, said, self.context.draws)
        except TiebreakError as error:
            yield {self.word: notice(error.what, "bad")}
            return
        yield {self.box: ""}
        async for shown in self._answer(session, found):
            yield shown

    async def show_waiting(self, session: Session, voter: Any) -> dict[Any, Any]:
        """Show answers of an evaluation, which stand already and wait for this voter."""
        try:
            found = await asyncio.to_thread(self.waiting.following, session, voter)
            if session.compare_stop is not None:
                raise InputError(_BUSY)
        except TiebreakError as error:
            return {self.word: notice(error.what, "bad")}
        line = await asyncio.to_thread(self.waiting.view, voter)
        if found is None:
            return {self.word: notice(_NONE_WAITS, "good"), **line}
        session.comparison = found
        return {
            self.answers: comparison_html(found),
            self.word: "",
            self.ballot: gr.update(visible=True),
            self.reason: "",
            self.edited: "",
            self.on: gr.update(visible=False),
            **line,
        }

    def _begun(
        self, session: Session, prompt: tuple[Turn, ...], pairing: str, first: str, second: str, how: SamplingSettings
    ) -> DrawnComparison:
        """A new comparison, of models that the voter chose or that are drawn."""
        context, models = self.context, tuple(self.context.engine.models())
        if session.compare_stop is not None:
            raise InputError(_BUSY)
        kind: Pairing = context.settings.pairing
        if kind == "chosen" and pairing in PAIRINGS.values():
            kind = pairing  # type: ignore[assignment]
        if kind == "chosen":
            two = find_model(models, first), find_model(models, second)
        else:
            games = {} if self.running is None or kind == "uniform" else self.running.games()
            two = drawn_models(models, games, kind, context.draws)
        begun = session.comparison = new_comparison(prompt, two, how, context.draws)
        return begun

    async def _answer(self, session: Session, comparison: DrawnComparison) -> AsyncGenerator[dict[Any, Any]]:
        """Write both answers; where they are the same, draw others a few times."""
        context = self.context
        stop = session.compare_stop = asyncio.Event()
        again = _DRAWS if comparison.sampling.temperature > 0 else 1
        try:
            yield {
                self.answers: comparison_html(comparison),
                self.word: "",
                self.ballot: gr.update(visible=False),
                self.reason: "",
                self.edited: "",
                self.next: gr.update(interactive=False),
                self.go: gr.update(interactive=False),
                self.on: gr.update(visible=False),
                self.stop: gr.update(visible=True),
            }
            for number in range(again):
                comparison.left = comparison.right = None
                requests = requests_of(comparison, context.draws)
                async with aclosing(
                    stream_answers(context.engine, requests, stop, context.settings.seconds)
                ) as growing:
                    async for drafts in growing:
                        comparison.drafts = drafts
                        yield {self.answers: comparison_html(comparison)}
                sign(comparison)
                if not comparison.same or stop.is_set():
                    break
                if number + 1 < again:
                    yield {self.word: notice(_SAME_AGAIN)}
        finally:
            if session.compare_stop is stop:
                session.compare_stop = None
        yield self._asked(comparison)

    def _asked(self, comparison: DrawnComparison) -> dict[Any, Any]:
        kept, whole, same = self.context.votes is not None, comparison.whole, comparison.same
        word = ""
        if not whole:
            word = notice("There is no vote on answers that are not whole.")
        elif same:
            word = notice(_SAME)
        elif not kept:
            word = notice(_UNKEPT)
        return {
            self.answers: comparison_html(comparison, named=whole and not kept),
            self.word: word,
            self.ballot: gr.update(visible=whole and kept and not same),
            self.next: gr.update(interactive=True),
            self.go: gr.update(interactive=True),
            self.on: gr.update(visible=whole),
            self.stop: gr.update(visible=False),
        }

    async def halt(self, session: Session) -> None:
        """Stop both answers."""
        if session.compare_stop is not None:
            session.compare_stop.set()

    def _voting(self, verdict: Verdict) -> Callable[..., Any]:
        async def vote(
            session: Session, voter: Any, reason: str | None, edited: str | None, request: gr.Request
        ) -> Any:
            client = client_of(request.request.scope) if request.request else ""
            return await self.vote(session, verdict, voter, reason, edited, client)

        return vote

    async def vote(
        self, session: Session, verdict: Verdict, voter: Any, reason: Any, edited: Any, client: str = ""
    ) -> dict[Any, Any]:
        """Keep a vote; only then the page says thanks, and who wrote what."""
        comparison, settings = session.comparison, self.context.settings
        key = known_voter(voter) or new_voter()
        try:
            store = self.context.votes
            if comparison is None or not comparison.whole or store is None:
                raise InputError(_GONE)
            if comparison.same:
                raise InputError(_SAME)
            if wait := self.rate.wait(client):
                raise InputError(f"There were too many votes from this address: try again in {wait} s.")
            why = checked_text(reason, "reason", settings.max_reason_chars)
            better = checked_text(edited, "better answer", settings.max_edited_chars)
            vote, often = vote_on(comparison, verdict, why, better, voter_of(key)), settings.votes_per_minute
            await asyncio.to_thread(keep_vote, store, comparison, vote, a_minute=often)
        except TiebreakError as error:
            return {self.word: notice(f"The vote is not kept. {error.sentences}", "bad")}
        return {
            self.answers: comparison_html(comparison, named=True),
            self.word: thanks(comparison),
            self.ballot: gr.update(visible=False),
            self.reason: "",
            self.edited: "",
            self.voter: key,
            **await asyncio.to_thread(self.open, session, key),
        }

    def _count(self) -> str:
        """The tally of the votes."""
        if self.running is None:
            return ""
        try:
            return tally_table(self.running.tally())
        except TiebreakError as error:
            return notice(f"The votes cannot be counted. {error.what}", "bad")
