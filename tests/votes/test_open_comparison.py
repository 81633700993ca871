"""What an open comparison is, and what its votes say: who speaks, which votes count, and which way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.votes.made import EVALUATION, START, answer, answering, asked, vote
from tiebreak.votes.open_comparison import key_of, open_comparison, points_for, vote_id, votes_that_count
from tiebreak.votes.vote import EarlierVersion, Vote

ASKED = asked()


def test_the_same_question_has_one_id_whichever_answer_comes_first_and_whoever_asks() -> None:
    turned = asked(first=ASKED.second, second=ASKED.first, made=START + timedelta(days=1))
    assert turned.id == ASKED.id
    assert asked(evaluation=key_of("another")).id == ASKED.id
    spaced = asked(first=answer(" It is Tuesday.\n", "tuned", fingerprint="tuned-1", sampling={}))
    assert spaced.id == ASKED.id


def test_another_prompt_text_or_model_is_another_question() -> None:
    others = [
        asked(1),
        asked(prompt=(("system", "Be brief."), *ASKED.prompt)),
        asked(first=answer("Tuesday.", "tuned")),
        asked(first=answer("It is Tuesday.", "tuned", fingerprint="of-other-weights")),
        # The same two texts, and each by the other model.
        asked(first=answer("I do not know.", "tuned"), second=answer("It is Tuesday.")),
        asked(first=answer("It is Tuesday.", "tuned", before=(("assistant", "a"), ("user", "b")))),
    ]
    assert len({ASKED.id, *(other.id for other in others)}) == len(others) + 1


def test_models_without_fingerprints_are_told_apart_by_their_names() -> None:
    one, other = answer("A", "one", fingerprint=""), answer("B", "other", fingerprint="")
    swapped = answer("B", "one", fingerprint=""), answer("A", "other", fingerprint="")
    assert asked(first=one, second=other).id != asked(first=swapped[0], second=swapped[1]).id


def test_equal_answers_are_no_question() -> None:
    with pytest.raises(ValueError, match="Equal answers"):
        open_comparison(EVALUATION, ASKED.prompt, answer("Same."), answer(" Same. ", "tuned"))


def test_each_voter_has_one_vote_on_a_comparison() -> None:
    ids = {vote_id(comparison.id, voter) for comparison in (ASKED, asked(1)) for voter in ("ann", "bob")}
    assert len(ids) == 4
    assert vote_id(ASKED.id, "ann") in ids
    assert all(len(id) == 32 for id in ids)


@pytest.mark.parametrize(
    ("verdicts", "points"),
    [
        (["left"], 1.0),
        (["right"], 0.0),
        (["tie"], 0.5),
        (["both_bad"], 0.5),
        (["left", "right"], 0.5),
        (["left", "left", "right"], 2 / 3),
        (["left", "both_bad"], 0.75),
    ],
)
@pytest.mark.parametrize("swapped", [False, True], ids=["as asked", "turned"])
def test_the_verdict_is_the_mean_of_the_voters_wherever_the_answers_stood(
    verdicts: list[str], points: float, swapped: bool
) -> None:
    turned = {"left": "right", "right": "left"}
    cast = [
        answering(ASKED, turned.get(verdict, verdict) if swapped else verdict, f"voter-{number}", swapped=swapped)
        for number, verdict in enumerate(verdicts)
    ]
    counted = votes_that_count(ASKED, cast)
    assert points_for(ASKED.first, counted) == pytest.approx(points, abs=1e-15)
    assert points_for(ASKED.second, counted) == pytest.approx(1 - points, abs=1e-15)


def test_votes_that_do_not_count_are_passed_over_and_a_voter_speaks_once() -> None:
    def cast(number: int, verdict: str, voter: str, **changes: Any) -> Vote:
        return answering(ASKED, verdict, voter, id=vote(number).id, time=START + timedelta(seconds=number), **changes)

    unblind = EarlierVersion("right", None, None, START)
    put_back = EarlierVersion("left", None, None, START)
    found = votes_that_count(
        ASKED,
        [
            cast(1, "right", "ann"),
            cast(2, "left", "ann"),
            cast(3, "right", "bob", withdrawn=True),
            cast(4, "left", "cid", corrections=(unblind,)),
            cast(5, "left", "dan", corrections=(put_back,)),
            answering(asked(1), "right", "eve"),
            vote(6, comparison=None, prompt=ASKED.prompt, left=ASKED.first, right=ASKED.second, voter="fay"),
        ],
    )
    assert [(each.voter, each.verdict) for each in found] == [("ann", "left"), ("dan", "left")]
    assert votes_that_count(ASKED, []) == ()


def test_a_vote_that_names_the_comparison_and_shows_other_texts_says_nothing_of_it() -> None:
    forged = answering(ASKED, "left", "eve", left=answer("Something else.", "tuned"))
    assert votes_that_count(ASKED, [forged]) == ()
