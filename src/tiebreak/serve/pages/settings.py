"""What can be set about the pages, and the policy that a browser must keep on them."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_POLICY = (
    # Gradio compiles templates in the page, hence 'unsafe-eval' and inline scripts; nothing may come from elsewhere.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; frame-src 'none'; "
    "worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the pages: whatever a text may hold, the browser fetches nothing from elsewhere."""

EXAMPLES = (
    "What is a young kangaroo called?",
    "Tell me the capital of Australia.",
    "I am looking for the opposite of inside.",
)
"""Prompts that suit any model, the bundled one among them."""


@dataclass(frozen=True)
class PageSettings:
    """How the pages behave.

    Attributes:
        title: of the browser's tab.
        examples: prompts to begin with.
        max_prompt_chars: longest prompt and longest system prompt, in characters.
        max_reason_chars: longest reason of a vote.
        max_edited_chars: longest edited answer.
        max_turns: most turns of a conversation, after which it must be cleared.
        max_tokens: longest answer that may be asked for, in tokens.
        default_tokens: longest answer at first.
        seconds: longest time of an answer, waiting included.
        temperature, top_p: at first.
        votes_a_page: of the Data page.
        correct_all: whether everybody may correct and withdraw every vote, or each voter only their own.
        seed: of the shuffle of sides; None is a new one each time.
        refresh_seconds: how often the Runs page looks at a run that is being trained.
    """

    title: str = "Tiebreak"
    examples: tuple[str, ...] = EXAMPLES
    max_prompt_chars: int = 16_000
    max_reason_chars: int = 2_000
    max_edited_chars: int = 16_000
    max_turns: int = 100
    max_tokens: int = 1024
    default_tokens: int = 256
    seconds: float = 120.0
    temperature: float = 0.7
    top_p: float = 1.0
    votes_a_page: int = 10
    correct_all: bool = True
    seed: int | None = None
    refresh_seconds: float = 2.0
