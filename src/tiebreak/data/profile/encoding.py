"""What a model's tokenizer makes of a set of rows: lengths in its tokens, rows that it cannot take, tokens in the text.

Knows the encoder of a task; knows nothing of how a profile is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tiebreak.data.cache import batches
from tiebreak.data.load_report import Tally
from tiebreak.data.preparing.templates import choose_template
from tiebreak.tasks import Task, load_part

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from tiebreak.data.preparing.completions import ScoreTurns
    from tiebreak.data.preparing.templates import SpecialTokens
    from tiebreak.data.preparing.tokenize import Tokenized

Counts = NDArray[np.int64]
_TRANSCRIPT = "data.template=transcript takes every row, or leave such turns out"


@dataclass(frozen=True)
class Encoded:
    """Rows as a tokenizer sees them.

    Attributes:
        prompt, chosen, rejected: lengths in tokens; a single completion stands on both sides.
        rows: index of the rows that they belong to.
        refused: rows that could not be encoded, by reason; with the template's own words where it refuses.
        special: rows in whose text a special token of the tokenizer stands, by token.
        notes: rows that the template does not write as others, by what was done.
        scored: share of the completions' tokens that is scored; below 1 where users or tools speak in them.
    """

    prompt: Counts
    chosen: Counts
    rejected: Counts
    rows: Counts
    refused: Mapping[str, Tally]
    special: Mapping[str, Tally]
    notes: Mapping[str, Tally]
    scored: float


def encode(
    dataset: Dataset,
    task: Task,
    tokenizer: PreTrainedTokenizerBase,
    *,
    score_turns: ScoreTurns = "all",
    special_tokens: SpecialTokens = "text",
) -> Encoded:
    """Look at rows with a tokenizer.

    Args:
        dataset: canonical rows of the task.
        task: what they are for.
        tokenizer: the model's.
        score_turns, special_tokens: as for `tokenize_for`.
    """
    import pyarrow.compute as compute

    template = choose_template(tokenizer)
    tokenized = load_part(task.encoder)(
        dataset, tokenizer, template=template, score_turns=score_turns, special_tokens=special_tokens
    )
    columns = ["prompt_ids", *(f"{name}_ids" for name in task.text_columns)]
    lengths: list[Counts] = [np.zeros(len(tokenized.dataset), np.int64) for _ in columns]
    start = 0
    for table in batches(tokenized.dataset, columns):
        for name, column in zip(columns, lengths, strict=True):
            column[start : start + table.num_rows] = compute.list_value_length(table.column(name)).to_numpy()
        start += table.num_rows
    rows = np.array(tokenized.dataset["row"][:], np.int64)
    notes = {note: Tally(count, tokenized.examples.get(note, ())) for note, count in tokenized.notes.items()}
    return Encoded(
        lengths[0],
        lengths[1],
        lengths[-1],
        rows,
        refused=_refused(tokenized),
        special=_special(dataset, task, tokenizer, parsed=special_tokens == "parse"),
        notes=notes,
        scored=_scored(tokenized, task),
    )


def _scored(tokenized: Tokenized, task: Task) -> float:
    """The share of the completions' tokens that is scored."""
    import pyarrow.compute as compute

    said = scored = 0
    for name in task.text_columns:
        for table in batches(tokenized.dataset, [f"{name}_ids", f"{name}_scored"]):
            ids, marks = (compute.list_value_length(table.column(each)) for each in table.column_names)
            given = compute.sum(compute.list_flatten(table.column(f"{name}_scored"))).as_py() or 0
            whole = compute.sum(compute.if_else(compute.equal(marks, 0), ids, 0)).as_py() or 0
            said += compute.sum(ids).as_py() or 0
            scored += int(given) + int(whole)
    return scored / said if said else 1.0


def _refused(tokenized: Tokenized) -> dict[str, Tally]:
    """The reasons for which rows are not encoded, with the first such rows; and where a transcript would do."""
    made = {}
    for reason, count in tokenized.counts.items():
        told = f"{reason}; {_TRANSCRIPT}" if "template" in reason and "tools" not in reason else reason
        made[told] = Tally(count, tokenized.examples.get(reason, ()))
    return made


def _special(dataset: Dataset, task: Task, tokenizer: PreTrainedTokenizerBase, *, parsed: bool) -> dict[str, Tally]:
    tokens = sorted({token for token in tokenizer.all_special_tokens if len(token) > 2}, key=len, reverse=True)
    if not tokens:
        return {}
    pattern = re.compile("|".join(map(re.escape, tokens)))
    found: dict[str, Tally] = {}
    row = 0
    for table in batches(dataset, ["prompt", *task.text_columns]):
        for values in table.to_pylist():
            row += 1
            texts = [turn["content"] for turn in values["prompt"]] + [values[name] for name in task.text_columns]
            for token in {hit for text in texts for hit in pattern.findall(text)}:
                found[token] = found.get(token, Tally()).add(f"row {row}")
    done = ", parsed as a control token" if parsed else ""
    return {f"the special token {token} of the model in their text{done}": tally for token, tally in found.items()}
