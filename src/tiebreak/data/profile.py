"""What a set of preferences looks like: lengths, repetitions, contradictions, samples.

Knows canonical pairs and how to count; knows nothing of how a profile is shown. Lengths are in tokens where a tokenizer
is given, else in characters. Texts are read a batch at a time; what is kept of each pair is a few numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.account import Tally
from tiebreak.data.batches import batches
from tiebreak.data.digests import PairDigests, contradicting, digest_pairs, found_in, groups, repeated

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tiebreak.data.load import LoadedPreferences

Unit = Literal["tokens", "characters"]
Counts = NDArray[np.int64]
_BINS = 16
_SAMPLES = 3
_FIVE = (0, 25, 50, 75, 100)


@dataclass(frozen=True)
class Histogram:
    """How many values fall between neighbouring edges; the last bin has everything above as well.

    Attributes:
        edges: lower edges of the bins and the upper edge of the last.
        counts: one fewer than edges.
        open_ended: whether the last bin holds values above its upper edge.
    """

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    open_ended: bool


@dataclass(frozen=True)
class Lengths:
    """Five numbers, the mean and the shape of one column's lengths, in the profile's unit."""

    minimum: float
    lower_quartile: float
    median: float
    upper_quartile: float
    maximum: float
    mean: float
    histogram: Histogram


@dataclass(frozen=True)
class Sample:
    """One pair as text."""

    row: int
    id: str | None
    prompt: tuple[Mapping[str, str], ...]
    chosen: str
    rejected: str


@dataclass(frozen=True)
class HeldOut:
    """The held-out set beside the source.

    Attributes:
        source: what it is called.
        pairs: how many it has.
        common_prompts: distinct prompts that stand on both sides.
        pairs_with_common_prompt: pairs of the profiled source that have such a prompt.
    """

    source: str
    pairs: int
    common_prompts: int
    pairs_with_common_prompt: int


@dataclass(frozen=True)
class Profile:
    """Everything that `tiebreak data inspect` tells.

    Attributes:
        source, schema, why: what was read, as which format, and why that one.
        rows, pairs, prompts: rows read, pairs made, distinct prompts.
        left_out, bad, notes: rows by their fate, with places.
        unit: of every length.
        tokenizer: the name of the tokenizer, where the unit is tokens.
        lengths: by column: `prompt`, `chosen`, `rejected`, and `whole`: prompt and longer ending.
        max_length, over_max_length: the limit, in tokens, and the pairs over it; None where lengths are not tokens.
        duplicates: pairs that repeat an earlier one exactly.
        equal_endings: pairs whose endings are the same.
        contradicting: pairs that another pair has the other way round.
        chosen_longer, rejected_longer, same_length: pairs by which ending is the longer.
        held_out: the held-out set, if there is one.
        samples: a few pairs, drawn from the seed.
    """

    source: str
    schema: str
    why: str
    rows: int
    pairs: int
    prompts: int
    left_out: Mapping[str, Tally]
    bad: Tally
    notes: Mapping[str, Tally]
    unit: Unit
    tokenizer: str | None
    lengths: Mapping[str, Lengths]
    max_length: int | None
    over_max_length: int | None
    duplicates: int
    equal_endings: int
    contradicting: int
    chosen_longer: int
    rejected_longer: int
    same_length: int
    held_out: HeldOut | None
    samples: tuple[Sample, ...]

    @property
    def longer_is_chosen(self) -> float | None:
        """Of the pairs whose endings differ in length, the share in which the longer one is chosen."""
        differ = self.chosen_longer + self.rejected_longer
        return self.chosen_longer / differ if differ else None

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `--json`."""
        return {**dataclasses.asdict(self), "longer_is_chosen": self.longer_is_chosen}


