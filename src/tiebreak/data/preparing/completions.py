"""What stands after the prompt: the text of a completion, and which parts of it are scored.

A model goes on from the text of the prompt with the cue for its answer, so that is the prompt, wherever a template
allows it; the completion is what the template makes of the whole conversation after it, up to the end-of-sequence token
that closes the last turn. Of several turns the assistant's are scored: what the model itself would write, from each cue
to the token that closes the turn.

Knows turns and what a `Renderer` writes of them; knows no token ids. Templates are only compared with themselves: what
closes a turn, and where an answer begins, is seen in a conversation whose answer is a sentinel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import Refused, Renderer, Template
from tiebreak.data.preparing.typed_tokens import SENTINEL

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ScoreTurns = Literal["all", "last"]

Part = tuple[str, bool]
"""A piece of a completion's text, and whether its tokens are scored."""

_UNTOLD = "the chat template rewrites its turns so that it cannot be told which are scored"
_DIFFERENT = "the chat template writes the prompt otherwise for each completion"
_SHORTER = "the chat template opens a thought that these answers do not have: the prompt ends before it"
_CONTINUED = "the chat template drops the thought of a finished answer: it is kept, as it would be generated"
_STANDS = "the chat template writes the prompt otherwise once it is answered: the answer stands after it as generated"
_REWRITTEN = "the chat template rewrites earlier turns: prompt and completion are as in the whole conversation"


@dataclass(frozen=True, slots=True)
class RenderedRow:
    """A row as text in which typed special tokens are hidden.

    Attributes:
        prompt: up to where a completion begins.
        completions: the parts of each completion, in order; the end-of-sequence token that closes it is left out.
        cut: how many characters of the text that generation goes on from the prompt leaves out at its end; None where
            the prompt is written otherwise.
        note: what was done where a template does not write a prompt and its completion one after the other.
    """

    prompt: str
    completions: tuple[tuple[Part, ...], ...]
    cut: int | None = 0
    note: str | None = None


