"""Training speed beside TRL: the same pairs, order, shape, precision, batch and optimizer, the sides in turn.

    python benchmarks/train_speed.py --case gpt2-hh-fp32-full-8-a-step
    python benchmarks/train_speed.py --headline --results benchmarks/results

Four sides: Tiebreak with its defaults, our own packing without sharing, TRL with its defaults, and TRL with the
settings that `tune_trl.py` found for the case (`--tuned`). Each round runs every side once, in a process of its own,
and the next round in another order;
nothing else runs meanwhile. The first step of each is dropped: it allocates. The losses of all sides must agree, or the
comparison means nothing and the command fails. A case whose result is there is not run again.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import torch
from cases import CASES, HEADLINE, Case
from figures import AGREES, loss_difference, of_roofline, operations_per_second, pairs_per_second, peak_bytes, ratios
from job import Job
from machine_rate import matrix_rate, memory_rate
from pairs import KINDS, write_pairs
from shapes import SHAPES, make_model_folder
from sides import HERE, PACKED, TIEBREAK, TRL, Side, run_side

SHARED = HERE.parent.parent / "shared" / "data"
RESULTS = HERE / "results"
TUNED = "trl-tuned"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", default=[], choices=sorted(CASES), metavar="NAME", help="see --list")
    parser.add_argument("--headline", action="store_true", help="the cases of the README")
    parser.add_argument("--list", action="store_true", help="name all cases and end")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="a case of your own, with the flags below")
    parser.add_argument("--kind", choices=sorted(KINDS), default="hh", help="of pairs")
    parser.add_argument("--batch-size", type=int, default=8, help="pairs a step")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--reference", choices=("cached", "live"), default="cached")
    parser.add_argument("--adapter", choices=("none", "lora"), default="none")
    parser.add_argument("--steps", type=int, default=None, help="that are timed; default: the case's")
    parser.add_argument("--rounds", type=int, default=1, help="how often all sides run, in turn")
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer", help="GPT-2's vocab and merges")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="on all sides")
    parser.add_argument("--skip-peer", action="store_true", help="measure Tiebreak alone")
    parser.add_argument("--skip-packed", action="store_true", help="leave our own packing without sharing out")
    parser.add_argument("--skip-defaults", action="store_true", help="leave TRL's defaults out")
    parser.add_argument("--tuned", type=Path, default=HERE / "trl_tuned.json", help="what tune_trl.py found")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of Tiebreak's recipe")
    parser.add_argument("--results", type=Path, default=None, help="folder with a JSON file a case")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if asked.list:
        print("\n".join(CASES))
        return
    for needed in (asked.data, asked.tokenizer):
        if not needed.exists():
            raise SystemExit(f"{needed} is not there; name it with --data and --tokenizer")
    disagree = False
    for case in chosen(asked):
        out = asked.results / f"{case.name}.json" if asked.results is not None else None
        if out is not None and out.exists():
            print(f"{case.title}: {out} is there")
            continue
        result = compared(case, sides_of(case, asked), asked)
        show(case, result)
        disagree |= not agree(case, result)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if disagree:
        raise SystemExit("the losses of the sides differ: they did not do the same work")


def chosen(asked: argparse.Namespace) -> list[Case]:
    """The cases that were asked for; without any, the first of the README."""
    own = [
        Case(
            asked.shape,
            asked.kind,
            asked.precision,
            asked.adapter,
            asked.batch_size,
            asked.max_length,
            asked.reference,
        )
    ]
    names = [*asked.case, *(HEADLINE if asked.headline else ())]
    cases = [CASES[name] for name in names] + (own if asked.shape else [])
    cases = cases or [CASES[HEADLINE[0]]]
    if asked.steps is not None and asked.steps < 1:
        raise SystemExit("--steps: at least one step is timed")
    return [case if asked.steps is None else replace(case, steps=asked.steps) for case in cases]


def sides_of(case: Case, asked: argparse.Namespace) -> list[Side]:
    """Tiebreak, our own packing without sharing, TRL as it comes, and TRL as it was tuned for the case."""
    own = {key: json.loads(value) if value[:1].isdigit() else value for key, _, value in _split(asked.set)}
    ours = replace(TIEBREAK, settings=own)
    if asked.skip_peer:
        return [ours]
    if importlib.util.find_spec("trl") is None:
        print("TRL is not installed (pip install trl): measuring Tiebreak alone", file=sys.stderr)
        return [ours]
    tuned = json.loads(asked.tuned.read_text(encoding="utf-8")) if asked.tuned.exists() else {}
    best = tuned.get(case.name, {}).get("best")
    if best is None:
        print(f"{case.title}: TRL was not tuned for it (tune_trl.py --case {case.name})", file=sys.stderr)
    found = [] if best is None else [replace(TRL, name=TUNED, **best)]
    packed = [] if asked.skip_packed else [replace(PACKED, settings=own)]
    return [ours, *packed, *([] if asked.skip_defaults else [TRL]), *found]


def compared(case: Case, sides: Sequence[Side], asked: argparse.Namespace) -> dict[str, Any]:
    """Run the sides of a case in turn.

    Returns:
        What each answered in each round, with the machine and the versions, ready for a file.
    """
    device = asked.device if asked.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = prepared(case, asked.data, asked.tokenizer, folder, device, asked.gradient_checkpointing)
        for number in range(asked.rounds):
            turn = [*sides[number % len(sides) :], *sides[: number % len(sides)]]
            rounds.append({side.name: run_side(side, job, folder / f"{side.name}-{number}") for side in turn})
    dtype = torch.bfloat16 if case.precision == "bf16" else torch.float32
    return {
        "case": asdict(case),
        "sides": {side.name: {"settings": side.settings, "environment": side.environment} for side in sides},
        "rounds": rounds,
        "device": device,
        "gradient_checkpointing": asked.gradient_checkpointing,
        "matrix_rate": matrix_rate(dtype, device),
        "memory_rate": memory_rate(device),
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
    }


def prepared(
    case: Case, data: Path, tokenizer: Path, folder: Path, device: str, gradient_checkpointing: bool = False
) -> Job:
    """The model and the pairs of a case on the disk, and what every side is asked to do with them."""
    make_model_folder(case.shape, tokenizer, folder / "model", device)
    pairs, out = (case.steps + 1) * case.batch_size, folder / "pairs.jsonl"
    write_pairs(data, folder / "model", kind=case.data, pairs=pairs, max_length=case.max_length, out=out)
    return Job(
        model=str(folder / "model"),
        data=str(out),
        out="",
        steps=case.steps + 1,
        batch_size=case.batch_size,
        max_length=case.max_length,
        precision=case.precision,
        reference=case.reference,
        adapter=case.adapter,
        device=device,
        gradient_checkpointing=gradient_checkpointing,
    )


def machine() -> dict[str, Any]:
    """What this was measured on."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": torch.cpu.get_capabilities().get("cpu_name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def commit() -> str | None:
    """The commit that is measured, with `+` where files differ from it."""
    git = ["git", "-C", str(HERE)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", "../src"], capture_output=True, text=True, check=False
    )
    return head.stdout.strip() + ("+" if changed.stdout else "") if head.returncode == 0 else None


def answers(result: dict[str, Any], side: str) -> list[dict[str, Any]]:
    """What a side answered, round by round."""
    return [one[side] for one in result["rounds"] if side in one]


def agree(case: Case, result: dict[str, Any]) -> bool:
    """Whether every side had the losses of the first; one with another order of pairs cannot be compared so."""
    ours = answers(result, TIEBREAK.name)[0]
    return all(
        loss_difference(ours, answers(result, name)[0]) <= AGREES[case.precision]
        for name, side in result["sides"].items()
        if name != TIEBREAK.name and side["settings"].get("train_sampling_strategy", "sequential") == "sequential"
    )


def show(case: Case, result: dict[str, Any]) -> None:
    """Print the figures."""
    ours = answers(result, TIEBREAK.name)
    mine, rate = ours[0], result["matrix_rate"]
    done = operations_per_second(ours)
    print(f"{case.title}; {len(mine['seconds'])} steps timed in {len(ours)} round(s), on {result['device']}")
    print(
        f"{TIEBREAK.name:10} {pairs_per_second(ours, case.batch_size):.3f} pairs/s   "
        f"peak {peak_bytes(ours) / 2**30:.2f} GiB   {mine['tokens']:,} tokens by {mine['path']}, "
        f"{mine['budget']:,} a micro-batch; {done / 1e9:,.0f} GFLOP/s, {done / rate:.1%} "
        f"of the {rate / 1e9:,.0f} of torch.mm, {of_roofline(ours, rate, result['memory_rate']):.1%} of the roofline"
    )
    for name, side in result["sides"].items():
        if name == TIEBREAK.name:
            continue
        theirs = answers(result, name)
        print(
            f"{name:10} {pairs_per_second(theirs, case.batch_size):.3f} pairs/s   "
            f"peak {peak_bytes(theirs) / 2**30:.2f} GiB   {ratios(ours, theirs).text()} times faster is Tiebreak, "
            f"in {peak_bytes(ours) / peak_bytes(theirs):.2f} of the memory; losses differ by at most "
            f"{loss_difference(mine, theirs[0]):.1e}; {side['settings'] or 'defaults'}"
        )


def _split(settings: list[str]) -> list[tuple[str, str, str]]:
    return [setting.partition("=") for setting in settings]


if __name__ == "__main__":
    main()
