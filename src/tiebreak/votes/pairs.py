"""From votes to pairs to train on.

The policy, for each comparison (one prompt and two answers, whichever stood left):
- Each voter speaks once, with the last vote. The answer that more voters called better is chosen, the other rejected.
- The weight of the pair is (votes for chosen - votes for rejected) / all votes on it, "tie" and "both bad" among them:
  1 where all agree, 1/3 at two against one. To first order this is the mean of the losses that each voter's own pair
  would give, and no pair counts more than a plain one.
- As many on either side: dropped as "voters disagree evenly". Nobody on either side: dropped as "a tie", or as
  "both bad" where more said so.
- An edited better answer beats both answers of its vote, whatever the verdict: two more pairs of weight 1. The voter
  had the better one before them and improved on it. The comparison's own pair stays.
- Equal answers make no pair. Nothing is inferred from chains: with A over B and B over C there is no pair of A and C.
- An answer of several turns is a completion of several turns; one is edited in its last turn.
- Withdrawn votes never appear. Those whose verdict was corrected after the models were named appear only if asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiebreak.votes.comparisons import Comparison, comparisons
from tiebreak.votes.vote import Turn, Vote, counts, turn_rows

if TYPE_CHECKING:  # a store of votes is served and counted without anything of the data room
    from tiebreak.data.preference import Preference

EVEN = "voters disagree evenly"
TIE = "a tie"
BOTH_BAD = "both bad"
SAME = "both answers have the same text"
CORRECTED = "the verdict was corrected after the models were named"


@dataclass(frozen=True, slots=True)
class NoPairs:
    """Why a comparison gives no pair."""

    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one comparison gives.

    Attributes:
        vote: id of the first vote on it, to find it by.
        made: its pairs, at least one; or why there is none.
    """

    vote: str
    made: tuple[Preference, ...] | NoPairs


def outcomes(votes: Iterable[Vote], *, corrected: bool = False) -> Iterator[Outcome]:
    """The pairs of each comparison, or why it has none, in the order of the first votes.

    Args:
        votes: all of them.
        corrected: use also those whose verdict was corrected after the models were named.
    """
    counted: list[Vote] = []
    for vote in votes:
        if counts(vote, corrected=corrected):
            counted.append(vote)
        elif not vote.withdrawn:
            yield Outcome(vote.id, NoPairs(CORRECTED))
    for comparison in comparisons(counted):
        voted, edited = _voted(comparison), tuple(_edited(comparison))
        made = edited or voted if isinstance(voted, NoPairs) else (voted, *edited)
        yield Outcome(comparison.votes[0].id, made)


def training_rows(votes: Iterable[Vote], *, corrected: bool = False) -> tuple[list[dict[str, Any]], Counter[str]]:
    """All pairs as canonical rows (`Preference.to_row`), and how many comparisons gave none, by reason.

    Args:
        votes, corrected: as of `outcomes`.
    """
    from tiebreak.data.preference import plain_row

    rows: list[dict[str, Any]] = []
    dropped: Counter[str] = Counter()
    for outcome in outcomes(votes, corrected=corrected):
        if isinstance(outcome.made, NoPairs):
            dropped[outcome.made.reason] += 1
        else:
            rows += [plain_row(pair.to_row()) for pair in outcome.made]
    return rows, dropped


def _voted(comparison: Comparison) -> Preference | NoPairs:
    if comparison.same:
        return NoPairs(SAME)
    said = comparison.counts()
    lead = said["first"] - said["second"]
    if lead == 0:
        if said["first"]:
            return NoPairs(EVEN)
        return NoPairs(BOTH_BAD if said["both_bad"] > said["tie"] else TIE)
    chosen, rejected = comparison.turns_of(comparison.first), comparison.turns_of(comparison.second)
    if lead < 0:
        chosen, rejected = rejected, chosen
    return _pair(comparison.prompt, chosen, rejected, comparison.votes[0].id, abs(lead) / len(comparison.votes))


def _edited(comparison: Comparison) -> list[Preference]:
    pairs: dict[tuple[str, tuple[Turn, ...]], Preference] = {}
    worse = dict.fromkeys(map(comparison.turns_of, (comparison.first, comparison.second)))
    for vote in comparison.votes:
        text = (vote.edited or "").strip()
        if not text or any(text == turns[-1][1] for turns in worse):
            continue
        for number, turns in enumerate(worse, 1):
            asked = (*comparison.prompt, *turns[:-1])
            pair = _pair(asked, (("assistant", text),), turns[-1:], f"{vote.id}#edited-{number}", 1.0)
            pairs.setdefault((text, turns), pair)
    return list(pairs.values())


def _pair(
    prompt: tuple[Turn, ...], chosen: tuple[Turn, ...], rejected: tuple[Turn, ...], id: str, weight: float
) -> Preference:
    from tiebreak.data.preference import Preference, completion_of, messages_from

    while len(chosen) > 2 and len(rejected) > 2 and chosen[:2] == rejected[:2]:  # they went apart only later
        prompt, chosen, rejected = (*prompt, *chosen[:2]), chosen[2:], rejected[2:]
    better, better_turns = completion_of(messages_from(turn_rows(chosen)))
    worse, worse_turns = completion_of(messages_from(turn_rows(rejected)))
    asked = messages_from(turn_rows(prompt))
    return Preference(asked, better, worse, id, weight, chosen_turns=better_turns, rejected_turns=worse_turns)
