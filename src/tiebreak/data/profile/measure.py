"""What a set of rows looks like: lengths, repetitions, contradictions, labels, samples.

Knows canonical rows and how to count; knows nothing of how a profile is shown. Lengths are in tokens where a tokenizer
is given, else in characters; each column's are summed up as five numbers, a mean and a histogram.
Texts are read a batch at a time; what is kept of each row is a few numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.cache import batches
from tiebreak.data.load_report import Tally
from tiebreak.data.preference import completions_of, messages_from
from tiebreak.data.preparing.digests import PairDigests, contradicting, digest_pairs, found_in, groups, repeated
from tiebreak.data.profile.encoding import encode
from tiebreak.tasks import TASKS, Task, TaskName

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tiebreak.data.load import LoadedPreferences
    from tiebreak.data.preparing.completions import ScoreTurns
    from tiebreak.data.preparing.templates import SpecialTokens

Unit = Literal["tokens", "characters"]
Counts = NDArray[np.int64]
_BINS = 16
_FIVE = (0, 25, 50, 75, 100)
# The columns of lengths that are laid side by side.
_COMPLETIONS = ("chosen", "rejected", "good", "bad", "completion")
_SAMPLES = 3


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
    """One row as text; `completions` by what each is: chosen and rejected, or good, or bad, or a completion."""

    row: int
    id: str | None
    prompt: tuple[Mapping[str, str], ...]
    completions: Mapping[str, str]


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
    """Everything that `tiebreak data inspect` shows.

    Attributes:
        source, schema, why: what was read, in which form, and why that one.
        rows, pairs, prompts: rows read, canonical rows made (pairs or others), distinct prompts.
        dropped, bad, notes: rows by their fate, and where the first few stand.
        unit: of every length.
        tokenizer: the name of the tokenizer, where the unit is tokens.
        lengths: by column: `prompt`, the completions by what they are (`chosen` and `rejected`, `good` and `bad` where
            there are such, or `completion`), and `whole`: prompt and longer completion.
        max_length, over_max_length: the limit, in tokens, and the pairs over it; None where lengths are not tokens.
        duplicates: pairs that repeat an earlier one exactly.
        equal_completions: pairs whose completions are the same.
        contradicting: pairs that another pair has the other way round, or completions called both good and bad.
        chosen_longer, rejected_longer, same_length: pairs by which completion is the longer.
        held_out: the held-out set, if there is one.
        samples: a few rows, drawn from the seed.
        unused: what the form does not read of the rows, and how many have it.
        passed_over: files of rows beside those that were read.
        task: the task that the rows are for; `pairs` and the like count its rows.
        refused: rows that the model's template or tokenizer does not take, by reason.
        scored: share of the completions' tokens that is scored; None where lengths are not tokens.
        labels: rows by their label, `good` and `bad`; None where rows have none.
    """

    source: str
    schema: str
    why: str
    rows: int
    pairs: int
    prompts: int
    dropped: Mapping[str, Tally]
    bad: Tally
    notes: Mapping[str, Tally]
    unit: Unit
    tokenizer: str | None
    lengths: Mapping[str, Lengths]
    max_length: int | None
    over_max_length: int | None
    duplicates: int
    equal_completions: int
    contradicting: int
    chosen_longer: int
    rejected_longer: int
    same_length: int
    held_out: HeldOut | None
    samples: tuple[Sample, ...]
    task: TaskName = "preference"
    labels: Mapping[str, int] | None = None
    unused: Mapping[str, int] = dataclasses.field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    refused: Mapping[str, Tally] = dataclasses.field(default_factory=dict)
    scored: float | None = None

    @property
    def longer_is_chosen(self) -> float | None:
        """Of the pairs whose completions differ in length, the share in which the longer one is chosen."""
        differ = self.chosen_longer + self.rejected_longer
        return self.chosen_longer / differ if differ else None

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `--json`."""
        values = dataclasses.asdict(self)
        values["kind"] = values.pop("task")
        for sample in values["samples"]:
            sample.update(sample.pop("completions"))
        return {**values, "longer_is_chosen": self.longer_is_chosen}


