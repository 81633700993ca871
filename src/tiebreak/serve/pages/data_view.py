"""HTML of the Data page: votes with their texts, their marks, and who corrected them when."""

from __future__ import annotations

from collections.abc import Sequence

from tiebreak.formatting.text import shortened
from tiebreak.serve.pages.blind import VERDICT_NAMES
from tiebreak.serve.pages.markup import escaped_line, pick_button, said
from tiebreak.votes.vote import Answer, EarlierVersion, Vote

_SHORT = 400  # characters of a text in the list
_EMPTY = (
    '<div class="tb-empty"><p class="tb-empty-title">No votes here.</p><p>The Compare page collects them.</p></div>'
)


def vote_list(votes: Sequence[Vote], mine: str | None, *, correct_all: bool) -> str:
    """A page of votes.

    Args:
        votes: in the order in which they are shown.
        mine: name of the voter who looks.
        correct_all: whether every vote has the button, or only the voter's own.
    """
    if not votes:
        return _EMPTY
    return "".join(_card(vote, vote.voter == mine, correct_all or vote.voter == mine) for vote in votes)


def vote_whole(vote: Vote) -> str:
    """One vote with its texts in full."""
    return f'<div class="tb-vote tb-whole">{_prompt(vote, None)}{_sides(vote, None)}</div>'


def _card(vote: Vote, own: bool, can: bool) -> str:
    parts = [_prompt(vote, _SHORT), _sides(vote, _SHORT)]
    if vote.reason:
        parts.append(
            f'<div class="tb-more"><span class="tb-label">Why</span>{said(shortened(vote.reason, _SHORT))}</div>'
        )
    if vote.edited:
        better = said(shortened(vote.edited, _SHORT))
        parts.append(f'<div class="tb-more"><span class="tb-label">Better answer</span>{better}</div>')
    parts += [_correction(vote, number) for number in range(len(vote.corrections))]
    yours = '<span class="tb-tag">yours</span>' if own else ""
    if vote.unblind:
        yours += ' <span class="tb-tag">corrected after the models were named: not in scores</span>'
    button = pick_button(vote.id, "Correct") if can else ""
    head = (
        f'<div class="tb-head"><span><span class="tb-tag tb-accent">{VERDICT_NAMES[vote.verdict]}</span>{yours} '
        f'<time class="tb-quiet">{vote.time:%Y-%m-%d %H:%M} UTC</time></span>{button}</div>'
    )
    return f'<article class="tb-vote">{head}{"".join(parts)}</article>'


def _correction(vote: Vote, number: int) -> str:
    """What a correction changed, when, and who did it."""
    before = vote.corrections[number]
    after: EarlierVersion | Vote = vote.corrections[number + 1] if number + 1 < len(vote.corrections) else vote
    changes = []
    if before.verdict != after.verdict:
        changes.append(f"it was “{VERDICT_NAMES[before.verdict]}”")
    changes += [
        words
        for words, one, other in (
            ("the reason was another one", before.reason, after.reason),
            ("the better answer was another one", before.edited, after.edited),
        )
        if one != other
    ]
    who = "its voter" if before.by == vote.voter else escaped_line(before.by) if before.by else "somebody"
    return (
        f'<p class="tb-quiet tb-correction">Corrected <time>{before.until:%Y-%m-%d %H:%M} UTC</time> by {who}: '
        f"{escaped_line('; '.join(changes), 200)}.</p>"
    )


def _prompt(vote: Vote, limit: int | None) -> str:
    turns = "".join(
        f'<div class="tb-turn"><span class="tb-label">{escaped_line(role)}</span>{said(_cut(content, limit))}</div>'
        for role, content in vote.prompt
    )
    return f'<div class="tb-turns">{turns}</div>'


def _sides(vote: Vote, limit: int | None) -> str:
    left = _answer(vote.left, "Left", vote.verdict == "left", limit)
    right = _answer(vote.right, "Right", vote.verdict == "right", limit)
    return f'<div class="tb-sides">{left}{right}</div>'


def _answer(answer: Answer, side: str, better: bool, limit: int | None) -> str:
    mark = ' <span class="tb-tag tb-good">better</span>' if better else ""
    name = (
        f'<span class="tb-who">{side} · <strong class="tb-name">{escaped_line(answer.model, 60)}</strong>{mark}</span>'
    )
    earlier = "".join(
        f'<div class="tb-turn"><span class="tb-label">{escaped_line(role)}</span>{said(_cut(content, limit))}</div>'
        for role, content in answer.before
    )
    return f'<div class="tb-answer"><div class="tb-head">{name}</div>{earlier}{said(_cut(answer.text, limit))}</div>'


def _cut(text: str, limit: int | None) -> str:
    return text if limit is None else shortened(text, limit)
