"""The Data page: the votes so far, to browse, filter, correct, withdraw and take away."""

from __future__ import annotations

from typing import Any, cast

import gradio as gr

from tiebreak.errors import InputError, TiebreakError
from tiebreak.formatting.text import one_line
from tiebreak.serve.pages.blind import VERDICT_NAMES
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.data_view import vote_list, vote_whole
from tiebreak.serve.pages.markup import PICK_JS, notice, picked
from tiebreak.serve.pages.sampling_settings import checked_text
from tiebreak.votes.filters import VoteFilter
from tiebreak.votes.store import VoteStore
from tiebreak.votes.vote import Verdict, Vote
from tiebreak.votes.voters import known_voter, voter_of

EXPORT = "/votes/export.jsonl"
_ANY = ""
IN_ORDER: Any = {"concurrency_id": "data", "concurrency_limit": 1}
"""Events of this page run one after the other."""
_QUIET: Any = {"show_progress": "hidden", "api_visibility": "private", **IN_ORDER}
# One click may make two events, of which the later may be the first to arrive: each says when it was made.
_TIMED = "(...values) => [...values.slice(0, -1), performance.now()]"


class DataPage:
    """Builds the page, and answers what is done on it.

    Args:
        context: what every page is built from.
        session: the state of the page.
        voter: the voter's key, kept by the browser.
        store: the votes.
    """

    def __init__(self, context: PageContext, session: gr.State, voter: gr.BrowserState, store: VoteStore) -> None:
        self.context, self.session, self.voter, self.store = context, session, voter, store
        settings = context.settings
        with gr.Row(elem_classes="tb-bar tb-filters"):
            verdicts = [("any", _ANY), *((name, verdict) for verdict, name in VERDICT_NAMES.items())]
            self.filters: list[Any] = [
                gr.Dropdown([("any", _ANY)], value=_ANY, label="Model", filterable=False, elem_id="data-model"),
                gr.Dropdown(verdicts, value=_ANY, label="Verdict", filterable=False, elem_id="data-verdict"),
                gr.Textbox(label="Text", placeholder="anywhere in it", max_length=200, elem_id="data-text"),
                gr.Checkbox(False, label="Only mine", container=False, elem_id="data-mine"),
            ]
        self.word = gr.HTML("", elem_id="data-word")
        with gr.Column(visible=False, elem_id="data-editor") as self.editor:
            self.whole = gr.HTML("")
            self.verdict = gr.Radio(verdicts[1:], label="Verdict", elem_id="data-new-verdict")
            self.reason = gr.Textbox(label="Why?", max_length=settings.max_reason_chars, elem_id="data-reason")
            self.edited = gr.Textbox(
                label="A better answer", lines=3, max_length=settings.max_edited_chars, elem_id="data-edited"
            )
            with gr.Row(elem_classes="tb-actions"):
                save = gr.Button("Save", variant="primary", elem_id="data-save")
                withdraw = gr.Button("Withdraw this vote", variant="stop", elem_id="data-withdraw")
                close = gr.Button("Close", elem_id="data-close")
        self.list = gr.HTML("", elem_id="data-list", js_on_load=PICK_JS)
        self.clock = gr.Number(0, visible=False)
        with gr.Row(elem_classes="tb-actions"):
            self.newer = gr.Button("Newer", visible=False, elem_id="data-newer")
            self.older = gr.Button("Older", visible=False, elem_id="data-older")
        gr.HTML(
            f'<p><a class="tb-export" href="{EXPORT}" download>Export training rows</a> <span class="tb-quiet">'
            "JSON lines, one pair a line; <code>tiebreak train --data votes:URL</code> reads the votes directly."
            "</span></p>"
        )
        with gr.Accordion("Your key", open=False, elem_id="data-key-fold"):
            gr.HTML(
                '<p class="tb-quiet">Only your browser knows your key; whoever has it can correct and withdraw your '
                "votes. With them stands a name that follows from it, from which nobody learns the key. What is "
                "withdrawn is erased and counts nowhere.</p>"
            )
            self.key = gr.Textbox(label="Key", max_length=128, buttons=["copy"], elem_id="data-key")
            self.name = gr.HTML("", elem_id="data-name")
            use = gr.Button("Use this key in this browser", elem_id="data-use-key")
            every = gr.Button("Withdraw all votes of this key", variant="stop", elem_id="data-withdraw-all")
        self.opened = [self.filters[0], self.key, self.name, self.list, self.newer, self.older]
        self._connect(save, withdraw, close, every, use)

    def _connect(self, save: Any, withdraw: Any, close: Any, every: Any, use: Any) -> None:
        shown = [self.list, self.newer, self.older]
        asked = [self.session, self.voter, *self.filters]
        timed: Any = {"fn": self.filter, "inputs": [*asked, self.clock], "outputs": shown, "js": _TIMED, **_QUIET}
        for part in self.filters:
            event = part.submit if isinstance(part, gr.Textbox) else part.input
            event(**timed)
        self.filters[2].blur(**timed)
        self.newer.click(self.back, asked, shown, **_QUIET)
        self.older.click(self.next, asked, shown, **_QUIET)
        editor = [self.editor, self.whole, self.verdict, self.reason, self.edited, self.word]
        self.list.click(self.pick, [self.session, self.voter], editor, **_QUIET)
        close.click(self.close, self.session, [self.editor, self.word], **_QUIET)
        again = [self.editor, self.word, *shown]
        save.click(self.save, [*asked, self.verdict, self.reason, self.edited], again, **_QUIET)
        withdraw.click(self.withdraw, asked, again, js=_sure("Withdraw this vote?", len(asked)), **_QUIET)
        changed = [self.voter, self.name, self.editor, self.word, *shown]
        use.click(self.use_key, [*asked, self.key], changed, **_QUIET)
        sure = _sure("Withdraw all votes of this key?", len(asked) + 1)
        every.click(self.withdraw_all, [*asked, self.key], again, js=sure, **_QUIET)

    def open(self, session: Session, voter: Any, *filters: Any) -> tuple[Any, ...]:
        """Show the page as it is now: models to choose from, the voter's key, the votes."""
        names = [name for _, name in self.context.choices()]
        names += sorted({*self.store.models()} - {*names})
        choices = [("any", _ANY), *((one_line(name, 60), name) for name in names)]
        key = known_voter(voter)
        return (gr.update(choices=choices), key or "", self._named(key), *self.first(session, voter, *filters))

    def use_key(self, session: Session, voter: Any, *values: Any) -> tuple[Any, ...]:
        """Be the voter of a key from now on: one's own from another browser, or a steward's."""
        *filters, given = values
        key = known_voter(given.strip() if isinstance(given, str) else given)
        if key is None:
            wrong = notice("This is not a key: the name that stands with votes is none.", "bad")
            return (gr.skip(), gr.skip(), gr.skip(), wrong, *[gr.skip()] * 3)
        session.chosen = None
        word = notice("This browser votes with this key from now on.", "good")
        return (key, self._named(key), gr.update(visible=False), word, *self.first(session, key, *filters))

    def _named(self, key: str | None) -> str:
        if key is None:
            return ""
        steward = " You may correct all votes." if self._is_steward(key) else ""
        return f'<p class="tb-quiet">Your name with the votes: <code>{voter_of(key)}</code>.{steward}</p>'

    def filter(self, session: Session, voter: Any, *values: Any) -> tuple[Any, ...]:
        """The newest votes of a filter, unless the visitor has asked for other ones since."""
        *filters, clock = values
        if isinstance(clock, int | float):
            if clock < session.filtered:
                return (gr.skip(),) * 3
            session.filtered = clock
        return self.first(session, voter, *filters)

    def first(self, session: Session, voter: Any, *filters: Any) -> tuple[Any, ...]:
        """The newest votes of a filter."""
        session.pages = []
        return self._shown(session, voter, filters)

    def next(self, session: Session, voter: Any, *filters: Any) -> tuple[Any, ...]:
        """Older votes."""
        found = self._page(session, voter, filters)
        if len(found) > self.context.settings.votes_a_page:
            session.pages = [*session.pages, found[-2].id]
        return self._shown(session, voter, filters)

    def back(self, session: Session, voter: Any, *filters: Any) -> tuple[Any, ...]:
        """Newer votes."""
        session.pages = session.pages[:-1]
        return self._shown(session, voter, filters)

    def pick(self, session: Session, voter: Any, event: gr.EventData) -> tuple[Any, ...]:
        """Open a vote to correct it."""
        try:
            vote = self._allowed(picked(event), voter)
        except TiebreakError as error:
            return (gr.update(visible=False), *[gr.skip()] * 4, notice(error.what, "bad"))
        session.chosen = vote.id
        return gr.update(visible=True), vote_whole(vote), vote.verdict, vote.reason or "", vote.edited or "", ""

    def close(self, session: Session) -> tuple[Any, ...]:
        """Leave the vote as it is."""
        session.chosen = None
        return gr.update(visible=False), ""

    def save(self, session: Session, voter: Any, *values: Any) -> tuple[Any, ...]:
        """Write what was corrected."""
        *filters, verdict, reason, edited = values
        settings = self.context.settings
        try:
            vote = self._allowed(session.chosen, voter)
            why = checked_text(reason, "reason", settings.max_reason_chars).strip() or None
            better = checked_text(edited, "better answer", settings.max_edited_chars).strip() or None
            by = _name(voter)
            self.store.correct(vote.id, verdict=cast(Verdict, verdict), reason=why, edited=better, by=by)
        except TiebreakError as error:
            return (gr.skip(), notice(f"Nothing is changed. {error.what}", "bad"), *[gr.skip()] * 3)
        session.chosen = None
        return (
            gr.update(visible=False),
            notice("The vote is corrected.", "good"),
            *self._shown(session, voter, filters),
        )

    def withdraw(self, session: Session, voter: Any, *filters: Any) -> tuple[Any, ...]:
        """Take a vote back."""
        try:
            self.store.withdraw(self._allowed(session.chosen, voter).id, by=_name(voter))
        except TiebreakError as error:
            return (gr.skip(), notice(f"Nothing is withdrawn. {error.what}", "bad"), *[gr.skip()] * 3)
        session.chosen = None
        return (
            gr.update(visible=False),
            notice("The vote is withdrawn.", "good"),
            *self.first(session, voter, *filters),
        )

    def withdraw_all(self, session: Session, voter: Any, *values: Any) -> tuple[Any, ...]:
        """Take back every vote of a key: to know the key is the right to do it."""
        *filters, key = values
        try:
            theirs = known_voter(key.strip() if isinstance(key, str) else key)
            if theirs is None:
                raise InputError("This is not a key.")
            count = self.store.withdraw_voter(voter_of(theirs), by=voter_of(theirs))
        except TiebreakError as error:
            return (gr.skip(), notice(f"Nothing is withdrawn. {error.what}", "bad"), *[gr.skip()] * 3)
        session.chosen = None
        words = f"{count:,} vote{' is' if count == 1 else 's are'} withdrawn."
        return (gr.update(visible=False), notice(words, "good"), *self.first(session, voter, *filters))

    def _allowed(self, id: str | None, voter: Any) -> Vote:
        vote = self.store.get(id) if id else None
        if vote is None or vote.withdrawn:
            raise InputError("This vote is not there any more.")
        if vote.voter != _name(voter) and not self._is_steward(voter):
            raise InputError("Only who voted, or a steward, can change this vote.")
        return vote

    def _is_steward(self, voter: Any) -> bool:
        settings = self.context.settings
        return settings.correct_all or _name(voter) in settings.stewards

    def _page(self, session: Session, voter: Any, filters: Any) -> list[Vote]:
        model, verdict, text, mine = filters
        wanted = VoteFilter(
            model=model or None,
            verdict=verdict or None,
            contains=checked_text(text, "text", 200).strip() or None,
            voter=_name(voter) or "-" if mine else None,
        )
        after = session.pages[-1] if session.pages else None
        return self.store.votes(wanted, limit=self.context.settings.votes_a_page + 1, after=after, newest_first=True)

    def _shown(self, session: Session, voter: Any, filters: Any) -> tuple[Any, ...]:
        try:
            found = self._page(session, voter, filters)
        except TiebreakError as error:
            return notice(error.what, "bad"), gr.update(visible=False), gr.update(visible=False)
        settings = self.context.settings
        view = vote_list(found[: settings.votes_a_page], _name(voter), correct_all=self._is_steward(voter))
        more = len(found) > settings.votes_a_page
        return view, gr.update(visible=bool(session.pages)), gr.update(visible=more)


def _sure(question: str, values: int) -> str:
    """Ask in the browser before anything is sent; what is thrown there ends the event."""
    names = ", ".join(f"v{i}" for i in range(values))
    return f"({names}) => {{ if (!window.confirm('{question}')) throw new Error('not wanted'); return [{names}]; }}"


def _name(voter: Any) -> str | None:
    """The name of the voter whose key a browser sent."""
    key = known_voter(voter)
    return None if key is None else voter_of(key)
