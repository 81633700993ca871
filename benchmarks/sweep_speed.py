"""What a search costs beside its trials one by one, beside TRL, and what a second worker brings.

    python benchmarks/sweep_speed.py --out sweep.json
    python benchmarks/sweep_speed.py --shape tiny --pairs 32 --skip-peer --skip-workers

Four trials over the learning rate, of GPT-2's shape on real pairs of HH-RLHF, held-out evaluation included: as one
`tiebreak sweep`, and as four `tiebreak train`, each with a cache of its own, as somebody has it who does not know that
they could share one. TRL's `DPOTrainer` runs four times with its defaults over the same pairs, without any evaluation,
which is in its favour. Then eight trials on the bundled world by one worker, and by two at once, each with one thread.
All is whole processes from start to end, in turn; nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from job import Job
from pairs import write_pairs
from shapes import SHAPES, make_model_folder
from sides import HERE, TRL, run_side

from tiebreak.sweep.begin import begin, sweep_recipe

SHARED = HERE.parent.parent / "shared" / "data"
RATES = (1e-6, 2e-6, 5e-6, 1e-5)
_HELD_OUT = 0.2  # share of the pairs
_MAX_LENGTH = 512
_WORKERS = 2
_WORLD_RATES = (1e-5, 2e-5, 3e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4)
_WORLD = {"train.max_steps": 40, "evaluate.samples": 0, "evaluate.judge": "none"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="gpt2")
    parser.add_argument("--pairs", type=int, default=160, help="that are trained on; a fifth more are held out")
    parser.add_argument("--batch-size", type=int, default=8, help="pairs a step")
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer", help="GPT-2's vocab and merges")
    parser.add_argument("--skip-peer", action="store_true", help="leave TRL out")
    parser.add_argument("--skip-workers", action="store_true", help="leave the two workers out")
    parser.add_argument("--out", type=Path, default=None, help="JSON file of the figures")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    for needed in (asked.data, asked.tokenizer):
        if not needed.exists():
            raise SystemExit(f"{needed} is not there; name it with --data and --tokenizer")
    with tempfile.TemporaryDirectory(prefix="tiebreak-sweep-speed-") as name:
        folder = Path(name)
        found = trials(asked, folder)
        if not asked.skip_workers:
            found |= workers(folder)
    for name_of, value in found.items():
        print(f"{name_of:28} {value:.2f}")
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def trials(asked: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Seconds of four trials in each way, and how they compare."""
    model, data = folder / "model", folder / "pairs.jsonl"
    make_model_folder(asked.shape, asked.tokenizer, model)
    count = asked.pairs + round(asked.pairs * _HELD_OUT / (1 - _HELD_OUT))
    write_pairs(asked.data, model, pairs=count, max_length=_MAX_LENGTH, out=data)
    common = ["--model", str(model), "--data", str(data)]
    for key, value in {
        "data.eval_fraction": _HELD_OUT,
        "data.max_length": _MAX_LENGTH,
        "train.batch_size": asked.batch_size,
        "train.epochs": 1,
        "train.eval_every": 0.25,
        "train.save_every": "null",
        "evaluate.samples": 8,
        "evaluate.max_new_tokens": 32,
    }.items():
        common += ["--set", f"{key}={value}"]
    over = f"train.learning_rate={','.join(map(str, RATES))}"
    swept = seconds(["sweep", *common, "--over", over, "--out", str(folder / "sweep")], folder / "cache-sweep")
    apart = sum(
        seconds(
            ["train", *common, "--learning-rate", str(rate), "--out", str(folder / f"run-{rate}")],
            folder / f"cache-{rate}",
        )
        for rate in RATES
    )
    found = {"sweep_seconds": swept, "four_trains_seconds": apart, "sweep_of_four_trains": swept / apart}
    if not asked.skip_peer:
        peer = sum(timed_peer(asked, model, data, folder / f"trl-{number}") for number in range(len(RATES)))
        found |= {"four_trl_seconds": peer, "sweep_of_four_trl": swept / peer}
    return found


def timed_peer(asked: argparse.Namespace, model: Path, data: Path, out: Path) -> float:
    """Seconds of one run of TRL over as many pairs, its process included."""
    job = Job(
        model=str(model),
        data=str(data),
        out="",
        steps=asked.pairs // asked.batch_size,
        batch_size=asked.batch_size,
        max_length=_MAX_LENGTH,
        precision="fp32",
        reference="live",
        adapter="none",
        device="cpu",
        gradient_checkpointing=False,
    )
    began = time.perf_counter()
    run_side(TRL, job, out)
    return time.perf_counter() - began


def workers(folder: Path) -> dict[str, float]:
    """How many times faster two workers are than one, on the bundled world."""
    took = {}
    for count in (1, _WORKERS):
        out, cache = folder / f"workers-{count}", folder / f"cache-workers-{count}"
        begin(sweep_recipe("quickstart", {"train.learning_rate": list(_WORLD_RATES)}, _WORLD), out)
        began = time.perf_counter()
        processes = [_started(["sweep", "--worker", str(out)], cache, threads=1) for _ in range(count)]
        for process in processes:
            if process.wait():
                raise SystemExit(f"a worker ended with {process.returncode}")
        took[count] = time.perf_counter() - began
    return {
        "one_worker_seconds": took[1],
        "two_workers_seconds": took[_WORKERS],
        "two_workers_faster": took[1] / took[_WORKERS],
    }


def seconds(words: Sequence[str], cache: Path) -> float:
    """Seconds of a command, its process included."""
    began = time.perf_counter()
    _run(words, cache)
    return time.perf_counter() - began


def _run(words: Sequence[str], cache: Path) -> None:
    process = _started(words, cache)
    if process.wait():
        raise SystemExit(f"tiebreak {' '.join(words)} ended with {process.returncode}")


def _started(words: Sequence[str], cache: Path, *, threads: int | None = None) -> subprocess.Popen[bytes]:
    own: Mapping[str, str] = {"TIEBREAK_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}
    own = {**own, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
    command = [sys.executable, "-m", "tiebreak", *words]
    return subprocess.Popen(command, env={**os.environ, **own}, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
