"""The Runs page: what ran in a folder, and how a run goes while it is being trained."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tiebreak.runs.folder import RunFolder, list_runs
from tiebreak.serve.pages.picking import PICK_JS, picked
from tiebreak.serve.pages.places import Place
from tiebreak.serve.pages.runs_view import look, run_card, run_list
from tiebreak.serve.pages.session import Session

_MOST = 50  # runs in the list


class RunsPage:
    """Builds the page, and answers what is done on it.

    Args:
        place: where it is.
        session: the state of the page.
    """

    def __init__(self, place: Place, session: gr.State) -> None:
        self.place, self.session = place, session
        self.list = gr.HTML("", elem_id="runs-list", js_on_load=PICK_JS)
        self.run = gr.HTML("", elem_id="runs-run")
        self.timer = gr.Timer(place.settings.refresh_seconds, active=False)
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        self.list.click(self.pick, session, [self.list, self.run], **quiet)
        self.timer.tick(self.refresh, session, [self.list, self.run], **quiet)

    def open(self, session: Session) -> tuple[Any, ...]:
        """Show the page as it is now, and begin to look again and again."""
        session.seen = None
        return (*self.refresh(session), gr.Timer(active=True))

    def pick(self, session: Session, event: gr.EventData) -> tuple[Any, ...]:
        """Show another run."""
        session.run, session.seen = picked(event), None
        return self.refresh(session)

    def refresh(self, session: Session) -> tuple[Any, ...]:
        """Show what changed since the last look."""
        runs = list_runs(self.place.runs)[:_MOST]
        shown = _find(runs, session.run)
        seen = ([look(run) for run in runs], shown)
        if seen == session.seen:
            return gr.skip(), gr.skip()
        session.seen = seen
        return run_list(runs, shown.path.name if shown else None), run_card(shown) if shown else ""


def _find(runs: list[RunFolder], name: str | None) -> RunFolder | None:
    """The run of a name, else the newest."""
    return next((run for run in runs if run.path.name == name), runs[0] if runs else None)