def profile(
    loaded: LoadedPreferences,
    *,
    held_out: LoadedPreferences | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    tokenizer_name: str | None = None,
    max_length: int | None = None,
    seed: int = 0,
) -> Profile:
    """Look at a set of preferences.

    Args:
        loaded: the pairs.
        held_out: the pairs of the held-out set, if there is one.
        tokenizer: measures lengths in tokens; without one they are in characters.
        tokenizer_name: what the tokenizer is called.
        max_length: the longest prompt and ending, in tokens, of the run to come.
        seed: of the samples.
    """
    dataset, report = loaded.dataset, loaded.report
    digests = digest_pairs(dataset)
    if tokenizer is None:
        prompt, chosen, rejected = _prompt_characters(dataset), digests.chosen_chars, digests.rejected_chars
    else:
        prompt, chosen, rejected = _token_lengths(dataset, tokenizer)
    whole = prompt + np.maximum(chosen, rejected)
    limited = tokenizer is not None and max_length is not None
    return Profile(
        source=report.source,
        schema=loaded.recognition.schema,
        why=loaded.recognition.why,
        rows=report.rows,
        pairs=len(dataset),
        prompts=groups(digests.prompt)[1],
        left_out=report.left_out,
        bad=report.bad,
        notes=report.notes,
        unit="characters" if tokenizer is None else "tokens",
        tokenizer=tokenizer_name,
        lengths=_lengths({"prompt": prompt, "chosen": chosen, "rejected": rejected, "whole": whole}),
        max_length=max_length if limited else None,
        over_max_length=int((whole > max_length).sum()) if limited and max_length is not None else None,
        duplicates=int(repeated(digests.pair).sum()),
        equal_endings=int(digests.equal.sum()),
        contradicting=int(contradicting(digests).sum()),
        chosen_longer=int((chosen > rejected).sum()),
        rejected_longer=int((chosen < rejected).sum()),
        same_length=int((chosen == rejected).sum()),
        held_out=_held_out(digests, held_out) if held_out else None,
        samples=_samples(dataset, seed),
    )


def _prompt_characters(dataset: Dataset) -> Counts:
    lengths = np.zeros(len(dataset), np.int64)
    place = 0
    for table in batches(dataset, ["prompt"]):
        for turns in table.column("prompt").to_pylist():
            lengths[place] = sum(len(turn["content"]) for turn in turns)
            place += 1
    return lengths


def _token_lengths(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> tuple[Counts, Counts, Counts]:
    import pyarrow.compute as compute

    from tiebreak.data.render import choose_template
    from tiebreak.data.tokenize import Limits, tokenize_preferences

    tokenized = tokenize_preferences(dataset, tokenizer, template=choose_template(tokenizer), limits=Limits())
    columns = ("prompt_ids", "chosen_ids", "rejected_ids")
    lengths: list[Counts] = [np.zeros(len(tokenized.dataset), np.int64) for _ in columns]
    place = 0
    for table in batches(tokenized.dataset, columns):
        for name, column in zip(columns, lengths, strict=True):
            column[place : place + table.num_rows] = compute.list_value_length(table.column(name)).to_numpy()
        place += table.num_rows
    return lengths[0], lengths[1], lengths[2]


def _lengths(columns: Mapping[str, Counts]) -> dict[str, Lengths]:
    # The endings share their bins, so that the two can be laid side by side.
    endings = np.concatenate([columns["chosen"], columns["rejected"]])
    result = {}
    for name, values in columns.items():
        edges = _edges(endings if name in ("chosen", "rejected") else values)
        least, quarter, median, three_quarters, most = (float(each) for each in np.percentile(values, _FIVE))
        mean = float(values.mean())
        result[name] = Lengths(least, quarter, median, three_quarters, most, mean, _histogram(values, edges))
    return result


def _edges(values: Counts) -> Counts:
    """Edges of bins of one round width that hold all but the longest half percent, which the last bin takes in."""
    most = max(1.0, float(np.percentile(values, 99.5)))
    rough = most / _BINS
    step = 10 ** int(np.floor(np.log10(max(1.0, rough))))
    width = next(int(step * factor) for factor in (1, 2, 5, 10) if step * factor >= rough)
    edges: Counts = np.arange(0, int(np.ceil((most + 1) / width)) + 1, dtype=np.int64) * width
    return edges


def _histogram(values: Counts, edges: Counts) -> Histogram:
    last = int(edges[-1])
    counts, _ = np.histogram(np.minimum(values, last - 1), bins=edges)
    return Histogram(
        tuple(int(edge) for edge in edges), tuple(int(count) for count in counts), bool(values.max() >= last)
    )


def _held_out(digests: PairDigests, held_out: LoadedPreferences) -> HeldOut:
    other = digest_pairs(held_out.dataset)
    common = found_in(digests.prompt, other.prompt)
    return HeldOut(
        source=held_out.report.source,
        pairs=len(held_out.dataset),
        common_prompts=groups(digests.prompt[common])[1],
        pairs_with_common_prompt=int(common.sum()),
    )


def _samples(dataset: Dataset, seed: int) -> tuple[Sample, ...]:
    count = min(_SAMPLES, len(dataset))
    rows = sorted(int(row) for row in np.random.default_rng(seed).choice(len(dataset), count, replace=False))
    return tuple(
        Sample(row, pair["id"], tuple(pair["prompt"]), pair["chosen"], pair["rejected"])
        for row, pair in zip(rows, (dataset[row] for row in rows), strict=True)
    )
