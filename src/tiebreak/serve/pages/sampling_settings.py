"""The sampling settings that a visitor chooses: the fold with their fields, and what is read from it within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from tiebreak.data.preference import Message
from tiebreak.errors import InputError
from tiebreak.serve.generation.engine import GenerationRequest
from tiebreak.serve.settings import PageSettings

MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class SamplingSettings:
    """How answers are drawn.

    Attributes:
        system: a system message; None is none.
        seed: None is a new one each time.
    """

    system: str | None
    temperature: float
    top_p: float
    max_tokens: int
    seed: int | None

    def request(
        self, model: str, turns: tuple[Message, ...], seed: int | None, *, system: str | None = None
    ) -> GenerationRequest:
        """Ask a model to go on with a conversation; `system` goes before the system message of the settings."""
        return GenerationRequest(
            model=model,
            turns=turns,
            system=system or self.system,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=seed,
        )

    def kept(self) -> dict[str, float | int | str | None]:
        """As a vote keeps it."""
        return {"temperature": self.temperature, "top_p": self.top_p, "max_tokens": self.max_tokens}


def settings_fold(settings: PageSettings, name: str, *, seed: bool = True) -> list[Any]:
    """Put the fold on the page that is being built; returns its parts in the order that `sampling_of` takes.

    Args:
        settings: of the pages.
        name: of the page, for the ids of its parts.
        seed: whether a seed may be chosen.
    """
    with gr.Accordion("Settings", open=False, elem_id=f"{name}-settings"):
        system = gr.Textbox(
            label="System prompt",
            lines=2,
            max_length=settings.max_prompt_chars,
            placeholder="none",
            elem_id=f"{name}-system",
        )
        with gr.Row(elem_classes="tb-sliders"):
            temperature = gr.Slider(0, 2, settings.temperature, step=0.05, label="Temperature (0 is greedy)")
            top_p = gr.Slider(0.05, 1, settings.top_p, step=0.05, label="Top-p")
        with gr.Row(elem_classes="tb-sliders"):
            length = gr.Slider(1, settings.max_tokens, settings.default_tokens, step=1, label="Maximum length (tokens)")
            parts = [system, temperature, top_p, length]
            if seed:
                # A box for numbers cannot stay empty: Gradio would show 0, and every answer would be the same.
                label = "Seed (empty: a new one each time)"
                parts.append(gr.Textbox(label=label, max_length=10, placeholder="a new one"))
    return parts


def sampling_of(
    settings: PageSettings, system: str | None, temperature: Any, top_p: Any, length: Any, seed: Any = None
) -> SamplingSettings:
    """What the fold says, held against the bounds.

    Raises:
        InputError: the system prompt is too long, or a number is out of its range.
    """
    checked_text(system, "system prompt", settings.max_prompt_chars)
    drawn = _seed(seed)
    within = {
        "temperature": (temperature, 0, 2),
        "top-p": (top_p, 0.01, 1),
        "maximum length": (length, 1, settings.max_tokens),
        "seed": (drawn or 0, 0, MAX_SEED),
    }
    for name, (value, low, high) in within.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InputError(f"The {name} must be a number from {low} to {high}.")
    return SamplingSettings(
        system=system.strip() or None if system else None,
        temperature=float(temperature),
        top_p=float(top_p),
        max_tokens=int(length),
        seed=drawn,
    )


def _seed(given: Any) -> int | None:
    text = given.strip() if isinstance(given, str) else given
    if text is None or text == "":
        return None
    if not isinstance(text, str) or not text.isdecimal() or len(text) > 10:
        raise InputError(f"The seed must be a whole number from 0 to {MAX_SEED}, or nothing.")
    return int(text)


def checked_text(text: Any, name: str, limit: int) -> str:
    """A text that a user sent.

    Raises:
        InputError: it is no text, too long, or nothing that can be written as UTF-8.
    """
    if text is None:
        return ""
    if not isinstance(text, str):
        raise InputError(f"The {name} must be text.")
    if len(text) > limit:
        raise InputError(f"The {name} is longer than {limit:,} characters.")
    # A browser cannot send halves of surrogate pairs or NULs from a text box; whoever sends them gets signs instead.
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
