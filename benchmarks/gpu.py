"""Is a GPU right, and how fast is it? Numerics, then training beside TRL and our own packing, in one JSON file.

    python benchmarks/gpu.py --out gpu.json
    python benchmarks/gpu.py --device cpu --small            # the same script with tiny shapes, under a minute

Each part runs in a process of its own, so that one that fails does not take the others with it; the file is written
after each. A part that the time does not suffice for is named under `left_out`. The matrix rate is measured first.
Pairs are those of `--data`, where it is there, else drawn ones with the lengths of HH. TRL runs with as many pairs in
memory as fit, by halving, a bfloat16 base for LoRA, and Liger's kernels where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from cases import Case
from figures import AGREES, loss_difference, pairs_per_second, peak_bytes
from job import Job
from machine_rate import matrix_rate, memory_rate
from sides import HERE, PACKED, TIEBREAK, TRL, Side, SideFailed, run_side
from train_speed import SHARED, commit, machine, prepared

# Dense bfloat16 products a second by the makers' data sheets; MFU is a share of these.
PEAKS: Mapping[str, float] = {"H200": 989.4e12, "H100": 989.4e12, "A100": 312e12, "L40S": 362e12, "4090": 165.2e12}
# Means and spread of the lengths of Anthropic/hh-rlhf in GPT-2's tokens, where the data itself is not there.
_HH = {"prompt": (130.0, 0.8), "completion": (55.0, 0.8)}


@dataclass(frozen=True)
class Shape:
    """A training to measure.

    Attributes:
        case: what is trained, and how.
        seconds: that a side takes at least, starting included; with less left it is not begun.
    """

    case: Case
    seconds: float


_SHAPES = (
    Shape(Case("qwen2-0.5b", precision="bf16", reference="live", batch_size=32, steps=8), 30),
    Shape(Case("qwen2-1.5b", precision="bf16", reference="live", batch_size=32, steps=6), 40),
    Shape(Case("llama3-8b", precision="bf16", adapter="lora", reference="live", batch_size=32, steps=4), 60),
)
_SMALL = (Shape(Case("tiny", reference="live", batch_size=2, steps=2, max_length=256), 5),)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny shapes and few steps")
    parser.add_argument(
        "--seconds", type=float, default=480.0, help="for all parts together; what does not fit is named"
    )
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer", help="GPT-2's vocab and merges")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here; --device cpu --small tries the script itself")
    if not asked.seconds > 0:
        raise SystemExit("--seconds: more than 0")
    ends = time.monotonic() + asked.seconds
    result: dict[str, Any] = {
        "device": asked.device,
        "small": asked.small,
        "machine": machine(),
        "versions": versions(),
        "commit": commit(),
        "data": asked.data.name if asked.data.exists() and asked.tokenizer.exists() else "drawn",
        "left_out": [],
        "failed": [],
        "training": [],
    }
    with tempfile.TemporaryDirectory() as name:
        for part in parts(asked, result, Path(name), ends):
            print(part, flush=True)
            asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    asked.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"{asked.out}: {len(result['left_out'])} left out, {len(result['failed'])} failed")
    if result["failed"] or not result.get("numerics", {}).get("ok", True):
        raise SystemExit("something failed, or is not right: see the file")


def parts(asked: argparse.Namespace, result: dict[str, Any], folder: Path, ends: float) -> Iterator[str]:
    """Run one part after the other; each adds to the result and is named when it is done."""
    dtype = torch.float32 if asked.small else torch.bfloat16
    each = 0.2 if asked.small else 2.0
    result["matrix_rate"] = matrix_rate(dtype, asked.device, seconds=each)
    result["memory_rate"] = memory_rate(asked.device, seconds=each)
    if asked.device == "cuda":
        torch.cuda.empty_cache()
    yield "matrix rate"
    yield _numerics(asked, result, ends)
    data, tokenizer = (asked.data, asked.tokenizer) if result["data"] != "drawn" else drawn_inputs(folder)
    for shape in _SMALL if asked.small else _SHAPES:
        where = folder / shape.case.shape
        where.mkdir()
        row: dict[str, Any] = {"case": shape.case.title, "sides": {}}
        result["training"].append(row)
        if _left(result, shape.case.shape, ends, shape.seconds):
            yield f"{shape.case.title}: left out"
            continue
        try:
            job = prepared(shape.case, data, tokenizer, where, asked.device)
        except (RuntimeError, OSError, SystemExit) as error:
            result["failed"].append({"part": shape.case.shape, "why": str(error)[-500:]})
            yield f"{shape.case.title}: failed"
            continue
        for side in (TIEBREAK, PACKED, *_trl(shape.case)):
            yield _side(side, job, shape, row, result, where, ends)
        compare(shape.case, row, result)


def _left(result: dict[str, Any], part: str, ends: float, needed: float) -> bool:
    """Whether the time does not suffice for a part, which is then noted."""
    left = ends - time.monotonic()
    if left < needed:
        result["left_out"].append(
            {"part": part, "why": f"{max(0.0, left):.0f} s were left, it takes {needed:.0f} or more"}
        )
    return left < needed


def _numerics(asked: argparse.Namespace, result: dict[str, Any], ends: float) -> str:
    if _left(result, "numerics", ends, 10):
        return "numerics: left out"
    command = [sys.executable, str(HERE / "gpu_numerics.py"), asked.device]
    left = max(1.0, ends - time.monotonic())
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=left, check=False)
    except subprocess.TimeoutExpired:
        result["left_out"].append({"part": "numerics", "why": "it was not done when the time was over"})
        return "numerics: not done in time"
    if done.returncode:
        result["failed"].append({"part": "numerics", "why": done.stderr[-1000:]})
        return "numerics: failed"
    result["numerics"] = json.loads(done.stdout.splitlines()[-1])
    return f"numerics: {'right' if result['numerics']['ok'] else 'WRONG'}"


def _side(
    side: Side, job: Job, shape: Shape, row: dict[str, Any], result: dict[str, Any], folder: Path, ends: float
) -> str:
    part = f"{shape.case.shape}, {side.name}"
    at_a_time = shape.case.batch_size
    while True:
        if _left(result, part, ends, shape.seconds):
            return f"{part}: left out"
        now = (
            replace(side, settings={**side.settings, "per_device_train_batch_size": at_a_time})
            if side.name == TRL.name
            else side
        )
        out = folder / f"{side.name}-{at_a_time}"
        try:
            answer = run_side(now, job, out, timeout=max(1.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            result["left_out"].append({"part": part, "why": "it was not done when the time was over"})
            return f"{part}: not done in time"
        except SideFailed as error:
            if side.name == TRL.name and "out of memory" in error.said.lower() and at_a_time > 1:
                at_a_time //= 2
                continue
            result["failed"].append({"part": part, "why": error.said[-1000:]})
            return f"{part}: failed"
        row["sides"][side.name] = {"settings": dict(now.settings), **figures_of(answer, shape.case, result), **answer}
        return f"{part}: {row['sides'][side.name]['pairs_per_second']:.2f} pairs/s"


def _trl(case: Case) -> tuple[Side, ...]:
    """TRL as a knowing user would set it, if it is installed."""
    if importlib.util.find_spec("trl") is None:
        return ()
    settings: dict[str, Any] = {}
    if importlib.util.find_spec("liger_kernel") is not None:
        settings["use_liger_kernel"] = True
    if case.adapter == "lora" and case.precision == "bf16":
        settings["model_dtype"] = "bfloat16"
    return (replace(TRL, settings=settings, environment={"PYTORCH_ALLOC_CONF": "expandable_segments:True"}),)


def figures_of(answer: Mapping[str, Any], case: Case, result: Mapping[str, Any]) -> dict[str, Any]:
    """Pairs a second and memory; where the operations are known, the share of the rates."""
    found: dict[str, Any] = {"pairs_per_second": pairs_per_second([answer], case.batch_size)}
    found["peak_gib"] = peak_bytes([answer]) / 2**30
    if "operations" in answer:
        done = sum(answer["operations"]) / sum(answer["seconds"])
        peak = next((most for name, most in PEAKS.items() if name in str(result["machine"]["gpu"])), None)
        found |= {"of_matrix_rate": done / result["matrix_rate"], "mfu": None if peak is None else done / peak}
    return found


def compare(case: Case, row: dict[str, Any], result: dict[str, Any]) -> None:
    """Add how many times faster Tiebreak is, and whether all had the same losses."""
    sides = row["sides"]
    ours = sides.get(TIEBREAK.name)
    for name, theirs in sides.items():
        if ours is None or name == TIEBREAK.name:
            continue
        theirs["times_slower"] = ours["pairs_per_second"] / theirs["pairs_per_second"]
        theirs["losses_differ"] = apart = loss_difference(ours, theirs)
        if not apart <= AGREES[case.precision]:
            why = f"its losses differ from Tiebreak's by {apart:.1e}: not the same work"
            result["failed"].append({"part": f"{case.shape}, {name}", "why": why})


def versions() -> dict[str, str | None]:
    """Of all that matters; None is not installed."""
    found: dict[str, str | None] = {"python": sys.version.split()[0], "cuda": torch.version.cuda}
    for name in ("tiebreak", "torch", "transformers", "trl", "peft", "triton", "liger-kernel", "bitsandbytes"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def drawn_inputs(folder: Path) -> tuple[Path, Path]:
    """Pairs of letters with the lengths of HH, and a tokenizer that makes a token of each letter."""
    tokenizer, data = folder / "tokenizer", folder / "drawn.jsonl"
    tokenizer.mkdir()
    letters = [*"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz:.", "\u0120", "\u010a"]  # a space, a line's end
    vocabulary = {letter: number for number, letter in enumerate(letters)} | {"<|endoftext|>": 50256}
    (tokenizer / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tokenizer / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    draw = random.Random(0)

    def text(kind: str) -> str:
        mean, spread = _HH[kind]
        count = max(2, round(math.exp(draw.gauss(math.log(mean) - spread**2 / 2, spread))))
        return "".join(draw.choice(letters[:52]) for _ in range(count))

    rows = []
    for _ in range(1500):
        prompt = f"\n\nHuman: {text('prompt')}\n\nAssistant:"
        rows.append({"chosen": f"{prompt} {text('completion')}", "rejected": f"{prompt} {text('completion')}"})
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return data, tokenizer


if __name__ == "__main__":
    main()