class CompletionWriter:
    """Writes the rows of one data set.

    Args:
        renderer: writes conversations.
        score_turns: which of the assistant's turns in a completion are scored.
    """

    def __init__(self, renderer: Renderer, score_turns: ScoreTurns = "all") -> None:
        self.renderer = renderer
        self.score_turns = score_turns
        # What is typed is hidden once a row, and its turns are rendered several times.
        self._hidden = replace(renderer, special_tokens="parse")
        self._eos = str(renderer.tokenizer.eos_token or "")
        self._closings: dict[tuple[object, ...], str | None] = {}

    def row(
        self, prompt: Sequence[Message], completions: Sequence[Sequence[Message]], tools: str | None = None
    ) -> RenderedRow:
        """A prompt and its completions as text.

        Args:
            prompt: the turns before the completions.
            completions: the turns of each; the first and the last are the assistant's.
            tools: the tools that the assistant may call, as JSON text.
        Raises:
            Refused: the template refuses a conversation, or does not tell what is to be scored.
        """
        prompt = [self.renderer.hidden(turn) for turn in prompt]
        completions = [[self.renderer.hidden(turn) for turn in turns] for turns in completions]
        tools = self.renderer.hidden_tools(tools)
        before = self._hidden.prompt(prompt, tools)
        wholes = [self._hidden.whole([*prompt, *turns], tools) for turns in completions]
        if all(whole.startswith(before) for whole in wholes):
            return self._after(before, prompt, completions, wholes, tools)
        head, _ = self._around(prompt, tools)
        if head and before.startswith(head) and before[len(head) :].strip():
            return self._opened(head, before[len(head) :], prompt, completions, wholes, tools)
        if all(len(turns) == 1 for turns in completions):
            answers = [
                self._alone(prompt, turns[0], whole, tools) for turns, whole in zip(completions, wholes, strict=True)
            ]
            return RenderedRow(before, tuple(((answer, True),) for answer in answers), note=_STANDS)
        return self._rewritten(prompt, completions, wholes, tools)

    def begun(self, prompt: Sequence[Message], answer: Message, tools: str | None = None) -> tuple[str, str]:
        """The text of a prompt, and of an answer that has begun and goes on.

        Raises:
            Refused: the template refuses the conversation, or changes what has begun.
        """
        row = self.row(prompt, [(answer,)], tools)
        text = "".join(part for part, _ in row.completions[0])
        closing = (
            self._closing([self.renderer.hidden(turn) for turn in prompt], self.renderer.hidden_tools(tools)) or ""
        )
        text = text.removesuffix(closing.split(self._eos)[0] if self._eos else closing)
        if not text.endswith(self.renderer.hidden(answer).content.strip()):
            raise Refused("the chat template rewrites the last turn, so that nothing can go on with it", prompt)
        return row.prompt, text

    def _after(
        self,
        before: str,
        prompt: Sequence[Message],
        completions: Sequence[Sequence[Message]],
        wholes: Sequence[str],
        tools: str | None,
        note: str | None = None,
        cut: int | None = 0,
    ) -> RenderedRow:
        """The row whose whole conversations all begin with the prompt as it is here."""
        parts: list[tuple[Part, ...]] = []
        for turns, whole in zip(completions, wholes, strict=True):
            ended = before + self._ended(whole[len(before) :], [*prompt, *turns[:-1]], tools)
            if len(turns) == 1:
                parts.append(((ended[len(before) :], True),))
                continue
            spans, rewritten = self._spans(len(before), ended, prompt, turns, whole, tools)
            parts.append(_cut(ended, len(before), spans if self.score_turns == "all" else spans[-1:]))
            note = note or (_REWRITTEN if rewritten else None)
        return RenderedRow(before, tuple(parts), cut, note)

    def _opened(
        self,
        base: str,
        opened: str,
        prompt: Sequence[Message],
        completions: Sequence[Sequence[Message]],
        wholes: Sequence[str],
        tools: str | None,
    ) -> RenderedRow:
        """The row where the cue opens something that a finished answer does not have: mostly a thought."""
        before = base + opened
        going_on = [
            whole[len(before) :] if whole.startswith(before) else self._going_on(turns, opened, prompt, tools)
            for turns, whole in zip(completions, wholes, strict=True)
        ]
        if all(text is not None for text in going_on) and all(len(turns) == 1 for turns in completions):
            texts = [before + (text or "") for text in going_on]
            return self._after(before, prompt, completions, texts, tools, _CONTINUED)
        texts = [
            whole if text is None or len(turns) > 1 else before + text
            for turns, whole, text in zip(completions, wholes, going_on, strict=True)
        ]
        if not all(text.startswith(base) for text in texts):
            return self._rewritten(prompt, completions, wholes, tools)
        return self._after(base, prompt, completions, texts, tools, _SHORTER, len(opened))

    def _going_on(
        self, turns: Sequence[Message], opened: str, prompt: Sequence[Message], tools: str | None
    ) -> str | None:
        """An answer that begins as the cue ends, without that and with what closes it; None for all others."""
        content = turns[0].content.lstrip()
        if len(turns) > 1 or not content.startswith(opened.strip()):
            return None
        rest = content.removeprefix(opened.lstrip())
        if rest == content:
            rest = content[len(opened.strip()) :].lstrip("\n")
        return rest + (self._closing(prompt, tools) or "")

    def _alone(self, prompt: Sequence[Message], turn: Message, whole: str, tools: str | None) -> str:
        """An answer cut out of a conversation whose prompt is written otherwise."""
        head, _ = self._around(prompt, tools)
        if head is None or not whole.startswith(head):
            return turn.content
        return self._ended(whole[len(head) :], prompt, tools)

    def _rewritten(
        self,
        prompt: Sequence[Message],
        completions: Sequence[Sequence[Message]],
        wholes: Sequence[str],
        tools: str | None,
    ) -> RenderedRow:
        """The row whose prompt is written otherwise in the whole conversation: it is taken from there."""
        starts = [
            self._counted(whole, prompt, turns, 0, tools) for turns, whole in zip(completions, wholes, strict=True)
        ]
        prompts = {whole[:start] for whole, start in zip(wholes, starts, strict=True)}
        if len(prompts) > 1:
            raise Refused(_DIFFERENT, prompt)
        return self._after(prompts.pop(), prompt, completions, wholes, tools, _REWRITTEN, None)

    def _spans(
        self,
        start: int,
        ended: str,
        prompt: Sequence[Message],
        turns: Sequence[Message],
        whole: str,
        tools: str | None,
    ) -> tuple[list[tuple[int, int]], bool]:
        """Where the assistant's turns stand, from cue to close, and whether any is written otherwise than at first."""
        spans: list[tuple[int, int]] = []
        rewritten = False
        for k, turn in enumerate(turns):
            if turn.role != "assistant":
                continue
            so_far = [*prompt, *turns[:k]]
            if k:
                found = self._going_from(whole, so_far, tools)
                start = self._counted(whole, prompt, turns, k, tools) if found is None else found
                rewritten |= found is None
            if k == len(turns) - 1:
                return [*spans, (start, len(ended))], rewritten
            through = self._hidden.whole([*so_far, turn], tools)
            closer = self._closer(so_far, tools)
            if whole.startswith(through):
                end = self._end_in(through, start, closer)
            else:
                rewritten = True
                end = whole.find(closer, start) + len(closer) if closer else -1
            if end < start:
                raise Refused(_UNTOLD, [*prompt, *turns])
            spans.append((start, end))
        raise ValueError("the last turn of a completion is the assistant's")

    def _going_from(self, whole: str, so_far: Sequence[Message], tools: str | None) -> int | None:
        """Where an answer begins in a text that begins with the turns before it as they are; None in all others."""
        cue = self._hidden.prompt(so_far, tools)
        if whole.startswith(cue):
            return len(cue)
        base = _shared(cue, self._around(so_far, tools)[0] or "")
        return len(base) if whole.startswith(base) and len(base) >= len(self._hidden.whole(so_far, tools)) else None

    def _end_in(self, through: str, start: int, closer: str) -> int:
        """Where the last turn of a text ends: after what closes it, or its last special token, or with the text."""
        at = through.rfind(closer, start) if closer else -1
        if at >= 0:
            return at + len(closer)
        ends = self.renderer.typed.written(through[start:])
        return start + ends[-1] if ends else len(through)

    def _counted(
        self, whole: str, prompt: Sequence[Message], turns: Sequence[Message], k: int, tools: str | None
    ) -> int:
        """Where the answer of turn `k` begins in a text that is rewritten: its cue, counted from the end."""
        so_far = [*prompt, *turns[:k]]
        cue = _shared(self._hidden.prompt(so_far, tools), self._around(so_far, tools)[0] or "")
        cue = cue[len(self._hidden.whole(so_far, tools)) :]
        answers = sum(turn.role == "assistant" for turn in turns[k:])
        pieces = whole.split(cue) if cue else []
        if len(pieces) <= answers or not self.renderer.typed.written(cue):
            raise Refused(_UNTOLD, [*prompt, *turns])
        return len(whole) - len(cue.join(pieces[-answers:]))

    def _ended(self, rest: str, so_far: Sequence[Message], tools: str | None) -> str:
        """What follows the prompt, up to the end-of-sequence token that closes its last turn."""
        closing = self._closing(so_far, tools)
        if closing is not None and rest.endswith(closing):
            at = closing.find(self._eos) if self._eos else -1
            return rest[: len(rest) - len(closing)] + (closing if at < 0 else closing[:at])
        # It is closed in a way of its own, as calls of tools are by some templates.
        at = rest.rfind(self._eos) if self._eos else -1
        return rest[:at] if at >= 0 and not rest[at + len(self._eos) :].strip() else rest

    def _closer(self, so_far: Sequence[Message], tools: str | None) -> str:
        """What closes an answer: up to the end-of-sequence token or the first special token, where there is one."""
        closing = self._closing(so_far, tools) or ""
        if self._eos and self._eos in closing:
            return closing[: closing.find(self._eos) + len(self._eos)]
        ends = self.renderer.typed.written(closing)
        return closing[: ends[0]] if ends else ""

    def _closing(self, so_far: Sequence[Message], tools: str | None) -> str | None:
        """What a template writes after an answer at the end: the same for all conversations of the same roles."""
        key = (*(turn.role for turn in so_far), tools is None)
        if key not in self._closings:
            self._closings[key] = self._around(so_far, tools)[1]
        return self._closings[key]

    def _around(self, so_far: Sequence[Message], tools: str | None) -> tuple[str | None, str | None]:
        """What a template writes before and after a last answer; None where it does not write the answer once."""
        pieces = self._hidden.whole([*so_far, Message("assistant", SENTINEL)], tools).split(SENTINEL)
        return (pieces[0], pieces[1]) if len(pieces) == 2 else (None, None)


def _cut(text: str, start: int, spans: Sequence[tuple[int, int]]) -> tuple[Part, ...]:
    """A text from `start` in parts, of which those in the spans are scored."""
    parts: list[Part] = []
    for begin, end in spans:
        parts += [(text[start:begin], False), (text[begin:end], True)]
        start = end
    return tuple(part for part in parts if part[0])


def _shared(a: str, b: str) -> str:
    """What two texts begin with alike."""
    pairs = zip(a, b, strict=False)
    return a[: next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(a), len(b)))]


def completion_text(
    prompt: Sequence[Message], completion: str, tokenizer: PreTrainedTokenizerBase, template: Template
) -> str:
    """What the model should say after `templates.prompt_text`, as people read it, without the end-of-sequence token.

    Templates may add text around an answer (a trailing line break, a role's closing mark); what stands between the
    prompt and the end-of-sequence token is the completion, so that training sees exactly what generation produces.
    """
    renderer = Renderer(tokenizer, template)
    row = CompletionWriter(renderer).row(prompt, [(Message("assistant", completion),)])
    return renderer.shown("".join(text for text, _ in row.completions[0]))
