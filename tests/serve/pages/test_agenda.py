"""The team's prompts: which is next for a voter, and how many are done."""

from __future__ import annotations

from pathlib import Path

from tests.votes.made import vote
from tiebreak.serve.pages.agenda import Agenda
from tiebreak.votes import open_votes
from tiebreak.votes.count import RunningCount
from tiebreak.votes.voters import voter_of

PROMPTS = tuple(((("user", f"Prompt {number}")),) for number in range(3))


def test_each_voter_has_prompts_of_their_own_to_do_and_may_go_past_one(tmp_path: Path) -> None:
    with open_votes(str(tmp_path / "votes.db")) as store:
        agenda = Agenda(PROMPTS, RunningCount(store))
        skipped: set[int] = set()
        assert agenda.next("ann-key", skipped) == 0
        store.add(vote(1, prompt=(("system", "Be brief."), *PROMPTS[0]), voter=voter_of("ann-key")))
        assert (agenda.next("ann-key", skipped), agenda.next("bob-key", skipped)) == (1, 0)
        skipped.add(1)
        assert agenda.next("ann-key", skipped) == 2
        skipped.add(2)
        assert (agenda.next("ann-key", skipped), skipped) == (1, set())
        assert "1 of 3 prompts" in agenda.html("ann-key")
        assert "0 of 3 prompts" in agenda.html("bob-key")
        store.withdraw(vote(1).id)
        assert "0 of 3 prompts" in agenda.html("ann-key")
        for number, prompt in enumerate(PROMPTS):
            store.add(vote(10 + number, prompt=prompt, voter=voter_of("ann-key")))
        assert agenda.next("ann-key", set()) is None
        assert "3 of 3 prompts" in agenda.html("ann-key")


def test_nothing_is_shown_without_prompts_and_nothing_done_without_votes() -> None:
    assert Agenda((), None).html("ann-key") == ""
    assert Agenda(PROMPTS, None).next("ann-key", set()) == 0
