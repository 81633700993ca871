"""`python -m tiebreak.bundled.vote`: the bundled judge as a voter, to try the loop without people.

The model answers prompts of the bundled training preferences twice, and the judge says which answer passes. Nothing
here reads the completions of the preferences.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
from datetime import UTC, datetime, timedelta

from tiebreak.bundled import preferences_path
from tiebreak.bundled.judge import judge
from tiebreak.data.preference import Message
from tiebreak.generation.generate import Sampling, answer_all
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.votes import Answer, Vote, open_votes
from tiebreak.votes.address import default_votes, parse_address
from tiebreak.votes.vote import VERDICTS, Verdict

_START = datetime(2026, 1, 1, tzinfo=UTC)
_VERDICTS: dict[tuple[bool, bool], Verdict] = {
    (True, False): "left",
    (False, True): "right",
    (True, True): "tie",
    (False, False): "both_bad",
}
"""By whether the left answer passed, and the right one."""


def cast_votes(model: str, url: str, *, count: int, seed: int, temperature: float = 1.0) -> dict[Verdict, int]:
    """Let the judge compare pairs of answers of one model.

    Args:
        model: run folder, loop folder, Hub id, folder, or `bundled:base`.
        url: file or URL of the votes store.
        count: prompts, each with one vote; drawn by the seed.
        seed: of the prompts and the answers; the same call casts the same votes, which are kept once.
        temperature: of the sampling; 0 would give the same answer twice.
    Returns:
        How many votes of each verdict.
    """
    with gzip.open(preferences_path("train"), "rt", encoding="utf-8") as lines:
        rows = [json.loads(line)["prompt"] for line in lines]
    prompts = random.Random(seed).sample(rows, min(count, len(rows)))
    turns = [[Message(turn["role"], turn["content"]) for turn in prompt] for prompt in prompts]
    loaded, tokenizer = load_model(model), load_tokenizer(model)
    settings = {"temperature": temperature, "max_tokens": 64}
    seeds = (2 * seed, 2 * seed + 1)
    sides = [
        answer_all(loaded, tokenizer, turns, Sampling(temperature, max_new_tokens=64, seed=each)) for each in seeds
    ]
    counts = dict.fromkeys(VERDICTS, 0)
    with open_votes(url) as store:
        for i, (prompt, left, right) in enumerate(zip(turns, *sides, strict=True)):
            passed = judge(prompt, left).passed, judge(prompt, right).passed
            verdict = _VERDICTS[passed]
            counts[verdict] += 1
            vote_id = hashlib.sha256(f"{model}|{seed}|{i}|{left}|{right}".encode()).hexdigest()[:32]
            store.add(
                Vote(
                    id=vote_id,
                    prompt=tuple((turn.role, turn.content) for turn in prompt),
                    left=Answer(left, model, "", settings, seeds[0]),
                    right=Answer(right, model, "", settings, seeds[1]),
                    verdict=verdict,
                    reason=None,
                    edited=None,
                    voter="bundled-judge",
                    time=_START + timedelta(seconds=i),
                )
            )
    return counts


def main() -> None:
    """Read the arguments, cast the votes and print how many there were of each verdict."""
    parser = argparse.ArgumentParser(prog="python -m tiebreak.bundled.vote", description="Let the bundled judge vote.")
    parser.add_argument("model", help="run folder, loop folder, or bundled:base")
    parser.add_argument("--votes", help="file or URL of the votes; default: votes.db here if it exists, else yours")
    parser.add_argument("--count", type=int, default=500, help="number of prompts; each gets one vote")
    parser.add_argument("--seed", type=int, default=0, help="seed of the prompts and of the answers")
    arguments = parser.parse_args()
    from tiebreak.cli.terminal import quiet_libraries

    quiet_libraries()
    votes = arguments.votes or default_votes(create_folder=True)
    counts = cast_votes(arguments.model, votes, count=arguments.count, seed=arguments.seed)
    said = ", ".join(f"{verdict} {count:,}" for verdict, count in counts.items())
    print(f"{said}; kept in {parse_address(votes).located}")


if __name__ == "__main__":
    main()
