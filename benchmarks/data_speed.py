"""Data preparation beside TRL: raw rows of Human/Assistant transcripts to token ids, then to micro-batches.

    python benchmarks/data_speed.py --data harmless-base-test.jsonl.gz --tokenizer gpt2-tokenizer

Both sides start from the same Arrow file of raw rows, which is already on the disk. Counted are, of Tiebreak: reading
it, recognising the form, converting, writing the canonical rows, selecting (duplicates and all), tokenizing and
writing the ids, as `tiebreak train` does; of TRL: `DPOTrainer._prepare_dataset` with a default `DPOConfig` on the
opened file (it finds the prompt, adds the end of the sequence, tokenizes, drops what is too long), called without a
trainer, of which it needs the tokenizer only. That is the ratio at the head. Beside it: the same from a compressed
file of JSON lines, reading it included on both sides; and, on top of the ids, batches of 8 pairs: trees within a
budget of tokens, TRL's padded rows.

Each side runs in a process of its own, in turn, with empty caches, after a few rows that nobody counts: imports and
loading the tokenizer are not counted. Of several rounds the fastest counts, since whatever else the machine does can
only add time. TRL's progress bars and warnings are off, which is to its advantage. Last,
Tiebreak's peak memory for few and for many rows, each in a process of its own.

The ids are compared row by row. TRL takes as the prompt all that the two transcripts share, so where both answers begin
alike it ends inside of them: prompt and completions are cut elsewhere while the whole sequences are the same. Tiebreak
takes white space from the ends of turns: where a prompt has some, the whole sequences differ.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import itertools
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

HERE = Path(__file__).parent
SHARED = HERE.parent.parent / "shared" / "data"
MAX_LENGTH, BATCH, BUDGET = 1024, 8, 4096
WARM_UP = 32
HUMAN = "\n\nHuman:"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    parser.add_argument("--tokenizer", type=Path, default=SHARED / "gpt2-tokenizer", help="GPT-2's vocab and merges")
    parser.add_argument("--rows", type=int, default=2000, help="raw rows, from the first")
    parser.add_argument("--large", type=int, default=160_000, help="rows of the second memory figure; 0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3, help="how often both sides run, in turn; the fastest counts")
    parser.add_argument("--skip-peer", action="store_true", help="measure Tiebreak alone")
    parser.add_argument("--json", type=Path, default=None, help="write the figures to a file")
    parser.add_argument("--side", nargs=2, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    if asked.side is not None:
        name, folder = asked.side
        print(json.dumps({"tiebreak": tiebreak_side, "trl": trl_side, "memory": memory_side}[name](Path(folder))))
        return
    for needed in (asked.data, asked.tokenizer):
        if not needed.exists():
            raise SystemExit(f"{needed} is not there; name it with --data and --tokenizer")
    peer = not asked.skip_peer and importlib.util.find_spec("trl") is not None
    if not peer and not asked.skip_peer:
        print("TRL is not installed (pip install trl): measuring Tiebreak alone", file=sys.stderr)

    from shapes import make_model_folder

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model_folder("tiny", asked.tokenizer, folder / "model")
        rows = list(itertools.islice(raw_rows(asked.data), asked.rows))
        write_sources(rows, folder)
        ours, theirs = [], []
        for _ in range(asked.rounds):
            ours.append(measured("tiebreak", folder))
            if peer:
                theirs.append(measured("trl", folder))
        memory = {}
        for count in (len(rows), asked.large):
            if count and asked.large:
                write_repeated(rows, count, folder / "repeated.jsonl")
                memory[str(count)] = measured("memory", folder)
    figures = summary(ours, theirs, memory, len(rows))
    show(figures)
    if asked.json is not None:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def raw_rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield {"chosen": row["chosen"], "rejected": row["rejected"]}


def write_sources(rows: list[dict[str, str]], folder: Path) -> None:
    """Write what both sides read: the rows in two forms, with numbers to compare ids by, and a few to warm up."""
    import pyarrow as pa

    for name, some in (("raw", rows), ("warm", rows[:WARM_UP])):
        table = pa.Table.from_pylist(some)
        with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table, max_chunksize=1000)
        write_lines(some, folder / f"{name}.jsonl.gz")
    write_lines(({**row, "id": f"{i}"} for i, row in enumerate(rows)), folder / "numbered.jsonl.gz")


def write_repeated(rows: list[dict[str, str]], count: int, path: Path) -> None:
    """Write so many rows, the given ones again and again, each time with another text, so that none is a duplicate."""
    made = (
        {name: text.replace(HUMAN, f"{HUMAN} ({number // len(rows)})", 1) for name, text in row.items()}
        for number, row in enumerate(itertools.islice(itertools.cycle(rows), count))
    )
    write_lines(made, path)


def write_lines(rows: Iterable[dict[str, str]], path: Path) -> None:
    with gzip.open(path, "wt") if path.suffix == ".gz" else path.open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def measured(side: str, folder: Path) -> dict[str, Any]:
    """Run one side in a process of its own and read its answer."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        work = Path(name)
        for needed in folder.iterdir():  # `datasets` keeps results beside the Arrow file that it opened
            if needed.suffix == ".arrow":
                shutil.copy(needed, work)
            elif needed != work:
                (work / needed.name).symlink_to(needed)
        own = {"TIEBREAK_CACHE": f"{work}/cache/tiebreak", "HF_DATASETS_CACHE": f"{work}/cache/datasets"}
        done = subprocess.run(
            [sys.executable, __file__, "--side", side, str(work)],
            stdout=subprocess.PIPE,
            env={**os.environ, **own, "HF_HUB_OFFLINE": "1"},
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{side} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def hashes(rows: Iterable[tuple[list[int], list[int], list[int]]]) -> list[list[str]]:
    """Of each row two: of its prompt and completions apart, and of its two whole sequences."""
    from pairs import hash_ids

    return [
        [hash_ids([(prompt, chosen, rejected)]), hash_ids([(prompt + chosen, prompt + rejected)])]
        for prompt, chosen, rejected in rows
    ]


def tiebreak_side(folder: Path) -> dict[str, Any]:
    """Tiebreak's parts, put together as `tiebreak train` does."""
    import torch
    from transformers import AutoTokenizer

    from tiebreak.data.preparing.gather import gather
    from tiebreak.data.preparing.templates import choose_template
    from tiebreak.data.preparing.tokenize import Limits, tokenize_preferences
    from tiebreak.engine.microbatch import build_batch, split
    from tiebreak.recipe import DataSection
    from tiebreak.tasks import TASKS
    from tiebreak.training.examples import Groups
    from tiebreak.version import __version__

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    caches = (f"{os.environ['TIEBREAK_CACHE']}-{number}" for number in itertools.count())

    def ids(name: str) -> tuple[Any, Any]:
        os.environ["TIEBREAK_CACHE"] = next(caches)
        _, selection = gather(DataSection(source=str(folder / name), eval_fraction=0.0))
        tokenized = tokenize_preferences(
            selection.train,
            tokenizer,
            template=choose_template(tokenizer),
            limits=Limits(total=MAX_LENGTH),
            key=f"{selection.fingerprint}|train",
        )
        return selection.train, tokenized.dataset

    def batches(dataset: Any) -> int:
        groups, made = Groups(dataset, TASKS["preference"]), 0
        for start in range(0, len(groups), BATCH):
            step = groups[start : start + BATCH]
            for members in split(step, BUDGET, "tree"):
                made += build_batch([step[i] for i in members], "tree", torch.device("cpu")).tokens
        return made

    for name in ("warm.arrow", "warm.jsonl.gz"):
        batches(ids(name)[1])
    seconds, (_, dataset) = timed(lambda: ids("raw.arrow"))
    batch_seconds, _ = timed(lambda: batches(dataset))
    file_seconds, _ = timed(lambda: ids("raw.jsonl.gz"))
    texts, numbered = ids("numbered.jsonl.gz")
    found = hashes((row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in numbered)
    return {
        "versions": {"tiebreak": __version__},
        "seconds": seconds,
        "batch_seconds": batch_seconds,
        "file_seconds": file_seconds,
        "ids": dict(zip(texts.select(numbered["row"])["id"], found, strict=True)),
    }


def trl_side(folder: Path) -> dict[str, Any]:
    """TRL's preparation with its defaults."""
    import datasets
    import trl
    from transformers import AutoTokenizer
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

    datasets.disable_progress_bars()
    logging.getLogger("trl").setLevel(logging.ERROR)
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    config = DPOConfig(output_dir=str(folder / "trl"), max_length=MAX_LENGTH, use_cpu=True, report_to=[])
    collate = DataCollatorForPreference(tokenizer.pad_token_id, config.max_length, config.truncation_mode)
    trainer: Any = SimpleNamespace(_tokenizer=tokenizer)

    def ids(dataset: Any) -> Any:
        return DPOTrainer._prepare_dataset(trainer, dataset, tokenizer, config, "train")

    def read(name: str) -> Any:
        return datasets.load_dataset("json", data_files=str(folder / name), split="train")

    def batches(dataset: Any) -> int:
        starts = range(0, len(dataset), BATCH)
        steps = ([dataset[i] for i in range(at, min(at + BATCH, len(dataset)))] for at in starts)
        return sum(collate(step)["input_ids"].numel() for step in steps)

    batches(ids(datasets.Dataset.from_file(str(folder / "warm.arrow"))))
    ids(read("warm.jsonl.gz"))
    opened = datasets.Dataset.from_file(str(folder / "raw.arrow"))
    seconds, dataset = timed(lambda: ids(opened))
    batch_seconds, _ = timed(lambda: batches(dataset))
    file_seconds, _ = timed(lambda: ids(read("raw.jsonl.gz")))
    numbered = ids(read("numbered.jsonl.gz"))
    found = hashes((row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in numbered)
    return {
        "versions": {"trl": trl.__version__, "datasets": datasets.__version__},
        "seconds": seconds,
        "batch_seconds": batch_seconds,
        "file_seconds": file_seconds,
        "ids": dict(zip((str(i) for i in numbered["id"]), found, strict=True)),
    }


def memory_side(folder: Path) -> dict[str, Any]:
    """Tiebreak's peak resident memory, and what was resident before the first row."""
    from job import peak_bytes
    from transformers import AutoTokenizer

    from tiebreak.data.preparing.gather import gather
    from tiebreak.data.preparing.tokenize import Limits, tokenize_preferences
    from tiebreak.recipe import DataSection

    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    before = peak_bytes("cpu")
    _, selection = gather(DataSection(source=str(folder / "repeated.jsonl"), eval_fraction=0.0))
    limits = Limits(total=MAX_LENGTH)
    key = selection.fingerprint
    found = tokenize_preferences(selection.train, tokenizer, template="transcript", limits=limits, key=key)
    return {"rows": len(found.dataset), "before_bytes": before, "peak_bytes": peak_bytes("cpu")}


def summary(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], memory: dict[str, dict[str, Any]], rows: int
) -> dict[str, Any]:
    """The figures of a comparison."""

    def rates(sides: list[dict[str, Any]]) -> dict[str, float]:
        def rate(*keys: str) -> float:
            return float(rows / min(sum(side[key] for key in keys) for side in sides))

        return {
            "rows_per_second": rate("seconds"),
            "rows_per_second_to_batches": rate("seconds", "batch_seconds"),
            "rows_per_second_from_file": rate("file_seconds"),
        }

    figures: dict[str, Any] = {"rows": rows, "rounds": len(ours), "cores": os.cpu_count()}
    figures |= {"versions": ours[0]["versions"], **rates(ours), "kept": len(ours[0]["ids"]), "memory": memory}
    if theirs:
        mine, other = ours[0]["ids"], theirs[0]["ids"]
        both = [(mine[row], other[row]) for row in mine if row in other]
        figures |= {"peer": theirs[0]["versions"], "peer_kept": len(other)}
        figures |= {f"peer_{name}": value for name, value in rates(theirs).items()}
        figures |= {
            "ratio": figures["rows_per_second"] / figures["peer_rows_per_second"],
            "ratio_to_batches": figures["rows_per_second_to_batches"] / figures["peer_rows_per_second_to_batches"],
            "ratio_from_file": figures["rows_per_second_from_file"] / figures["peer_rows_per_second_from_file"],
            "kept_by_both": len(both),
            "same_sequences": sum(a[1] == b[1] for a, b in both),
            "same_prompt_and_completions": sum(a[0] == b[0] for a, b in both),
        }
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"{figures['rows']:,} raw rows, {figures['cores']} cores, fastest of {figures['rounds']}; rows a second")
    print("            to token ids   to batches   to token ids from the compressed file")
    for side, prefix in (("Tiebreak", ""), ("TRL", "peer_")):
        if f"{prefix}rows_per_second" in figures:
            ids, batches, file = (figures[f"{prefix}rows_per_second{end}"] for end in ("", "_to_batches", "_from_file"))
            print(f"{side:9} {ids:14,.0f} {batches:12,.0f} {file:14,.0f}")
    if "ratio" in figures:
        ids, batches, file = (figures[f"ratio{end}"] for end in ("", "_to_batches", "_from_file"))
        print(f"ratio     {ids:14.2f} {batches:12.2f} {file:14.2f}")
        print(
            f"rows kept by both: {figures['kept_by_both']:,}; same ids of both whole sequences: "
            f"{figures['same_sequences']:,}, of prompt and completions too: {figures['same_prompt_and_completions']:,}"
        )
    for count, found in figures["memory"].items():
        peak, before = found["peak_bytes"] / 2**20, found["before_bytes"] / 2**20
        print(f"memory    {int(count):7,} rows: peak {peak:,.0f} MiB, of which {before:,.0f} before the first row")


if __name__ == "__main__":
    main()
