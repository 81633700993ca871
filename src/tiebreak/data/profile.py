"""What a set of rows looks like: lengths, repetitions, contradictions, labels, samples.

Knows canonical rows and how to count; knows nothing of how a profile is shown. Lengths are in tokens where a tokenizer
is given, else in characters. Texts are read a batch at a time; what is kept of each row is a few numbers.
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
from tiebreak.data.lengths import Counts, Lengths, lengths_of
from tiebreak.data.preference import Kind

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tiebreak.data.load import LoadedPreferences

Unit = Literal["tokens", "characters"]
_SAMPLES = 3


@dataclass(frozen=True)
class Sample:
    """One row as text; `endings` by what each is: chosen and rejected, or good, or bad, or a completion."""

    row: int
    id: str | None
    prompt: tuple[Mapping[str, str], ...]
    endings: Mapping[str, str]


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
        lengths: by column: `prompt`, the endings by what they are (`chosen` and `rejected`, `good` and `bad` where
            there are such, or `completion`), and `whole`: prompt and longer ending.
        max_length, over_max_length: the limit, in tokens, and the pairs over it; None where lengths are not tokens.
        duplicates: pairs that repeat an earlier one exactly.
        equal_endings: pairs whose endings are the same.
        contradicting: pairs that another pair has the other way round, or answers that are labelled both ways.
        chosen_longer, rejected_longer, same_length: pairs by which ending is the longer.
        held_out: the held-out set, if there is one.
        samples: a few rows, drawn from the seed.
        kind: what the rows are; `pairs` and the like count rows of that kind.
        labels: rows by their label, `good` and `bad`; None where rows have none.
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
    kind: Kind = "preference"
    labels: Mapping[str, int] | None = None

    @property
    def noun(self) -> str:
        """What a row is called."""
        return {"preference": "pair", "supervised": "demonstration", "labelled": "labelled answer"}[self.kind]

    @property
    def longer_is_chosen(self) -> float | None:
        """Of the pairs whose endings differ in length, the share in which the longer one is chosen."""
        differ = self.chosen_longer + self.rejected_longer
        return self.chosen_longer / differ if differ else None

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `--json`."""
        told = dataclasses.asdict(self)
        for sample in told["samples"]:
            sample.update(sample.pop("endings"))
        return {**told, "longer_is_chosen": self.longer_is_chosen}


def profile(
    loaded: LoadedPreferences,
    *,
    held_out: LoadedPreferences | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    tokenizer_name: str | None = None,
    max_length: int | None = None,
    seed: int = 0,
) -> Profile:
    """Look at a set of rows.

    Args:
        loaded: pairs, demonstrations or labelled answers.
        held_out: the rows of the held-out set, if there is one.
        tokenizer: measures lengths in tokens; without one they are in characters.
        tokenizer_name: what the tokenizer is called.
        max_length: the longest prompt and ending, in tokens, of the run to come.
        seed: of the samples.
    """
    dataset, report, kind = loaded.dataset, loaded.report, loaded.kind
    digests = digest_pairs(dataset)
    rows = np.arange(len(dataset))
    if tokenizer is None:
        prompt, chosen, rejected = _prompt_characters(dataset), digests.chosen_chars, digests.rejected_chars
    else:
        prompt, chosen, rejected, rows = _token_lengths(dataset, tokenizer)
    good = ~digests.swapped
    whole = prompt + np.maximum(chosen, rejected)
    lengths = {"prompt": prompt, **_by_ending(kind, chosen, rejected, good[rows]), "whole": whole}
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
        lengths=lengths_of(lengths),
        max_length=max_length if limited else None,
        over_max_length=int((whole > max_length).sum()) if limited and max_length is not None else None,
        duplicates=int(repeated(digests.pair).sum()),
        equal_endings=int(digests.equal.sum()),
        contradicting=int(contradicting(digests).sum()),
        chosen_longer=int((chosen > rejected).sum()),
        rejected_longer=int((chosen < rejected).sum()),
        same_length=int((chosen == rejected).sum()) if kind == "preference" else 0,
        held_out=_held_out(digests, held_out) if held_out else None,
        samples=_samples(dataset, seed),
        kind=kind,
        labels={"good": int(good.sum()), "bad": int((~good).sum())} if kind == "labelled" else None,
    )


def _by_ending(kind: Kind, chosen: Counts, rejected: Counts, good: NDArray[np.bool_]) -> dict[str, Counts]:
    """Lengths of endings by what they are; nothing is said of labels that no row has."""
    if kind == "preference":
        return {"chosen": chosen, "rejected": rejected}
    if kind == "supervised":
        return {"completion": chosen}
    return {name: each for name, each in (("good", chosen[good]), ("bad", chosen[~good])) if len(each)}


def _prompt_characters(dataset: Dataset) -> Counts:
    lengths = np.zeros(len(dataset), np.int64)
    place = 0
    for table in batches(dataset, ["prompt"]):
        for turns in table.column("prompt").to_pylist():
            lengths[place] = sum(len(turn["content"]) for turn in turns)
            place += 1
    return lengths


def _token_lengths(dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> tuple[Counts, Counts, Counts, Counts]:
    """Lengths of prompts and of both endings (a single one stands on both sides), and the rows they belong to."""
    import pyarrow.compute as compute

    from tiebreak.data.render import choose_template
    from tiebreak.data.tokenize import Limits, tokenize_demonstrations, tokenize_preferences

    single = "completion" in dataset.column_names
    tokenize = tokenize_demonstrations if single else tokenize_preferences
    tokenized = tokenize(dataset, tokenizer, template=choose_template(tokenizer), limits=Limits())
    columns = ["prompt_ids", *(["completion_ids"] if single else ["chosen_ids", "rejected_ids"])]
    lengths: list[Counts] = [np.zeros(len(tokenized.dataset), np.int64) for _ in columns]
    place = 0
    for table in batches(tokenized.dataset, columns):
        for name, column in zip(columns, lengths, strict=True):
            column[place : place + table.num_rows] = compute.list_value_length(table.column(name)).to_numpy()
        place += table.num_rows
    return lengths[0], lengths[1], lengths[-1], np.array(tokenized.dataset["row"][:], np.int64)


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
        Sample(row, values["id"], tuple(values["prompt"]), _endings_of(values))
        for row, values in zip(rows, (dataset[row] for row in rows), strict=True)
    )


def _endings_of(values: Mapping[str, Any]) -> dict[str, str]:
    if "chosen" in values:
        return {"chosen": values["chosen"], "rejected": values["rejected"]}
    name = "completion" if "label" not in values else "good" if values["label"] else "bad"
    return {name: values["completion"]}
