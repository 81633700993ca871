"""Which rows a run trains on, and which it holds out.

Knows canonical rows and the data section of a recipe; knows nothing of tokens (lengths in tokens are settled when
rows are tokenized). The outcome is a function of the rows and the settings alone. Order: equal completions out,
completions outside the limits of characters out, exact duplicates out, prompts of a given held-out set out, shuffle;
then the held-out share is cut by prompt, so that no prompt stands on both sides; then the limit, of the training side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.preparing.digests import (
    Digests,
    PairDigests,
    contradicting,
    digest_pairs,
    found_in,
    groups,
    repeated,
)
from tiebreak.errors import InputError
from tiebreak.tasks import TASKS

if TYPE_CHECKING:
    from datasets import Dataset

    from tiebreak.data.load import LoadedPreferences
    from tiebreak.recipe import DataSection

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class SelectionReport:
    """What was dropped, and what remains.

    Attributes:
        pairs: pairs before the selection.
        dropped: pairs dropped of training, by reason.
        contradicting: training pairs whose completions another training pair has the other way round, or unpaired
            completions that another training row calls the opposite; they are kept.
        train, held_out: pairs that remain on each side.
        held_out_from: where the held-out pairs come from: a share, a source or split, or nowhere.
        held_out_dropped: pairs dropped of a given held-out set, by reason.
        labels: training rows by their label, `good` and `bad`; None where rows have none.
    """

    pairs: int
    dropped: Mapping[str, int]
    contradicting: int
    train: int
    held_out: int
    held_out_from: str
    held_out_dropped: Mapping[str, int]
    labels: Mapping[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "pairs": self.pairs,
            "dropped": dict(self.dropped),
            "contradicting": self.contradicting,
            "train": self.train,
            "held_out": self.held_out,
            "held_out_from": self.held_out_from,
            "held_out_dropped": dict(self.held_out_dropped),
            **({} if self.labels is None else {"labels": dict(self.labels)}),
        }


@dataclass(frozen=True)
class Selection:
    """The two sides of a run's data, and what was dropped on the way.

    Attributes:
        train, held_out: rows with the columns that were loaded.
        report: the counts.
        fingerprint: a digest of the texts of both sides, in order; the same wherever the files lie.
    """

    train: Dataset
    held_out: Dataset
    report: SelectionReport
    fingerprint: str


def select(loaded: LoadedPreferences, settings: DataSection, *, held_out: LoadedPreferences | None = None) -> Selection:
    """Choose the training pairs and the held-out pairs.

    Args:
        loaded: the pairs of the training source.
        settings: the data section of the recipe.
        held_out: the pairs of `eval_source` or `eval_split`, if one is given; else a share is cut by prompt.
    Raises:
        InputError: nothing remains to train on.
    """
    task = TASKS[loaded.task]
    digests = digest_pairs(loaded.dataset, task)
    kept, dropped = _sound(digests, settings)
    held_digests = digests
    if held_out is not None:
        held_digests = digest_pairs(held_out.dataset, task)
        held_rows, held_dropped = _sound(held_digests, settings)
        known = found_in(digests.prompt[kept], held_digests.prompt[held_rows])
        _count(dropped, "the prompt is in the held-out set", int(known.sum()))
        kept, source = kept[~known], held_out.report.source
    if settings.shuffle:
        kept = np.random.default_rng(settings.seed).permutation(kept)
    if held_out is None:
        held_dataset, held_dropped = loaded.dataset, {}
        cut = _held_out_share(digests.prompt[kept], settings.eval_fraction, settings.seed)
        held_rows, kept = kept[cut], kept[~cut]
        source = f"a share of {settings.eval_fraction:g}, cut by prompt" if settings.eval_fraction else "none"
    else:
        held_dataset = held_out.dataset
    if settings.limit is not None:
        _count(dropped, "past data.limit", max(0, len(kept) - settings.limit))
        kept = kept[: settings.limit]
    if settings.eval_limit is not None:
        _count(held_dropped, "past data.eval_limit", max(0, len(held_rows) - settings.eval_limit))
        held_rows = held_rows[: settings.eval_limit]
    if not len(kept):
        reasons = "; ".join(f"{reason}: {count}" for reason, count in dropped.items())
        raise InputError(
            f"No {task.example} is left to train on, of {len(loaded.dataset)}" + (f" ({reasons})." if reasons else "."),
            where=loaded.report.source,
            fix="loosen the data section of the recipe",
        )
    bad = int(digests.swapped[kept].sum())
    report = SelectionReport(
        pairs=len(loaded.dataset),
        dropped=dropped,
        contradicting=int(contradicting(_taken(digests, kept)).sum()),
        train=len(kept),
        held_out=len(held_rows),
        held_out_from=source,
        held_out_dropped=held_dropped,
        labels={"good": len(kept) - bad, "bad": bad} if task.has_label else None,
    )
    sides = (digests.pair[kept], held_digests.pair[held_rows])
    fingerprint = hashlib.sha256(b"|".join(side.tobytes() for side in sides)).hexdigest()
    return Selection(loaded.dataset.select(kept), held_dataset.select(held_rows), report, fingerprint)


def _sound(digests: PairDigests, settings: DataSection) -> tuple[Rows, dict[str, int]]:
    """Rows that can be used at all, in order, and the count of the others by reason."""
    dropped: dict[str, int] = {}
    good = ~digests.equal
    _count(dropped, "equal completions", int((~good).sum()))
    for reason, bad in (
        ("a completion shorter than data.min_chars", digests.shorter < (settings.min_chars or 0)),
        ("a completion longer than data.max_chars", digests.longer > (settings.max_chars or np.iinfo(np.int64).max)),
    ):
        _count(dropped, reason, int((good & bad).sum()))
        good &= ~bad
    rows = np.flatnonzero(good)
    if settings.duplicates == "drop":
        again = repeated(digests.pair[rows])
        _count(dropped, "exact duplicates", int(again.sum()))
        rows = rows[~again]
    return rows, dropped


def _count(counts: dict[str, int], reason: str, number: int) -> None:
    if number:
        counts[reason] = number


def _taken(digests: PairDigests, rows: Rows) -> PairDigests:
    return PairDigests(
        prompt=digests.prompt[rows],
        pair=digests.pair[rows],
        either_way=digests.either_way[rows],
        swapped=digests.swapped[rows],
        equal=digests.equal[rows],
        chosen_chars=digests.chosen_chars[rows],
        rejected_chars=digests.rejected_chars[rows],
    )


def _held_out_share(prompts: Digests, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Which pairs are held out: whole prompts, in an order drawn from the seed, as near the share as they allow.

    Args:
        prompts: digests, shape (pairs, 2).
        fraction: share of the pairs.
        seed: another seed holds out other prompts.
    Returns:
        Shape (pairs,).
    """
    numbers, count = groups(prompts)
    held = np.zeros(count, bool)
    if fraction <= 0 or count < 2:
        return held[numbers]
    sizes = np.bincount(numbers, minlength=count)
    target = fraction * len(numbers)
    order = np.argsort(_drawn(prompts[np.unique(numbers, return_index=True)[1]], seed), kind="stable")
    total = 0
    for number in order:
        if total + sizes[number] <= target:
            held[number] = True
            total += sizes[number]
    # One more prompt, the smallest left, where that comes nearer; and at least one, but never all of them.
    rest = order[~held[order]]
    smallest = rest[np.argmin(sizes[rest])]
    nearer = abs(total + sizes[smallest] - target) < abs(total - target)
    if (nearer or not total) and len(rest) > 1:
        held[smallest] = True
    return held[numbers]


def _drawn(prompts: Digests, seed: int) -> NDArray[np.uint64]:
    """A number for each prompt, shape (prompts,), that depends on the seed and on the prompt's own text alone."""
    salt = hashlib.blake2b(str(seed).encode(), digest_size=16).digest()
    first, second = np.frombuffer(salt, "<u8")
    # The digests are uniform already; the two rounds of multiply and shift (splitmix64) mix the seed in.
    mixed = prompts[:, 0] ^ first
    for factor, shift in ((0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31)) ^ (prompts[:, 1] + second)
    return result
