"""Runs under a real limit on the memory of their process: they go on with the same result, or say what does not fit."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from tests.end_to_end.conftest import Command, environment, small_flags
from tiebreak.bundled import base_model_path

pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits on memory hold on Linux only"),
]
GIB = 2**30


def _limit(size: float) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (int(size * GIB), int(size * GIB)))


def _address_space(arguments: list[str], tmp_path: Path) -> float:
    """GiB of address space that a command takes at most, where there is a limit but a wide one: machines differ."""
    taken = 0
    with subprocess.Popen(
        [sys.executable, "-m", "tiebreak", *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_limit(64.0),
    ) as command:
        while command.poll() is None:
            status = Path(f"/proc/{command.pid}/status").read_text()
            taken = max([taken, *(int(size) for size in re.findall(r"VmPeak:\s+(\d+) kB", status))])
            time.sleep(0.02)
    assert command.returncode == 0
    return taken / 2**20


def _losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row] + [row["grad_norm"] for row in rows if "loss" in row]


def test_a_step_too_large_for_memory_is_repeated_in_parts_with_the_same_result(
    tiebreak: Command, tmp_path: Path
) -> None:
    flags = small_flags(
        **{
            "data.limit": 600,
            "data.duplicates": "keep",
            "train.batch_size": 512,
            "train.max_steps": 2,
            "train.log_every": 1,
            "train.warmup_ratio": 0.0,
            "train.precision": "fp32",
            "evaluate.samples": 0,
            "evaluate.judge": "none",
        }
    )
    free = ["train", *flags, "--set", "train.tokens_per_microbatch=4096", "--out", "free"]
    limit = _limit(_address_space(free, tmp_path) + 0.5)
    limited = tiebreak(
        *("train", *flags, "--set", "train.tokens_per_microbatch=1000000", "--out", "limited"), preexec_fn=limit
    )
    assert limited.stderr.count("Memory ran out: the step is repeated in smaller micro-batches") == 1
    found = json.loads((tmp_path / "limited" / "manifest.json").read_text())["tokens_per_microbatch"]
    assert 256 <= found < 1000000
    assert _losses(tmp_path / "limited") == pytest.approx(_losses(tmp_path / "free"), rel=1e-5)


def test_a_pair_that_does_not_fit_is_named(tiebreak: Command, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base_model_path())
    torch.manual_seed(0)
    shape = GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=512,
        n_layer=8,
        n_head=8,
        n_positions=20_000,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    GPT2LMHeadModel(shape).save_pretrained(tmp_path / "long")
    tokenizer.save_pretrained(tmp_path / "long")
    rows = [{"prompt": f"What is {i}?", "chosen": f"It is {i}.", "rejected": "No."} for i in range(8)]
    (tmp_path / "short.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows.append({"prompt": "word " * 9_000, "chosen": "Yes.", "rejected": "No."})
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ["--set", "data.max_length=null", "--set", "data.eval_fraction=0", "--set", "train.precision=fp32"]
    flags += ["--model", "long", "--batch-size", "9", "--max-steps", "1"]
    taken = _address_space(["train", *flags, "--data", "short.jsonl", "--out", "short"], tmp_path)
    done = tiebreak(
        *("train", *flags, "--data", "pairs.jsonl", "--out", "run"), check=False, preexec_fn=_limit(taken + 0.5)
    )
    assert done.returncode == 1, done.stderr
    assert re.search(r"Memory does not suffice for a single example of \d,\d{3} tokens", done.stderr), done.stderr
    assert "row 8 of the data" in done.stderr
    assert "lower data.max_length, set train.precision=bf16, or set train.gradient_checkpointing=true" in done.stderr
