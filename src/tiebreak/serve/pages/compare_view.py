"""How a comparison and the account of the votes look."""

from __future__ import annotations

from collections import Counter

from tiebreak.report.forms import DASH, percent
from tiebreak.serve.pages.chat_view import answer_card
from tiebreak.serve.pages.markup import escaped_line, notice
from tiebreak.serve.pages.session import Round
from tiebreak.votes.tally import Standing, Tally
from tiebreak.votes.vote import Answer, Verdict

VERDICT_NAMES: dict[Verdict, str] = {
    "left": "Left is better",
    "right": "Right is better",
    "tie": "Tie",
    "both_bad": "Both are bad",
}
EMPTY = (
    '<div class="tb-empty"><p class="tb-empty-title">Which answer is better?</p>'
    "<p>Two answers to your prompt, side by side. Who wrote which is told after your vote.</p></div>"
)


def comparison(round: Round | None, *, named: bool = False) -> str:
    """Both answers as HTML.

    Args:
        round: what is compared; None is nothing yet.
        named: tell who wrote which.
    """
    if round is None:
        return EMPTY
    sides = (("Left", round.drafts[0], round.left), ("Right", round.drafts[1], round.right))
    better = round.vote.verdict if round.vote else None
    cards = ""
    for name, draft, answer in sides:
        mark = ' <span class="tb-tag tb-accent">your choice</span>' if better == name.lower() else ""
        who = f" · {_author(answer)}" if named and answer is not None else ""
        cards += answer_card(draft, f"{name}{who}{mark}", f"{name} answer")
    asked = "".join(content for role, content in round.prompt if role == "user")
    return f'<p class="tb-asked">{escaped_line(asked, 300)}</p><div class="tb-sides">{cards}</div>'


def tally_table(tally: Tally) -> str:
    """Scores with their intervals, games, and how far voters agree."""
    head = f'<h2>Tally</h2><p class="tb-quiet">{_account(tally)}</p>'
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


def thanks(round: Round) -> str:
    """What the page says when a vote is kept."""
    if round.vote is None or round.left is None or round.right is None:
        return ""
    said = VERDICT_NAMES[round.vote.verdict].lower()
    names = f"Left was {_plain(round.left)}, right was {_plain(round.right)}."
    return notice(f"Thank you. Your vote “{said}” is kept. {names}", "good")


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


def _account(tally: Tally) -> str:
    if not tally.votes:
        return "No votes yet."
    parts = [f"{tally.votes:,} vote{'s' * (tally.votes != 1)}"]
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
