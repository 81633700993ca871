"""From votes to rows to train on.

The policy, for each comparison (one prompt and two answers, whichever stood left):
- Each voter speaks once, with the last vote. The answer that more voters called better is chosen, the other rejected.
- The weight of the pair is (votes for chosen - votes for rejected) / all votes on it, "tie" and "both bad" among them:
  1 where all agree, 1/3 at two against one. To first order this is the mean of the losses that each voter's own pair
  would give, and no pair counts more than a plain one.
- As many on either side: left out as "voters disagree evenly". Nobody on either side: left out as "a tie", or as
  "both bad" where more said so.
- An edited better answer beats both answers of its vote, whatever the verdict: two more pairs of weight 1. The voter
  had the better one before them and improved on it. The comparison's own pair stays.
- Equal answers make no pair. Nothing is inferred from chains: with A over B and B over C there is no pair of A and C.
- Withdrawn votes never appear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tiebreak.votes.comparisons import Comparison, comparisons
from tiebreak.votes.vote import Vote

EVEN = "voters disagree evenly"
TIE = "a tie"
BOTH_BAD = "both bad"
SAME = "both answers have the same text"


@dataclass(frozen=True)
class Paired:
    """What one comparison gives.

    Attributes:
        vote: id of the first vote on it, to find it by.
        rows: canonical rows, as `Preference.to_row` makes them.
        left_out: why there is none; None where there are rows.
    """

    vote: str
    rows: tuple[dict[str, Any], ...]
    left_out: str | None


def paired(votes: Iterable[Vote]) -> Iterator[Paired]:
    """The rows of each comparison, or why it has none, in the order of the first votes."""
    for comparison in comparisons(votes):
        rows, reason = _voted(comparison)
        rows += _edited(comparison)
        yield Paired(comparison.votes[0].id, tuple(rows), None if rows else reason)


def training_rows(votes: Iterable[Vote]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """All rows, and how many comparisons gave none, by reason."""
    rows: list[dict[str, Any]] = []
    left_out: Counter[str] = Counter()
    for each in paired(votes):
        rows += each.rows
        if each.left_out is not None:
            left_out[each.left_out] += 1
    return rows, left_out


def _voted(comparison: Comparison) -> tuple[list[dict[str, Any]], str | None]:
    if comparison.same:
        return [], SAME
    counts = comparison.counts()
    lead = counts["first"] - counts["second"]
    if lead == 0:
        if counts["first"]:
            return [], EVEN
        return [], BOTH_BAD if counts["both_bad"] > counts["tie"] else TIE
    chosen, rejected = comparison.first, comparison.second
    if lead < 0:
        chosen, rejected = rejected, chosen
    weight = abs(lead) / len(comparison.votes)
    return [_row(comparison, chosen, rejected, comparison.votes[0].id, weight)], None


def _edited(comparison: Comparison) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for vote in comparison.votes:
        text = (vote.edited or "").strip()
        if not text or text in (comparison.first, comparison.second):
            continue
        worse = dict.fromkeys((comparison.first, comparison.second))
        for number, answer in enumerate(worse, 1):
            row = _row(comparison, text, answer, f"{vote.id}#edited-{number}", 1.0)
            rows.setdefault((text, answer), row)
    return list(rows.values())


def _row(comparison: Comparison, chosen: str, rejected: str, id: str, weight: float) -> dict[str, Any]:
    return {
        "prompt": [{"role": role, "content": content} for role, content in comparison.prompt],
        "chosen": chosen,
        "rejected": rejected,
        "id": id,
        "weight": weight,
        "chosen_score": None,
        "rejected_score": None,
    }