def profile(
    loaded: LoadedPreferences,
    *,
    held_out: LoadedPreferences | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    tokenizer_name: str | None = None,
    max_length: int | None = None,
    score_turns: ScoreTurns = "all",
    special_tokens: SpecialTokens = "text",
    seed: int = 0,
) -> Profile:
    """Look at a set of rows.

    Args:
        loaded: pairs, demonstrations or unpaired completions.
        held_out: the rows of the held-out set, if there is one.
        tokenizer: measures lengths in tokens; without one they are in characters.
        tokenizer_name: what the tokenizer is called.
        max_length: the longest prompt and completion, in tokens, of the run to come.
        score_turns, special_tokens: of the run to come; as for `tokenize_for`.
        seed: of the samples.
    """
    dataset, report, task = loaded.dataset, loaded.report, TASKS[loaded.task]
    digests = digest_pairs(dataset, task)
    rows = np.arange(len(dataset))
    notes, refused, scored = dict(report.notes), dict[str, Tally](), None
    if tokenizer is None:
        prompt, chosen, rejected = _prompt_characters(dataset), digests.chosen_chars, digests.rejected_chars
    else:
        encoded = encode(dataset, task, tokenizer, score_turns=score_turns, special_tokens=special_tokens)
        notes = {**notes, **encoded.special, **encoded.notes}
        refused = dict(encoded.refused)
        if len(encoded.rows):
            scored = encoded.scored
            prompt, chosen, rejected, rows = encoded.prompt, encoded.chosen, encoded.rejected, encoded.rows
        else:  # nothing of it has a length in tokens
            tokenizer, prompt = None, _prompt_characters(dataset)
            chosen, rejected = digests.chosen_chars, digests.rejected_chars
    good = ~digests.swapped if task.has_label else None
    whole = prompt + np.maximum(chosen, rejected)
    completions = _by_completion(task.text_columns, chosen, rejected, None if good is None else good[rows])
    lengths = {"prompt": prompt, **completions, "whole": whole}
    limited = tokenizer is not None and max_length is not None
    return Profile(
        source=report.source,
        schema=loaded.recognition.schema,
        why=loaded.recognition.why,
        rows=report.rows,
        pairs=len(dataset),
        prompts=groups(digests.prompt)[1],
        dropped=report.dropped,
        bad=report.bad,
        notes=notes,
        unit="characters" if tokenizer is None else "tokens",
        tokenizer=None if tokenizer is None else tokenizer_name,
        lengths=_shapes(lengths),
        max_length=max_length if limited else None,
        over_max_length=int((whole > max_length).sum()) if limited and max_length is not None else None,
        duplicates=int(repeated(digests.pair).sum()),
        equal_completions=int(digests.equal.sum()),
        contradicting=int(contradicting(digests).sum()),
        chosen_longer=int((chosen > rejected).sum()),
        rejected_longer=int((chosen < rejected).sum()),
        same_length=int((chosen == rejected).sum()) if task.pairs else 0,
        held_out=_held_out(digests, held_out) if held_out else None,
        samples=_samples(dataset, task, seed),
        task=task.name,
        unused=report.unused,
        passed_over=report.passed_over,
        refused=refused,
        scored=scored,
        labels=None if good is None else {"good": int(good.sum()), "bad": int((~good).sum())},
    )


def _shapes(columns: Mapping[str, Counts]) -> dict[str, Lengths]:
    """The shape of each column's lengths; none may be empty."""
    # The completions share their bins, so that they can be laid side by side.
    completions = np.concatenate([columns[name] for name in _COMPLETIONS if name in columns])
    result = {}
    for name, values in columns.items():
        edges = _edges(completions if name in _COMPLETIONS else values)
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


def _by_completion(
    names: tuple[str, ...], chosen: Counts, rejected: Counts, good: NDArray[np.bool_] | None
) -> dict[str, Counts]:
    """Lengths of completions by what they are: good or bad, else by column; a label that no row has is passed over."""
    if good is None:
        return dict(zip(names, (chosen, rejected), strict=False))  # a single completion stands on both sides
    return {name: each for name, each in (("good", chosen[good]), ("bad", chosen[~good])) if len(each)}


def _prompt_characters(dataset: Dataset) -> Counts:
    lengths = np.zeros(len(dataset), np.int64)
    row = 0
    for table in batches(dataset, ["prompt"]):
        for turns in table.column("prompt").to_pylist():
            lengths[row] = sum(len(turn["content"]) for turn in turns)
            row += 1
    return lengths


def _held_out(digests: PairDigests, held_out: LoadedPreferences) -> HeldOut:
    other = digest_pairs(held_out.dataset, TASKS[held_out.task])
    common = found_in(digests.prompt, other.prompt)
    return HeldOut(
        source=held_out.report.source,
        pairs=len(held_out.dataset),
        common_prompts=groups(digests.prompt[common])[1],
        pairs_with_common_prompt=int(common.sum()),
    )


def _samples(dataset: Dataset, task: Task, seed: int) -> tuple[Sample, ...]:
    count = min(_SAMPLES, len(dataset))
    rows = sorted(int(row) for row in np.random.default_rng(seed).choice(len(dataset), count, replace=False))
    return tuple(
        Sample(row, values["id"], _plain(values["prompt"]), completions_of(values, task))
        for row, values in zip(rows, (dataset[row] for row in rows), strict=True)
    )


def _plain(turns: list[dict[str, Any]]) -> tuple[Mapping[str, str], ...]:
    """Turns without the keys that they have nothing under."""
    return tuple(turn.to_row() for turn in messages_from(turns))
