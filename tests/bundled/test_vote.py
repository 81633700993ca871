"""The judge as a voter."""

from __future__ import annotations

from pathlib import Path

from tiebreak.bundled.judge import judge
from tiebreak.bundled.vote import cast_votes
from tiebreak.data.preference import Message
from tiebreak.votes import open_votes


def test_the_judge_decides_each_vote_and_the_same_call_casts_the_same_votes(tmp_path: Path) -> None:
    url = str(tmp_path / "votes.db")
    counts = cast_votes("bundled:base", url, count=6, seed=3)
    assert sum(counts.values()) == 6
    with open_votes(url, create=False) as store:
        votes = list(store.every())
    assert len(votes) == 6
    for vote in votes:
        prompt = [Message("user", content) for role, content in vote.prompt if role == "user"]
        left, right = (judge(prompt, answer.text).passed for answer in (vote.left, vote.right))
        assert vote.verdict == ("tie" if left and right else "left" if left else "right" if right else "both_bad")
    assert cast_votes("bundled:base", url, count=6, seed=3) == counts
    with open_votes(url, create=False) as store:
        assert list(store.every()) == votes
