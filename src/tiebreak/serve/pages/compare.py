"""The Compare page: two answers, a blind vote, and the account of all votes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import gradio as gr

from tiebreak.errors import InputError, TiebreakError
from tiebreak.serve.engine import find_model
from tiebreak.serve.pages.asking import answers
from tiebreak.serve.pages.blind import drawn_sides, new_round, new_voter, signed_answer, vote_on
from tiebreak.serve.pages.compare_view import EMPTY, VERDICT_NAMES, comparison, tally_table, thanks
from tiebreak.serve.pages.knobs import checked_text, knobs, sampling_of
from tiebreak.serve.pages.markup import notice
from tiebreak.serve.pages.places import Place
from tiebreak.serve.pages.session import Round, Session
from tiebreak.votes.bounds import check_voter
from tiebreak.votes.tally import tally
from tiebreak.votes.vote import Verdict, Vote

_BUSY = "The answers are still being written: wait, or press Stop."
_GONE = "This comparison is no longer known here: ask for two new answers."
_SAME = "Both answers are the same."
_UNKEPT = "Votes are not kept here, so there is nothing to vote on: `tiebreak serve … --votes votes.db` keeps them."


class ComparePage:
    """Builds the page, and answers what is done on it.

    Args:
        place: where it is.
        session: the state of the page.
        voter: the voter's key, kept by the browser.
    """

    def __init__(self, place: Place, session: gr.State, voter: gr.BrowserState) -> None:
        self.place, self.session, self.voter = place, session, voter
        settings, choices = place.settings, place.choices()
        with gr.Row(elem_classes="tb-bar"):
            self.models = [
                gr.Dropdown(choices, value=model.name, label=label, filterable=False, visible=len(choices) > 1)
                for model, label in zip(place.first_two(), ("One model", "The other (or the same)"), strict=True)
            ]
        self.answers = gr.HTML(EMPTY, elem_id="compare-answers")
        self.word = gr.HTML("", elem_id="compare-word")
        with gr.Column(visible=False, elem_id="compare-vote") as self.ballot:
            with gr.Row(elem_classes="tb-verdicts"):
                buttons = {
                    verdict: gr.Button(label, elem_id=f"vote-{verdict}") for verdict, label in VERDICT_NAMES.items()
                }
            with gr.Accordion("Say why, or write a better answer (optional)", open=False):
                self.reason = gr.Textbox(
                    label="Why?", lines=2, max_length=settings.max_reason_chars, elem_id="compare-reason"
                )
                self.edited = gr.Textbox(
                    label="A better answer",
                    info="What the model should have said; it becomes the chosen answer in training.",
                    lines=4,
                    max_length=settings.max_edited_chars,
                    elem_id="compare-edited",
                )
        self.box = gr.Textbox(
            label="Prompt",
            placeholder="Type a prompt for both",
            lines=1,
            max_lines=10,
            max_length=settings.max_prompt_chars,
            elem_id="compare-box",
        )
        with gr.Row(elem_classes="tb-actions"):
            self.go = gr.Button("Get Two Answers", variant="primary", elem_id="compare-go")
            self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="compare-stop")
        self.knobs = knobs(settings, "compare")
        self.account = gr.HTML("", elem_id="compare-tally")
        self._connect(buttons)

    def _connect(self, buttons: dict[Verdict, Any]) -> None:
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        shown = [self.answers, self.word, self.ballot, self.box, self.go, self.stop]
        gr.on(
            [self.go.click, self.box.submit],
            self.ask,
            [self.session, *self.models, self.box, *self.knobs],
            shown,
            **quiet,
        )
        self.stop.click(self.halt, self.session, None, **quiet)
        voted = [self.answers, self.word, self.ballot, self.reason, self.edited, self.voter, self.account]
        for verdict, button in buttons.items():
            button.click(self._voting(verdict), [self.session, self.voter, self.reason, self.edited], voted, **quiet)

    async def ask(
        self, session: Session, first: str, second: str, text: str | None, *knob_values: Any
    ) -> AsyncGenerator[Any]:
        """Have both sides answer."""
        settings, models = self.place.settings, self.place.engine.models()
        try:
            prompt = checked_text(text, "prompt", settings.max_prompt_chars).strip()
            sampling = sampling_of(settings, *knob_values)
            one, other = find_model(models, first), find_model(models, second)
            if session.round_stop is not None:
                raise InputError(_BUSY)
            if not prompt:
                raise InputError("There is no prompt yet: type one first.")
        except InputError as error:
            yield (gr.skip(), notice(error.what, "bad"), *[gr.skip()] * 4)
            return
        round = session.round = new_round(prompt, sampling)
        sides = drawn_sides(one, other, prompt, sampling, self.place.draws)
        stop = session.round_stop = asyncio.Event()
        try:
            yield (
                comparison(round),
                "",
                gr.update(visible=False),
                "",
                gr.update(interactive=False),
                gr.update(visible=True),
            )
            requests = [request for _, request in sides]
            async with aclosing(answers(self.place.engine, requests, stop, settings.seconds)) as growing:
                async for drafts in growing:
                    round.drafts = drafts
                    yield (comparison(round), *[gr.skip()] * 5)
        finally:
            if session.round_stop is stop:
                session.round_stop = None
        if all(draft.whole for draft in round.drafts):
            round.left, round.right = (
                signed_answer(draft, model, sampling) for draft, (model, _) in zip(round.drafts, sides, strict=True)
            )
        yield self._asked(round)

    def _asked(self, round: Round) -> tuple[Any, ...]:
        kept, whole = self.place.votes is not None, round.left is not None
        word = ""
        if not whole:
            word = notice("There is no vote on answers that are not whole.")
        elif not kept:
            word = notice(_UNKEPT)
        elif round.drafts[0].text.strip() == round.drafts[1].text.strip():
            word = notice(_SAME)
        ballot, shown = gr.update(visible=whole and kept), comparison(round, named=whole and not kept)
        return shown, word, ballot, gr.skip(), gr.update(interactive=True), gr.update(visible=False)

    async def halt(self, session: Session) -> None:
        """Stop both answers."""
        if session.round_stop is not None:
            session.round_stop.set()

    def _voting(self, verdict: Verdict) -> Callable[..., Any]:
        async def vote(session: Session, voter: Any, reason: str | None, edited: str | None) -> Any:
            return await self.vote(session, verdict, voter, reason, edited)

        return vote

    async def vote(self, session: Session, verdict: Verdict, voter: Any, reason: Any, edited: Any) -> tuple[Any, ...]:
        """Keep a vote; only then the page says thanks, and who wrote what."""
        round, settings = session.round, self.place.settings
        key = known_voter(voter) or new_voter()
        try:
            if round is None or round.left is None or self.place.votes is None:
                raise InputError(_GONE)
            why = checked_text(reason, "reason", settings.max_reason_chars)
            better = checked_text(edited, "better answer", settings.max_edited_chars)
            await asyncio.to_thread(self._keep, round, vote_on(round, verdict, why, better, key))
        except TiebreakError as error:
            return (gr.skip(), notice(f"The vote is not kept. {error.what}", "bad"), *[gr.skip()] * 5)
        shown = comparison(round, named=True)
        return shown, thanks(round), gr.update(visible=False), "", "", key, await self.count()

    def _keep(self, round: Round, vote: Vote) -> None:
        """Write it; whoever clicks twice has voted already, and is told what was kept."""
        store = self.place.votes
        if store is not None and not store.add(vote):
            vote = store.get(vote.id) or vote
        round.vote = vote

    async def count(self) -> str:
        """The account of the votes."""
        if self.place.votes is None:
            return ""
        return await asyncio.to_thread(self._count)

    def _count(self) -> str:
        try:
            return tally_table(tally(self.place.votes.every() if self.place.votes else ()))
        except TiebreakError as error:
            return notice(f"The votes cannot be counted. {error.what}", "bad")


def known_voter(given: object) -> str | None:
    """The voter's key that a browser sent; None where it is none."""
    try:
        check_voter(cast(str, given))
    except InputError:
        return None
    return cast(str, given)
