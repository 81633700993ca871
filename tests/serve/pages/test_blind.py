"""What is drawn for a comparison: sides, seeds, and the vote's id."""

from __future__ import annotations

from random import Random

import pytest

from tests.serve.pages.engine_double import BASE, RUN
from tiebreak.serve.pages.asking import Draft
from tiebreak.serve.pages.blind import drawn_sides, new_round, new_voter, signed_answer, vote_on
from tiebreak.serve.pages.compare import known_voter
from tiebreak.serve.pages.knobs import MAX_SEED, Sampling
from tiebreak.votes.bounds import check_vote

SAMPLING = Sampling(system=None, temperature=0.7, top_p=1.0, max_tokens=20, seed=None)


def test_each_model_stands_left_about_half_of_the_time() -> None:
    draws = Random(0)
    left = [drawn_sides(RUN, BASE, "x", SAMPLING, draws)[0][0].name for _ in range(400)]
    assert 160 < left.count("tern-run") < 240


def test_two_models_have_one_seed_and_one_model_twice_has_two() -> None:
    draws = Random(0)
    both = [request.seed for _, request in drawn_sides(RUN, BASE, "x", SAMPLING, draws)]
    assert both[0] == both[1]
    last = Sampling(None, 0.7, 1.0, 20, MAX_SEED)
    for sampling in (SAMPLING, last):
        twice = [request.seed for _, request in drawn_sides(RUN, RUN, "x", sampling, draws)]
        assert twice[0] != twice[1]
        assert all(seed is not None and 0 <= seed <= MAX_SEED for seed in twice)


def test_a_vote_says_what_was_asked_with_the_system_prompt_and_can_be_kept() -> None:
    sampling = Sampling("Be brief.", 0.5, 0.9, 20, 4)
    round = new_round("Hello", sampling)
    round.left, round.right = (signed_answer(Draft("One", True, "stop", 4), model, sampling) for model in (RUN, BASE))
    vote = vote_on(round, "left", " because ", "  ", new_voter())
    check_vote(vote)
    assert vote.id == round.vote_id
    assert vote.prompt == (("system", "Be brief."), ("user", "Hello"))
    assert (vote.reason, vote.edited) == ("because", None)


def test_there_is_no_vote_without_two_whole_answers() -> None:
    with pytest.raises(ValueError, match="no vote"):
        vote_on(new_round("Hello", SAMPLING), "left", "", "", "key")


@pytest.mark.parametrize("sent", [None, "", "anna@post.invalid", "127.0.0.1", "x" * 129, 7, {"a": 1}, "a b"])
def test_what_is_no_key_of_a_voter_is_none(sent: object) -> None:
    assert known_voter(sent) is None


def test_new_keys_are_keys_and_never_the_same() -> None:
    keys = {new_voter() for _ in range(50)}
    assert len(keys) == 50
    assert all(known_voter(key) == key for key in keys)
