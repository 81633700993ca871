"""A process like a server: eight clients cast votes, and each vote is acknowledged on stdout after `add` returned.

Called as `python -m tests.votes.writer URL NUMBER…`; it is killed at any moment.
"""

from __future__ import annotations

import os
import sys
import threading

from tests.votes.made import answer, vote
from tiebreak.votes import open_votes
from tiebreak.votes.store import VoteStore

CLIENTS = 8


def client(store: VoteStore, numbers: list[int]) -> None:
    """Cast votes one after the other."""
    for number in numbers:
        store.add(vote(number, left=answer("word " * 500), reason=f"reason {number}"))
        os.write(1, f"{number}\n".encode())  # one small write, which a pipe takes whole


def main() -> None:
    """Open the store, print that it is open, let the clients work, and print when they are done."""
    url, *words = sys.argv[1:]
    numbers = [int(word) for word in words]
    with open_votes(url) as store:
        os.write(1, b"open\n")
        threads = [threading.Thread(target=client, args=(store, numbers[part::CLIENTS])) for part in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.write(1, b"done\n")


if __name__ == "__main__":
    main()
