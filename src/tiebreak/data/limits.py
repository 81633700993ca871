"""How long sequences may be, in tokens, and how a row is brought within its limits.

Knows ids and turns; the words for what was done to a row are those that a run reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tiebreak.data.encode import Ids, encode_prompts
from tiebreak.data.preference import Message
from tiebreak.data.render import Template, prompt_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TooLong = Literal["drop", "trim_prompt", "trim_completion"]


@dataclass(frozen=True)
class Limits:
    """The longest sequences allowed, in tokens, and what happens to longer ones; None is no limit."""

    total: int | None = None
    prompt: int | None = None
    completion: int | None = None
    too_long: TooLong = "drop"


@dataclass(frozen=True)
class Fitting:
    """Brings rows within limits; shorter prompts are rendered and tokenized anew, since a template may close turns."""

    limits: Limits
    tokenizer: PreTrainedTokenizerBase
    template: Template

    def fit(
        self, turns: tuple[Message, ...], prompt: Ids, endings: list[Ids]
    ) -> tuple[tuple[Ids, list[Ids]] | None, str | None]:
        """The row within its limits, or None, and what was done to it, if anything."""
        limits = self.limits
        longest = max(map(len, endings))
        room = _least(limits.prompt, None if limits.total is None else limits.total - longest)
        prompt_over = room is not None and len(prompt) > room
        ending_over = limits.completion is not None and longest > limits.completion
        if not prompt_over and not ending_over:
            return (prompt, endings), None
        if limits.too_long == "trim_prompt" and not ending_over and room is not None and room > 0:
            shorter = self._drop_turns(turns, room)
            if shorter is not None:
                return (shorter, endings), "prompt trimmed"
        if limits.too_long == "trim_completion" and not (limits.prompt is not None and len(prompt) > limits.prompt):
            most = _least(limits.completion, None if limits.total is None else limits.total - len(prompt))
            if most is not None and most > 0:
                cut = [ids[:most] for ids in endings]
                if len({tuple(ids) for ids in cut}) == len(endings):
                    return (prompt, cut), "completion trimmed"
                return None, "equal after trimming"
        return None, "too long"

    def _drop_turns(self, turns: tuple[Message, ...], room: int) -> Ids | None:
        """The prompt without its oldest turns, keeping a system turn and the last turn, within `room` tokens."""
        system = turns[:1] if turns and turns[0].role == "system" else ()
        rest = turns[len(system) :]
        for start in range(1, len(rest)):
            if rest[start].role != "user":
                continue
            text = prompt_text((*system, *rest[start:]), self.tokenizer, self.template)
            ids = encode_prompts(self.tokenizer, [text], self.template)[0]
            if len(ids) <= room:
                return ids
        return None


def _least(*values: int | None) -> int | None:
    given = [value for value in values if value is not None]
    return min(given) if given else None
