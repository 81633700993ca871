"""Reference log-probs as data: computed once, kept under the hash of all they depend on, shared by later runs.

The unit that is kept is the micro-batch and not the pair. In floating point a pair's log-prob depends, in its last
bits, on what it was computed beside; a cache of single pairs would make a run's last bits depend on which runs came
before it. Micro-batches are formed from the data alone, so a hit gives exactly what computing would have given.
"""

from __future__ import annotations

import hashlib
import inspect
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.logprobs import unwrapped
from tiebreak.engine.microbatch import split
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.score import Floats, Scorer, Scores, blocks_of, score_parts
from tiebreak.errors import RunError
from tiebreak.files import cache_folder
from tiebreak.process.fast_linear import keeping_copies

# Raise when the arithmetic changes, so that values of older versions are not mixed in.
ENGINE_VERSION = 5
# What an adapter's configuration says of where it comes from and how it is used, which changes no number.
_NAMES_OF_ADAPTER = (
    "base_model_name_or_path",
    "revision",
    "inference_mode",
    "auto_mapping",
    "peft_version",
    "task_type",
)


def fingerprint_weights(model: torch.nn.Module) -> str:
    """A hash of all that a model's output depends on besides its tokens: same hash, same numbers.

    These are its weights, its configuration, those of its adapters (their scale is in no weight), and its code where
    that came along with the model.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    config = getattr(model, "config", None)
    if config is not None:
        ignored = {"_name_or_path", "transformers_version", "dtype", "torch_dtype"}
        known = {key: value for key, value in sorted(config.to_dict().items()) if key not in ignored}
        digest.update(repr(known).encode())
    for name, adapter in sorted(getattr(model, "peft_config", {}).items()):
        digest.update(f"{name}|{sorted(_function_of(adapter.to_dict()).items())}".encode())
    if type(model).__module__.startswith("transformers_modules"):
        digest.update(Path(inspect.getfile(type(model))).read_bytes())
    return digest.hexdigest()


def _function_of(adapter: Mapping[str, Any]) -> dict[str, str]:
    """The keys of an adapter's configuration that may change what it computes, as text in an order of their own."""
    return {
        key: repr(sorted(value) if isinstance(value, set) else value)
        for key, value in adapter.items()
        if key not in _NAMES_OF_ADAPTER
    }


class ReferenceCache:
    """A table of scored micro-batches on the disk; safe to share between processes and to be killed at any moment."""

    def __init__(self, folder: Path | None = None) -> None:
        self.path = (folder or cache_folder()) / "reference.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._connect()) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        except (OSError, sqlite3.Error) as error:
            raise RunError(
                f"The cache of reference log-probs cannot be used: {error}.",
                where=str(self.path),
                fix="delete that file, free some disk, or point TIEBREAK_CACHE to another folder",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=60, isolation_level=None)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values that are there, by key."""
        with closing(self._connect()) as db:
            marks = ",".join("?" * len(keys))
            return dict(db.execute(f"SELECT key, value FROM scores WHERE key IN ({marks})", list(keys)))

    def put(self, key: bytes, value: bytes) -> None:
        """Keep a value; it is on the disk, or in the journal, when this returns."""
        try:
            with closing(self._connect()) as db:
                db.execute("INSERT OR REPLACE INTO scores VALUES (?, ?)", (key, value))
        except sqlite3.Error as error:
            raise RunError(
                f"Reference log-probs cannot be written: {error}.",
                where=str(self.path),
                fix="free some disk, or point TIEBREAK_CACHE to another folder; what was computed so far is kept",
            ) from error


@keeping_copies()
def reference_scores(
    model: torch.nn.Module,
    groups: Sequence[ScoredGroup],
    scorer: Scorer,
    *,
    fingerprint: str,
    cache: ReferenceCache,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[Scores, int]:
    """The reference's scores of all groups, from the cache where they are there.

    Args:
        model: the reference.
        groups: groups with equally many completions; read block by block.
        scorer: how to score.
        fingerprint: of the reference's weights.
        cache: where scores are looked up and kept.
        on_progress: called with the number of groups done so far.

    Returns:
        The scores, and how many groups came from the cache.
    """
    blocks: list[Floats] = []
    done = found = 0
    device, lengths = unwrapped(model).device.type, rope_lengths(unwrapped(model))
    for block in blocks_of(groups):
        parts = split(block, scorer.budget, scorer.path, lengths)
        keys = [_key([block[i] for i in part], scorer, fingerprint, device) for part in parts]
        kept = cache.get(keys)
        out = np.empty((3, len(block), len(block[0].completions)), dtype=np.float32)
        whole = [len(kept.get(key, b"")) == 4 * out[:, part].size for part, key in zip(parts, keys, strict=True)]
        missing = [[block[i] for i in part] for part, there in zip(parts, whole, strict=True) if not there]
        with closing(score_parts(model, missing, scorer)) as scores:
            for part, key, there in zip(parts, keys, whole, strict=True):
                if there:
                    out[:, part] = np.frombuffer(kept[key], dtype=np.float32).reshape(3, len(part), -1)
                    found += len(part)
                else:
                    out[:, part] = computed = next(scores)
                    cache.put(key, computed.tobytes())
                done += len(part)
                if on_progress is not None:
                    on_progress(done)
        blocks.append(out)
    joined = np.concatenate(blocks, axis=1) if blocks else np.empty((3, 0, 2), dtype=np.float32)
    return Scores(joined[0], joined[1], joined[2]), found


def _key(groups: Sequence[ScoredGroup], scorer: Scorer, fingerprint: str, device: str) -> bytes:
    threads = torch.get_num_threads()
    if device.startswith("cuda"):
        device = f"{device}|{torch.cuda.get_device_name(device)}|{torch.get_float32_matmul_precision()}"
    machine = (device, torch.backends.cpu.get_cpu_capability(), threads, torch.__version__, transformers.__version__)
    what = "" if scorer.measures.length_alpha == 1 else f"|length_alpha={scorer.measures.length_alpha}"
    digest = hashlib.sha256(f"{ENGINE_VERSION}|{machine}|{fingerprint}|{scorer.path}|{scorer.autocast}{what}".encode())
    for group in groups:
        for tokens in (group.prompt, *group.completions):
            digest.update(len(tokens).to_bytes(4, "little"))
            digest.update(np.asarray(tokens, dtype=np.int32).tobytes())
        if group.scored:
            digest.update(repr(group.scored).encode())
    return digest.digest()
