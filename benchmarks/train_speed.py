"""Training speed beside TRL: the same pairs, order, shape, precision, batch and optimizer, one side after the other.

    python benchmarks/train_speed.py --data harmless-base-test.jsonl.gz --tokenizer gpt2-tokenizer

Each side runs in a process of its own, in turn; nothing else runs meanwhile. The first step of each is left out: it
allocates. The losses of both must agree, or the comparison means nothing and the command fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from job import Job
from machine_rate import matrix_rate
from pairs import write_pairs
from shapes import SHAPES, make_model_folder

HERE = Path(__file__).parent
SHARED = HERE.parent.parent / "shared" / "data"
# How far the losses of the two sides may differ, relatively.
AGREES = {"fp32": 1e-4, "bf16": 2e-2}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="gpt2")
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer", help="GPT-2's vocab and merges")
    parser.add_argument("--pairs", type=int, default=None, help="default: four steps")
    parser.add_argument("--batch-size", type=int, default=8, help="pairs a step")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--reference", choices=("cached", "live"), default="live")
    parser.add_argument("--adapter", choices=("none", "lora"), default="none")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="on both sides")
    parser.add_argument("--rounds", type=int, default=1, help="how often both sides run, in turn")
    parser.add_argument("--skip-peer", action="store_true", help="measure Tiebreak alone")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of Tiebreak's recipe")
    parser.add_argument("--json", type=Path, default=None, help="write the figures to a file")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    device = asked.device if asked.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    pairs = asked.pairs or 4 * asked.batch_size
    steps = pairs // asked.batch_size
    if steps < 2:
        raise SystemExit("at least two steps are needed: the first is not counted")
    for needed in (asked.data, asked.tokenizer):
        if not needed.exists():
            raise SystemExit(f"{needed} is not there; name it with --data and --tokenizer")
    peer = not asked.skip_peer and importlib.util.find_spec("trl") is not None
    if not peer and not asked.skip_peer:
        print("TRL is not installed (pip install trl): measuring Tiebreak alone", file=sys.stderr)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model_folder(asked.shape, asked.tokenizer, folder / "model")
        write_pairs(
            asked.data,
            folder / "model",
            pairs=steps * asked.batch_size,
            max_length=asked.max_length,
            out=folder / "pairs.jsonl",
        )
        job = Job(
            model=str(folder / "model"),
            data=str(folder / "pairs.jsonl"),
            out="",
            steps=steps,
            batch_size=asked.batch_size,
            max_length=asked.max_length,
            precision=asked.precision,
            reference=asked.reference,
            adapter=asked.adapter,
            device=device,
            gradient_checkpointing=asked.gradient_checkpointing,
        )
        ours, theirs = [], []
        for number in range(asked.rounds):
            own = {key: json.loads(value) if value[:1].isdigit() else value for key, _, value in _split(asked.set)}
            mine = replace(job, out=str(folder / f"tiebreak-{number}"), settings=own)
            ours.append(measured("side_tiebreak.py", mine, folder))
            if peer:
                theirs.append(measured("side_trl.py", replace(job, out=str(folder / f"trl-{number}")), folder))
    dtype = torch.bfloat16 if asked.precision == "bf16" else torch.float32
    figures = summary(ours, theirs, asked, device, matrix_rate(dtype, device))
    show(figures)
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    if peer and not figures["losses_agree"]:
        raise SystemExit("the losses of the two sides differ: they did not do the same work")


def _split(settings: list[str]) -> list[tuple[str, str, str]]:
    return [setting.partition("=") for setting in settings]


def measured(script: str, job: Job, folder: Path) -> dict[str, Any]:
    """Run one side in a process of its own and read its answer."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), job.to_argv()],
        stdout=subprocess.PIPE,
        env={**os.environ, "TIEBREAK_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def summary(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], asked: argparse.Namespace, device: str, rate: float
) -> dict[str, Any]:
    """The figures of a comparison."""

    def speed(sides: list[dict[str, Any]]) -> float:
        seconds = statistics.median(sum(side["seconds"]) for side in sides)
        return float(asked.batch_size * len(sides[0]["seconds"]) / seconds)

    def peak(sides: list[dict[str, Any]]) -> float:
        return float(max(side["peak_bytes"] for side in sides))

    mine = ours[0]
    done = statistics.median(sum(side["operations"]) / sum(side["seconds"]) for side in ours)
    figures: dict[str, Any] = {
        "shape": asked.shape,
        "precision": asked.precision,
        "batch_size": asked.batch_size,
        "max_length": asked.max_length,
        "reference": asked.reference,
        "adapter": asked.adapter,
        "device": device,
        "gradient_checkpointing": asked.gradient_checkpointing,
        "timed_steps": len(mine["seconds"]),
        "versions": mine["versions"],
        "path": mine["path"],
        "tokens_per_microbatch": mine["budget"],
        "pairs_per_second": speed(ours),
        "seconds_per_step": mine["seconds"],
        "peak_bytes": peak(ours),
        "tokens": mine["tokens"],
        "model_operations_per_second": done,
        "matrix_rate": rate,
        "share_of_matrix_rate": done / rate,
        "losses": mine["losses"],
    }
    if theirs:
        other = theirs[0]
        pairs = zip(mine["losses"], other["losses"], strict=True)
        worst = max(abs(a - b) / abs(b) for a, b in pairs)
        figures |= {
            "peer": other["versions"],
            "peer_pairs_per_second": speed(theirs),
            "peer_seconds_per_step": other["seconds"],
            "peer_peak_bytes": peak(theirs),
            "peer_losses": other["losses"],
            "same_ids": mine["ids"] == other["ids"],
            "largest_loss_difference": worst,
            "losses_agree": mine["ids"] == other["ids"] and worst <= AGREES[asked.precision],
            "ratio": speed(ours) / speed(theirs),
            "memory_ratio": peak(ours) / peak(theirs),
        }
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures."""
    print(
        f"{figures['shape']}, {figures['precision']}, {figures['batch_size']} pairs a step, reference "
        f"{figures['reference']}, adapter {figures['adapter']}, on {figures['device']}; "
        f"{figures['timed_steps']} steps timed"
    )
    print(
        f"Tiebreak  {figures['pairs_per_second']:.3f} pairs/s   peak {figures['peak_bytes'] / 2**30:.2f} GiB   "
        f"{figures['tokens']:,} tokens by {figures['path']}, {figures['tokens_per_microbatch']:,} a micro-batch"
    )
    print(
        f"          {figures['model_operations_per_second'] / 1e9:,.0f} GFLOP/s, "
        f"{figures['share_of_matrix_rate']:.1%} of the measured {figures['matrix_rate'] / 1e9:,.0f} of torch.mm"
    )
    if "ratio" in figures:
        print(
            f"TRL       {figures['peer_pairs_per_second']:.3f} pairs/s   "
            f"peak {figures['peer_peak_bytes'] / 2**30:.2f} GiB   ({', '.join(map(' '.join, figures['peer'].items()))})"
        )
        print(
            f"ratio     {figures['ratio']:.2f} times the pairs, {figures['memory_ratio']:.2f} of the memory; "
            f"losses differ by at most {figures['largest_loss_difference']:.1e}"
            f"{'' if figures['losses_agree'] else ', TOO MUCH'}"
        )


if __name__ == "__main__":
    main()
