"""`python -m tiebreak.bundled.vote`: the bundled judge as a voter, to see the circle close without people.

Two answers of a model to a prompt of the bundled training preferences; the judge says which passes. Nothing here knows
the preferences' own endings.
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
from tiebreak.cli.terminal import quiet_libraries
from tiebreak.data.preference import Message
from tiebreak.evaluate.generate import Sampling, answer_all
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.votes import Answer, Vote, open_votes

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def cast_votes(model: str, url: str, *, count: int, seed: int, temperature: float = 1.0) -> dict[str, int]:
    """Let the judge compare pairs of answers of one model.

    Args:
        model: run folder, loop folder, Hub id, folder, or `bundled:base`.
        url: where the votes are kept.
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
    found = {"left": 0, "right": 0, "tie": 0, "both_bad": 0}
    with open_votes(url) as store:
        for i, (prompt, left, right) in enumerate(zip(turns, *sides, strict=True)):
            passed = judge(prompt, left).passed, judge(prompt, right).passed
            verdict = {(True, False): "left", (False, True): "right", (True, True): "tie"}.get(passed, "both_bad")
            found[verdict] += 1
            name = hashlib.sha256(f"{model}|{seed}|{i}|{left}|{right}".encode()).hexdigest()[:32]
            store.add(
                Vote(
                    id=name,
                    prompt=tuple((turn.role, turn.content) for turn in prompt),
                    left=Answer(left, model, "", settings, seeds[0]),
                    right=Answer(right, model, "", settings, seeds[1]),
                    verdict=verdict,  # type: ignore[arg-type]
                    reason=None,
                    edited=None,
                    voter="bundled-judge",
                    time=_BEGAN + timedelta(seconds=i),
                )
            )
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tiebreak.bundled.vote", description="Let the bundled judge vote.")
    parser.add_argument("model", help="run folder, loop folder, or bundled:base")
    parser.add_argument("--votes", default="votes.db", help="URL or file of the votes")
    parser.add_argument("--count", type=int, default=500, help="prompts, each with one vote")
    parser.add_argument("--seed", type=int, default=0, help="of the prompts and the answers")
    given = parser.parse_args()
    quiet_libraries()
    found = cast_votes(given.model, given.votes, count=given.count, seed=given.seed)
    print(", ".join(f"{verdict} {count:,}" for verdict, count in found.items()))


if __name__ == "__main__":
    main()
