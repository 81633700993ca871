"""HTML of the Compare page: both answers with what was said before them, the progress, the tally."""

from __future__ import annotations

from collections import Counter

from tiebreak.formatting.numbers import DASH, percent
from tiebreak.serve.pages.blind import VERDICT_NAMES, Comparison
from tiebreak.serve.pages.markup import answer_card, escaped_line, notice, said
from tiebreak.serve.pages.streaming import Draft
from tiebreak.votes.tally import Standing, Tally
from tiebreak.votes.vote import Answer, Turn

EMPTY = (
    '<div class="tb-empty"><p class="tb-empty-title">Which answer is better?</p>'
    "<p>Two answers to your prompt, side by side. Your vote shows who wrote which.</p></div>"
)
KEYS_HINT = (
    '<p class="tb-quiet tb-keys">Keys: <kbd>←</kbd> left, <kbd>→</kbd> right, <kbd>t</kbd> tie, '
    "<kbd>b</kbd> both are bad</p>"
)
KEYS_JS = """
if (!window.tiebreakKeys) {
  window.tiebreakKeys = true;
  const votes = {ArrowLeft: 'left', ArrowRight: 'right', t: 'tie', b: 'both_bad'};
  const typing = 'input, textarea, select, [contenteditable], [role=listbox], [role=option], [role=slider]';
  document.addEventListener('keydown', (event) => {
    const box = event.target.closest?.('#compare-box textarea');
    if (box && event.key === 'Enter' && !event.shiftKey && !event.isComposing) setTimeout(() => box.blur());
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const ids = key === 'n' ? ['compare-waiting-next', 'compare-next'] : votes[key] ? ['vote-' + votes[key]] : [];
    if (!ids.length || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const tab = event.target.closest?.('[role=tab]');  // which arrows move from one to the next
    if (event.target.closest?.(typing) || (tab && key !== 'n')) return;
    const button = ids.map((id) => document.getElementById(id)).find((one) => one && one.offsetParent !== null);
    if (!button) return;
    event.preventDefault();
    tab?.blur();
    button.click();
  });
}
"""
"""Votes and the next comparison by key, while the buttons are there and nobody is typing."""


def comparison_html(comparison: Comparison | None, *, named: bool = False) -> str:
    """Both answers as HTML, with the turns before them.

    Args:
        comparison: what is compared; None is nothing yet.
        named: say who wrote which.
    """
    if comparison is None:
        return EMPTY
    if comparison.open is None:
        parts = [_turn(turn) for turn in comparison.prompt if turn[0] != "system"]
    else:  # nobody here has typed the prompt, or can see it elsewhere
        parts = [_in_full(turn) for turn in comparison.prompt]
    for one, other in zip(*comparison.before, strict=True):
        parts.append(_turn(one) if one[0] == "user" else _sides(_earlier(one, "Left"), _earlier(other, "Right")))
    cards = []
    better = comparison.vote.verdict if comparison.vote else None
    sides = (("Left", comparison.drafts[0], comparison.left), ("Right", comparison.drafts[1], comparison.right))
    for name, draft, answer in sides:
        mark = ' <span class="tb-tag tb-accent">your choice</span>' if better == name.lower() else ""
        who = f" · {_author(answer)}" if named and answer is not None else ""
        cards.append(answer_card(draft, f"{name}{who}{mark}", f"{name} answer"))
    return "".join((*parts, _sides(*cards)))


def thanks(comparison: Comparison) -> str:
    """What the page says when a vote is kept."""
    if comparison.vote is None or comparison.left is None or comparison.right is None:
        return ""
    verdict = VERDICT_NAMES[comparison.vote.verdict].lower()
    names = f"Left was {_plain(comparison.left)}, right was {_plain(comparison.right)}."
    return notice(f"Thank you. Your vote “{verdict}” is kept. {names}", "good")


def progress_html(done: int, of: int) -> str:
    """How many prompts of the team's file a voter has voted on; empty where there is no file."""
    if not of:
        return ""
    words = f"{done:,} of {of:,} prompts"
    return (
        f'<div class="tb-progress"><progress max="{of}" value="{done}" aria-label="{words} are done"></progress>'
        f"<span>{words}</span></div>"
    )


