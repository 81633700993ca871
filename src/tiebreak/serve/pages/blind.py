"""A blind comparison: who stands on which side is drawn here, and known only here until the vote."""

from __future__ import annotations

import secrets
from random import Random

from tiebreak.data.preference import Message
from tiebreak.serve.engine import GenerationRequest, ServedModel
from tiebreak.serve.pages.asking import Draft
from tiebreak.serve.pages.knobs import MAX_SEED, Sampling
from tiebreak.serve.pages.session import Round
from tiebreak.votes.vote import Answer, Turn, Verdict, Vote, new_id, now


def new_voter() -> str:
    """A pseudonymous key: random letters, of nobody and from nowhere."""
    return secrets.token_urlsafe(18)


def new_round(prompt: str, sampling: Sampling) -> Round:
    """A comparison that has no answers yet."""
    system: tuple[Turn, ...] = (("system", sampling.system),) if sampling.system else ()
    return Round(new_id(), (*system, ("user", prompt)))


def drawn_sides(
    first: ServedModel, second: ServedModel, prompt: str, sampling: Sampling, draws: Random
) -> list[tuple[ServedModel, GenerationRequest]]:
    """Both models with what is asked of them, left and right in an order that is drawn.

    One model twice gets two seeds, so that its answers differ.
    """
    seed = draws.randrange(MAX_SEED) if sampling.seed is None else sampling.seed
    seeds = (seed, (seed + 1) % (MAX_SEED + 1) if first.name == second.name else seed)
    turns = (Message("user", prompt),)
    sides = [
        (model, sampling.request(model.name, turns, seed)) for model, seed in zip((first, second), seeds, strict=True)
    ]
    draws.shuffle(sides)
    return sides


def signed_answer(draft: Draft, model: ServedModel, sampling: Sampling) -> Answer:
    """An answer as a vote keeps it."""
    return Answer(draft.text, model.name, model.fingerprint, sampling.kept(), draft.seed)


def vote_on(round: Round, verdict: Verdict, reason: str, edited: str, voter: str) -> Vote:
    """The vote on a comparison of which both answers are whole."""
    if round.left is None or round.right is None:
        raise ValueError("A comparison without two whole answers has no vote.")
    return Vote(
        id=round.vote_id,
        prompt=round.prompt,
        left=round.left,
        right=round.right,
        verdict=verdict,
        reason=reason.strip() or None,
        edited=edited.strip() or None,
        voter=voter,
        time=now(),
    )
