"""Acknowledged votes survive kill -9 of the server at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from tests.votes.made import answer, vote
from tiebreak.votes import open_votes
from tiebreak.votes.filters import VoteFilter

VOTES = 200
KILLS = 10


def _life(url: str, numbers: list[int], kill_after: int | None, wait: float) -> list[int]:
    """Run a server with clients that cast votes; kill it after so many acknowledgements; return those that came."""
    words = [sys.executable, "-m", "tests.votes.writer", url, *map(str, numbers)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        lines: list[bytes] = []
        for line in server.stdout:
            lines.append(line)
            if kill_after is not None and len(lines) > kill_after:  # the first line tells that the store is open
                time.sleep(wait)
                os.kill(server.pid, signal.SIGKILL)
                break
        lines += server.stdout.readlines()
    assert (server.returncode == -signal.SIGKILL) == (b"done\n" not in lines)
    return [int(line) for line in lines if line.endswith(b"\n") and line[:1].isdigit()]


def test_no_acknowledged_vote_is_lost_and_none_is_kept_twice_over_ten_kills(url: str) -> None:
    draw = random.Random(7)
    pending, acknowledged = list(range(VOTES)), set[int]()
    kills = 0
    while kills < KILLS:
        came = _life(url, pending, kill_after=draw.randrange(12), wait=draw.random() * 0.01)
        kills += 1
        assert not acknowledged & set(came)
        acknowledged |= set(came)
        pending = [number for number in pending if number not in acknowledged]
        assert pending, "the server was too quick to be killed ten times"
        with open_votes(url, create=False) as store:
            kept = {int(each.id, 16) for each in store.every()}
            assert acknowledged <= kept
    # What was written and not acknowledged is cast again by its client, under the same id.
    acknowledged |= set(_life(url, pending, kill_after=None, wait=0))
    assert acknowledged == set(range(VOTES))
    with open_votes(url, create=False) as store:
        found = list(store.every(VoteFilter(withdrawn=None)))
    assert found == [vote(number, left=answer("word " * 500), reason=f"reason {number}") for number in range(VOTES)]
