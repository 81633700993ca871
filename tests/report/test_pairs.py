"""The held-out pairs worth a look, by what training did to each; none is listed twice for the same reason."""

from __future__ import annotations

from tiebreak.report.pairs import moved_most
from tiebreak.runs.held_out import HeldOutPair

CHANGES = [(-1.0, 2.0, "to chosen"), (1.0, -2.0, "to rejected"), (3.0, 9.0, None), (2.0, 2.0, None), (5.0, 4.0, None)]


def pairs_with(rewards: list[tuple[float, float] | None]) -> list[HeldOutPair]:
    return [
        HeldOutPair(pair=i, prompt=f"<b>{i}</b>", before=before, after=after, flipped=flipped, rewards_after=rewarded)
        for i, ((before, after, flipped), rewarded) in enumerate(zip(CHANGES, rewards, strict=True))
    ]


def grouped(pairs: list[HeldOutPair]) -> dict[str, list[int]]:
    return {title: [pair.pair for pair in group] for title, group in moved_most(pairs)}


def test_pairs_of_a_file_without_rewards_are_shown_by_what_they_gained() -> None:
    assert grouped(pairs_with([None] * 5)) == {
        "Lost most": [1, 4],
        "Gained most": [2, 0],
        "The chosen answer became the likelier one": [0],
        "The rejected answer became the likelier one": [1],
    }
    assert moved_most([]) == []
    assert len(moved_most(pairs_with([None] * 5) * 20)[0][1]) == 5


def test_pairs_that_are_wrong_come_first_and_those_that_lost_most_are_other_ones() -> None:
    found = grouped(pairs_with([(0.0, 3.0), (1.0, 0.5), (2.0, 2.5), (1.0, 1.0), (0.0, -1.0)]))
    assert list(found)[:3] == ["Most wrong after training", "Lost most", "Gained most"]
    assert found["Most wrong after training"] == [0, 2]  # a margin of zero is no wrong one here
    assert found["Lost most"] == [1, 4]


def test_where_a_reward_is_what_was_gained_the_wrong_ones_are_not_listed_twice() -> None:
    found = grouped(pairs_with([(after - before, 0.0) for before, after, _ in CHANGES]))
    assert found["Most wrong after training"] == [1, 4]
    assert "Lost most" not in found
