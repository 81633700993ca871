"""The policy by which votes become rows to train on."""

from __future__ import annotations

import pytest

from tests.votes.made import answer, compared, vote
from tiebreak.votes.pairs import BOTH_BAD, EVEN, SAME, TIE, training_rows
from tiebreak.votes.vote import Vote


def _rows(*votes: Vote) -> list[tuple[str, str, float]]:
    rows, dropped = training_rows(votes)
    assert not dropped
    return [(row["chosen"], row["rejected"], row["weight"]) for row in rows]


def _dropped(*votes: Vote) -> dict[str, int]:
    rows, dropped = training_rows(votes)
    assert not rows
    return dict(dropped)


def test_the_better_answer_is_chosen_whichever_side_it_stood_on() -> None:
    assert _rows(compared("left", "ann")) == [("A", "B", 1.0)]
    assert _rows(compared("right", "ann")) == [("B", "A", 1.0)]


def test_a_row_is_whole() -> None:
    prompt = (("system", "Be brief. "), ("user", " Hi"), ("assistant", "Hello."), ("user", "And now?"))
    rows, _ = training_rows([vote(7, prompt=prompt, left=answer(" yes\n"), right=answer("no"))])
    assert rows == [
        {
            "prompt": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "And now?"},
            ],
            "chosen": "yes",
            "rejected": "no",
            "id": vote(7).id,
            "weight": 1.0,
            "chosen_score": None,
            "rejected_score": None,
        }
    ]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["left", "left"], ("A", "B", 1.0)),
        (["left", "left", "right"], ("A", "B", 1 / 3)),
        (["right", "left", "right", "right"], ("B", "A", 1 / 2)),
        (["left", "tie"], ("A", "B", 1 / 2)),
        (["left", "both_bad", "tie", "tie"], ("A", "B", 1 / 4)),
    ],
)
def test_the_majority_decides_and_disagreement_lowers_the_weight(
    verdicts: list[str], expected: tuple[str, str, float]
) -> None:
    votes = [compared(verdict, f"voter-{number}", number) for number, verdict in enumerate(verdicts)]
    ((chosen, rejected, weight),) = _rows(*votes)
    assert (chosen, rejected) == expected[:2]
    assert weight == pytest.approx(expected[2])


def test_sides_are_freed_before_votes_are_counted() -> None:
    turned = vote(1, prompt=(("user", "Question?"),), left=answer("B"), right=answer("A"), verdict="right", voter="bob")
    assert _rows(compared("left", "ann"), turned) == [("A", "B", 1.0)]


def test_what_settles_nothing_is_dropped_by_its_reason() -> None:
    assert _dropped(compared("left", "ann"), compared("right", "bob", 1)) == {EVEN: 1}
    assert _dropped(compared("left", "ann"), compared("right", "bob", 1), compared("tie", "cid", 2)) == {EVEN: 1}
    assert _dropped(compared("tie", "ann")) == {TIE: 1}
    assert _dropped(compared("both_bad", "ann")) == {BOTH_BAD: 1}
    assert _dropped(compared("both_bad", "ann"), compared("both_bad", "bob", 1), compared("tie", "cid", 2)) == {
        BOTH_BAD: 1
    }
    assert _dropped(compared("left", "ann", 0, "A", " A ")) == {SAME: 1}
    assert _dropped(compared("tie", "ann"), compared("both_bad", "bob", 1, "C", "D")) == {TIE: 1, BOTH_BAD: 1}


def test_an_edited_answer_beats_both_answers_and_the_verdict_stays() -> None:
    expected = [("A", "B", 1.0), ("better", "A", 1.0), ("better", "B", 1.0)]
    assert _rows(compared("left", "ann", edited=" better ")) == expected
    assert _rows(compared("both_bad", "ann", edited="better")) == expected[1:]
    assert _rows(compared("tie", "ann", edited="better")) == expected[1:]
    assert _rows(compared("both_bad", "ann", 0, "A", "A", edited="better")) == [("better", "A", 1.0)]


def test_an_edit_that_is_blank_or_one_of_the_answers_adds_nothing() -> None:
    for edited in ("", "  ", "A", "B\n"):
        assert _rows(compared("left", "ann", edited=edited)) == [("A", "B", 1.0)]


def test_the_same_edit_of_two_voters_is_one_row() -> None:
    rows = _rows(compared("left", "ann", edited="better"), compared("right", "bob", 1, edited="better"))
    assert rows == [("better", "A", 1.0), ("better", "B", 1.0)]


def test_several_answers_to_one_prompt_become_pairs_of_what_was_compared() -> None:
    votes = [compared("left", "ann"), compared("left", "ann", 1, "B", "C"), compared("right", "bob", 2, "D", "A")]
    assert _rows(*votes) == [("A", "B", 1.0), ("B", "C", 1.0), ("A", "D", 1.0)]


def test_another_prompt_is_another_comparison() -> None:
    votes = [compared("left", "ann"), vote(1, left=answer("A"), right=answer("B"), verdict="right", voter="bob")]
    assert _rows(*votes) == [("A", "B", 1.0), ("B", "A", 1.0)]


def test_withdrawn_votes_and_earlier_votes_of_a_voter_do_not_count() -> None:
    assert _dropped(compared("tie", "ann"), compared("left", "bob", 1, withdrawn=True)) == {TIE: 1}
    assert _rows(compared("right", "ann"), compared("left", "ann", 1)) == [("A", "B", 1.0)]
    assert training_rows([compared("left", "ann", withdrawn=True)]) == ([], {})


def test_every_row_has_an_id_of_its_own() -> None:
    rows, _ = training_rows([compared("left", "ann", edited="x"), compared("left", "bob", 1, edited="y")])
    assert len({row["id"] for row in rows}) == len(rows) == 5
