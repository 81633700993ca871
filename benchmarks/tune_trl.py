"""TRL's best settings for a case, by trying what a knowing user would set.

    python benchmarks/tune_trl.py --case gpt2-hh-fp32-full-8-a-step

Tried one after the other, the best so far is kept: how many pairs are in memory at a time, memory that the process
keeps, pairs of like lengths together, threads. A trial that is faster runs once more in turn with the best so far, and
must be faster both times. `padding_free` is switched off in TRL 1.16's DPOTrainer, and Liger's kernels need a GPU. The
result goes to `trl_tuned.json`, with all trials; a case that is there is not searched again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cases import CASES, HEADLINE, Case
from figures import pairs_per_second
from job import Job
from sides import HERE, KEPT_MEMORY, TRL, Side, run_side
from train_speed import SHARED, machine, prepared

STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", default=[], choices=sorted(CASES), metavar="NAME")
    parser.add_argument("--headline", action="store_true", help="the cases of the README")
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer")
    parser.add_argument("--out", type=Path, default=HERE / "trl_tuned.json")
    asked = parser.parse_args()
    for name in [*asked.case, *(HEADLINE if asked.headline else ())]:
        found = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else {}
        if name in found:
            print(f"{name}: is there")
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[name] = searched(CASES[name], asked.data, asked.tokenizer, Path(folder)) | {"machine": machine()}
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def searched(case: Case, data: Path, tokenizer: Path, folder: Path) -> dict[str, Any]:
    """The best side, and all that was tried."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    job = prepared(replace(case, steps=STEPS), data, tokenizer, folder, device)
    trials: list[dict[str, Any]] = []

    def speed(side: Side) -> float:
        answer = run_side(side, job, folder / f"trial-{len(trials)}")
        found = pairs_per_second([answer], case.batch_size)
        trial = {"settings": dict(side.settings), "environment": dict(side.environment), "pairs_per_second": found}
        trials.append(trial | {"peak_bytes": answer["peak_bytes"]})
        print(f"{found:.3f} pairs/s  {trial['settings']}  {trial['environment']}", flush=True)
        return found

    best, fastest = TRL, speed(TRL)
    for side in tried(job):
        candidate = replace(best, settings={**best.settings, **side[0]}, environment={**best.environment, **side[1]})
        found = speed(candidate)
        if found > fastest and min(found, speed(candidate)) > max(fastest, speed(best)):
            best, fastest = candidate, found
    return {"best": {"settings": dict(best.settings), "environment": dict(best.environment)}, "trials": trials}


def tried(job: Job) -> Iterator[tuple[Mapping[str, Any], Mapping[str, str]]]:
    """Settings and environment, one change at a time."""
    at_a_time = job.batch_size // 2
    while at_a_time >= 1:
        yield {"per_device_train_batch_size": at_a_time}, {}
        at_a_time //= 2
    yield {}, KEPT_MEMORY
    yield {"train_sampling_strategy": "group_by_length"}, {}
    yield {"per_device_train_batch_size": job.batch_size, "train_sampling_strategy": "group_by_length"}, {}
    yield {}, {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    yield {}, {"KMP_BLOCKTIME": "1", "OMP_WAIT_POLICY": "ACTIVE"}


if __name__ == "__main__":
    main()
