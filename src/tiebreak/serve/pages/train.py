"""The part of the Runs page that trains: choose data and a recipe, start, watch, stop, go on."""

from __future__ import annotations

from typing import Any

import gradio as gr

from tiebreak.errors import InputError, TiebreakError
from tiebreak.recipe.builtin import builtin_names, recipe_named
from tiebreak.serve.pages.context import PageContext, Session
from tiebreak.serve.pages.markup import notice
from tiebreak.serve.pages.permission import NOT_ALLOWED, may_train
from tiebreak.serve.pages.sampling_settings import checked_text
from tiebreak.serve.pages.trainings import Order, State, Trainings
from tiebreak.serve.settings import ServeSettings

VOTES, SOURCE = "votes", "source"
_CHARS = 1_000
# Its model and data are made by a program of the source tree.
_NOT_OFFERED = "bundled-base"
_FIRST = "quickstart"


class TrainPart:
    """Builds the part, and answers what is done in it.

    Args:
        context: what every page is built from.
        session: the state of the page.
        server: who may train here.
    """

    def __init__(self, context: PageContext, session: gr.State, server: ServeSettings) -> None:
        self.context, self.server = context, server
        self.trainings = Trainings(context.runs)
        votes = context.votes is not None
        self.word = gr.HTML("", elem_id="train-word")
        with gr.Row(elem_classes="tb-actions"):
            self.stop = gr.Button("Stop the training", variant="stop", visible=False, elem_id="train-stop")
            self.more = gr.Button("Go on with it", visible=False, elem_id="train-resume")
        with gr.Accordion("Train a model", open=False, elem_id="train-fold"):
            with gr.Row(elem_classes="tb-bar"):
                choices = [("The votes of this server", VOTES)] if votes else []
                self.kind = gr.Radio(
                    [*choices, ("A file or another source", SOURCE)],
                    value=VOTES if votes else SOURCE,
                    label="Data",
                    elem_id="train-kind",
                )
                self.source = gr.Textbox(
                    label="File or source",
                    info="On the machine of the server; or a Hub id. Empty: the recipe's own.",
                    placeholder="prefs.jsonl",
                    max_length=_CHARS,
                    visible=not votes,
                    elem_id="train-source",
                )
            with gr.Row(elem_classes="tb-bar"):
                self.recipe = gr.Dropdown(
                    [name for name in builtin_names() if name != _NOT_OFFERED and recipe_named(name).sweep is None],
                    value=_FIRST,
                    label="Recipe",
                    info="A built-in one, or type the path of a file.",
                    allow_custom_value=True,
                    elem_id="train-recipe",
                )
                self.model = gr.Textbox(
                    label="Model",
                    info="Hub id, folder, or run. Empty: the recipe's own.",
                    placeholder="the recipe's",
                    max_length=_CHARS,
                    elem_id="train-model",
                )
            with gr.Row(elem_classes="tb-bar"):
                self.steps = gr.Textbox(
                    label="Steps at most",
                    placeholder="as the recipe says",
                    max_length=9,
                    elem_id="train-steps",
                )
                self.name = gr.Textbox(
                    label="Name of the run", placeholder="one is made", max_length=80, elem_id="train-name"
                )
            self.anyway = gr.Checkbox(
                label="Train anyway",
                info="Also where the doctor says that nothing can come of it.",
                elem_id="train-anyway",
            )
            self.go = gr.Button("Start the training", variant="primary", elem_id="train-go")
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        self.kind.change(lambda kind: gr.update(visible=kind == SOURCE), self.kind, self.source, **quiet)
        shown = [self.word, self.stop, self.more, self.go]
        asked = [session, self.kind, self.source, self.recipe, self.model, self.steps, self.name, self.anyway]
        self.go.click(self.start, asked, shown, **quiet)
        self.more.click(self.resume, session, shown, **quiet)
        self.stop.click(self.halt, session, shown, **quiet)
        self.shown = shown

    def start(
        self, session: Session, kind: Any, source: Any, recipe: Any, model: Any, steps: Any, name: Any, anyway: Any,
        request: gr.Request,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Begin a training, and show its run."""
        try:
            self._check(request)
            texts = {
                what: checked_text(text, what, _CHARS).strip()
                for what, text in (("source", source), ("recipe", recipe), ("model", model), ("name", name))
            }
            data = texts["source"]
            if kind == VOTES and self.context.votes is not None:
                data = f"votes:{self.context.votes.name}"
            if not texts["recipe"]:
                raise InputError("There is no recipe yet: choose one first.")
            order = Order(texts["recipe"], data, texts["model"], _steps(steps), texts["name"], anyway is True)
            session.run, session.seen = self.trainings.start(order), None
        except TiebreakError as error:
            return self._refused(session, error)
        return self.view(session, again=True)

    def resume(self, session: Session, request: gr.Request) -> tuple[Any, ...]:
        """Go on with the last training."""
        try:
            self._check(request)
            session.run, session.seen = self.trainings.resume(), None
        except TiebreakError as error:
            return self._refused(session, error)
        return self.view(session, again=True)

    def halt(self, session: Session, request: gr.Request) -> tuple[Any, ...]:
        """Ask the training to stop."""
        try:
            self._check(request)
            self.trainings.stop()
        except TiebreakError as error:
            return self._refused(session, error)
        return self.view(session, again=True)

    def view(self, session: Session, *, again: bool = False) -> tuple[Any, ...]:
        """How the training stands: what is said of it, and which buttons there are.

        Args:
            session: of the page.
            again: also where nothing has changed.
        """
        state = self.trainings.state()
        if state == session.training and not again:
            return tuple(gr.skip() for _ in self.shown)
        session.training = state
        return (
            training_html(state),
            gr.update(visible=state.running),
            gr.update(visible=state.resumable),
            gr.update(interactive=not state.running),
        )

    def _refused(self, session: Session, error: TiebreakError) -> tuple[Any, ...]:
        _, *buttons = self.view(session, again=True)
        return (notice(error.sentences, "bad"), *buttons)

    def _check(self, request: gr.Request) -> None:
        headers = {str(name).lower(): str(value) for name, value in request.headers.items()}
        if not may_train(headers, self.server):
            raise InputError(NOT_ALLOWED)


def _steps(given: Any) -> int | None:
    text = checked_text(given, "number of steps", 9).strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InputError("The steps must be a whole number from 1, or nothing.")
    return int(text)


def training_html(state: State) -> str:
    """What the page says of the last training.

    Args:
        state: of it.
    """
    if not state.run:
        return ""
    name, then = f"“{state.run}”", state.said
    words, tone = {
        "running": (f"{name} is being trained. {then}", "plain"),
        "finished": (f"{name} is trained.", "good"),
        "interrupted": (f"{name} was stopped. What it had learned is saved: go on with it when you like.", "plain"),
        "refused": (f"{name} could not begin. {then}", "bad"),
    }.get(state.status, (f"{name} ended before its end. {then}", "bad"))
    return notice(words.strip(), tone)
