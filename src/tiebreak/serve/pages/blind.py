"""A blind comparison: who stands on which side is drawn here, and known only here until the vote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import numpy as np

from tiebreak.data.preference import Message
from tiebreak.serve.generation.engine import GenerationRequest, ServedModel
from tiebreak.serve.pages.sampling_settings import MAX_SEED, SamplingSettings
from tiebreak.serve.pages.streaming import Draft
from tiebreak.serve.settings import Pairing
from tiebreak.votes.open_comparison import OpenComparison, vote_id
from tiebreak.votes.strengths import bradley_terry
from tiebreak.votes.tally import Games, players_of, wins_of
from tiebreak.votes.vote import Answer, Turn, Verdict, Vote, new_id, now

VERDICT_NAMES: Mapping[Verdict, str] = {
    "left": "Left is better",
    "right": "Right is better",
    "tie": "Tie",
    "both_bad": "Both are bad",
}
_CLOSE = 1e-9  # variances that differ by less are as large


@dataclass
class Comparison:
    """Two answers to one prompt, before the vote.

    Attributes:
        prompt: the turns that were asked.
        before: the turns of each side after the prompt, where the two went on by themselves.
        vote_id: drawn once, so that clicking twice votes once.
        drafts: the answers as they stand on the page, left and right.
        left, right: the same with their models, when both are whole.
        vote: what was voted.
        open: id of the open comparison of the store that it is, whose answers stand already; None where it is none.
    """

    prompt: tuple[Turn, ...]
    before: tuple[tuple[Turn, ...], tuple[Turn, ...]] = ((), ())
    vote_id: str = field(default_factory=new_id)
    drafts: list[Draft] = field(default_factory=lambda: [Draft(), Draft()])
    left: Answer | None = None
    right: Answer | None = None
    vote: Vote | None = None
    open: str | None = None

    @property
    def whole(self) -> bool:
        """Whether both answers came to their ends."""
        return self.left is not None and self.right is not None

    @property
    def same(self) -> bool:
        """Whether both sides said the same, so that there is nothing to vote on."""
        return self.left is not None and self.right is not None and self.left.turns == self.right.turns

    def place(self, left: Answer, right: Answer) -> None:
        """Put whole answers on their sides."""
        self.left, self.right = left, right
        self.before = (left.before, right.before)
        self.drafts = [Draft(side.text, done=True, finish="stop", seed=side.seed) for side in (left, right)]


@dataclass(kw_only=True)
class DrawnComparison(Comparison):
    """A comparison whose answers are drawn here.

    Attributes:
        models: left and right, in the order that was drawn.
        sampling: how answers are drawn.
    """

    models: tuple[ServedModel, ServedModel]
    sampling: SamplingSettings


def standing_comparison(asked: OpenComparison, draws: Random) -> Comparison:
    """An open comparison of the store on its way to a voter; which answer stands left is drawn."""
    found = Comparison(asked.prompt, open=asked.id)
    one, other = asked.first, asked.second
    found.place(*((one, other) if draws.random() < 0.5 else (other, one)))
    return found


def new_comparison(
    prompt: tuple[Turn, ...], models: tuple[ServedModel, ServedModel], sampling: SamplingSettings, draws: Random
) -> DrawnComparison:
    """A comparison that has no answers yet; which model stands left is drawn.

    Args:
        prompt: turns, the last the user's; a system message of the settings comes before them, unless they have one.
        models: in any order; one may be there twice.
        sampling: how answers are drawn.
        draws: draws the sides.
    """
    system: tuple[Turn, ...] = (("system", sampling.system),) if sampling.system and prompt[0][0] != "system" else ()
    one, other = models
    sides = (one, other) if draws.random() < 0.5 else (other, one)
    return DrawnComparison((*system, *prompt), models=sides, sampling=sampling)


def going_on(comparison: DrawnComparison, text: str, draws: Random) -> DrawnComparison:
    """The next exchange of a comparison whose answers are whole.

    Before the vote each side goes on from its own answer, on the side where it stands. After it the sides are known, so
    both go on from the better answer (of two that were as good, from one that is drawn) and change sides by a new draw.

    Args:
        comparison: that was answered.
        text: what the user says next, to both.
        draws: draws what must be drawn.
    """
    left, right = comparison.left, comparison.right
    if left is None or right is None:
        raise ValueError("A comparison without two whole answers does not go on.")
    if comparison.vote is None:
        before = tuple((*side.before, ("assistant", side.text), ("user", text)) for side in (left, right))
        models, sampling = comparison.models, comparison.sampling
        return DrawnComparison(comparison.prompt, (before[0], before[1]), models=models, sampling=sampling)
    vote = comparison.vote
    better = {"left": left, "right": right}.get(vote.verdict) or draws.choice((left, right))
    said = (*better.before, ("assistant", vote.edited or better.text), ("user", text))
    return new_comparison((*comparison.prompt, *said), comparison.models, comparison.sampling, draws)


def requests_of(comparison: DrawnComparison, draws: Random) -> list[GenerationRequest]:
    """What is asked of the left and of the right side.

    Each has a seed of its own that is drawn here, whatever anybody chose: answers that somebody has the API make from
    seeds of theirs are other ones.
    """
    one = draws.randrange(MAX_SEED + 1)
    other = (one + 1 + draws.randrange(MAX_SEED)) % (MAX_SEED + 1)  # any but the first
    found = []
    for model, before, seed in zip(comparison.models, comparison.before, (one, other), strict=True):
        turns = tuple(
            Message(role, content)  # type: ignore[arg-type]  # the roles of a vote are among those of messages
            for role, content in (*comparison.prompt, *before)
            if role != "system"
        )
        system = next((content for role, content in comparison.prompt if role == "system"), None)
        found.append(comparison.sampling.request(model.name, turns, seed, system=system))
    return found


def sign(comparison: DrawnComparison) -> None:
    """Note whose the answers are, where both are whole."""
    drafts = comparison.drafts
    if all(draft.whole for draft in drafts):
        comparison.left, comparison.right = (
            Answer(draft.text, model.name, model.fingerprint, comparison.sampling.kept(), draft.seed, before)
            for draft, model, before in zip(drafts, comparison.models, comparison.before, strict=True)
        )


def drawn_models(
    models: tuple[ServedModel, ...], games: Games, pairing: Pairing, draws: Random
) -> tuple[ServedModel, ServedModel]:
    """Two models to compare; one model alone is compared with itself.

    Args:
        models: that are served.
        games: the votes so far.
        pairing: `uniform`: any two, each pair as likely; `least-known`: the two whose difference of scores has the
            greatest variance in the Bradley-Terry fit of the votes, of several such pairs any.
        draws: draws them.
    """
    if len(models) < 2:
        return models[0], models[0]
    if pairing != "least-known":
        one, other = draws.sample(models, 2)
        return one, other
    served = [(model.name, model.fingerprint) for model in models]
    players = list(dict.fromkeys((*players_of(games), *served)))
    known = bradley_terry(wins_of(games, players)).covariance
    at = [players.index(player) for player in served]
    spread = {
        (i, j): float(known[at[i], at[i]] + known[at[j], at[j]] - 2 * known[at[i], at[j]])
        for i, j in zip(*np.triu_indices(len(models), 1), strict=True)
    }
    most = max(spread.values())
    i, j = draws.choice([pair for pair, variance in spread.items() if variance >= most - _CLOSE])
    return models[i], models[j]


def vote_on(comparison: Comparison, verdict: Verdict, reason: str, edited: str, voter: str) -> Vote:
    """The vote on a comparison of which both answers are whole."""
    if comparison.left is None or comparison.right is None:
        raise ValueError("A comparison without two whole answers has no vote.")
    return Vote(
        id=comparison.vote_id if comparison.open is None else vote_id(comparison.open, voter),
        prompt=comparison.prompt,
        left=comparison.left,
        right=comparison.right,
        verdict=verdict,
        reason=reason.strip() or None,
        edited=edited.strip() or None,
        voter=voter,
        time=now(),
        comparison=comparison.open,
    )