def tally_table(tally: Tally) -> str:
    """Scores with their intervals, games, and how far voters agree."""
    head = f'<h2>Tally</h2><p class="tb-quiet">{_counts(tally)}</p>'
    if not tally.standings:
        return f'<section class="tb-tally">{head}</section>'
    low = min(standing.low for standing in tally.standings)
    high = max(standing.high for standing in tally.standings)
    names = Counter(standing.model for standing in tally.standings)
    lines = "".join(_standing(one, low, high, names[one.model] > 1) for one in tally.standings)
    return (
        f'<section class="tb-tally">{head}<table><thead><tr><th scope="col">Model</th>'
        '<th scope="col">Score (95% interval)</th><th scope="col" class="tb-bars"></th>'
        '<th scope="col">Games</th><th scope="col">Won · lost · tie · both bad</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
        '<p class="tb-quiet">Bradley-Terry scores: 1000 is the mean of the models, 400 points more are ten times the '
        "odds of winning. Where intervals overlap, the order may still change.</p></section>"
    )


def _sides(left: str, right: str) -> str:
    return f'<div class="tb-sides">{left}{right}</div>'


def _turn(turn: Turn) -> str:
    role, content = turn
    if role == "assistant":
        return answer_card(_said(content), "Both go on from", "The answer that both go on from")
    return f'<p class="tb-asked">{escaped_line(content, 300)}</p>'


def _in_full(turn: Turn) -> str:
    role, content = turn
    if role == "assistant":
        return answer_card(_said(content), "Earlier answer", "An earlier answer, to which the conversation goes on")
    name = "Instructions to the models" if role == "system" else "Prompt"
    words = f'<p class="tb-label">{name}</p>' if role == "system" else ""
    return f'<div class="tb-asked tb-whole" role="group" tabindex="0" aria-label="{name}">{words}{said(content)}</div>'


def _earlier(turn: Turn, side: str) -> str:
    return answer_card(_said(turn[1]), side, f"{side} answer, earlier")


def _said(text: str) -> Draft:
    return Draft(text, done=True, finish="stop")


def _standing(one: Standing, low: float, high: float, again: bool) -> str:
    span = max(high - low, 1.0)
    at = [100 * (value - low) / span for value in (one.low, one.score, one.high)]
    bar = (
        '<svg class="tb-bar-svg" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="{at[0]:.1f}" x2="{at[2]:.1f}" y1="6" y2="6"/>'
        f'<rect x="{max(0.0, at[1] - 1):.1f}" y="1" width="2" height="10"/></svg>'
    )
    print_ = f' <small class="tb-quiet">{escaped_line(one.fingerprint, 8)}</small>' if again and one.fingerprint else ""
    counts = f"{one.wins} · {one.losses} · {one.ties} · {one.both_bad}"
    return (
        f'<tr><th scope="row">{escaped_line(one.model, 60)}{print_}</th>'
        f'<td data-name="Score">{one.score:.0f} <small class="tb-quiet">({one.low:.0f}–{one.high:.0f})</small></td>'
        f'<td class="tb-bars">{bar}</td><td data-name="Games">{one.games}</td>'
        f'<td data-name="Won · lost · tie · both bad">{counts}</td></tr>'
    )


def _counts(tally: Tally) -> str:
    if not tally.votes and not tally.corrected:
        return "No votes yet."
    parts = [f"{tally.votes:,} vote{'s' * (tally.votes != 1)}"]
    if tally.corrected:
        parts.append(f"{tally.corrected:,} more left out, corrected after the models were named")
    if tally.same_model:
        parts.append(f"{tally.same_model:,} between answers of one model, which count for no model")
    seen = tally.agreement
    if seen.share is None:
        parts.append(f"agreement {DASH} (no two voters saw the same pair)")
    else:
        pairs = f"{seen.comparisons:,} comparison{'s' * (seen.comparisons != 1)} that several voters saw"
        parts.append(f"voters agree in {percent(seen.share)} on {pairs}")
    return "; ".join(parts) + "."


def _author(answer: Answer) -> str:
    seed = "" if answer.seed is None else f' <small class="tb-quiet">seed {answer.seed}</small>'
    return f'<strong class="tb-name">{escaped_line(answer.model, 60)}</strong>{seed}'


def _plain(answer: Answer) -> str:
    return answer.model if answer.seed is None else f"{answer.model} (seed {answer.seed})"
