"""Groups: what a data set holds, whatever way its rows lie."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset, concatenate_datasets

from tests.training.small import tokenized_pairs
from tiebreak.engine.batch import ScoredGroup, group_of
from tiebreak.tasks import TASKS
from tiebreak.training.examples import Groups


def _plainly(dataset: Dataset) -> list[ScoredGroup]:
    return [group_of(row["prompt_ids"], [row["chosen_ids"], row["rejected_ids"]], row["row"]) for row in dataset]


def _on_disk(dataset: Dataset, path: Path) -> Dataset:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, dataset.data.schema) as stream:
        stream.write_table(dataset.data.table, max_chunksize=7)
    return Dataset.from_file(str(path))


@pytest.mark.parametrize("form", ["memory", "disk", "chunks", "slice", "mapped", "mapped again", "none"])
def test_groups_are_the_rows_of_the_data_set(form: str, tmp_path: Path) -> None:
    pairs = tokenized_pairs(40)
    dataset = {
        "memory": lambda: pairs,
        "disk": lambda: _on_disk(pairs, tmp_path / "pairs.arrow"),
        "chunks": lambda: concatenate_datasets([pairs.select(range(3)), pairs.select([9, 2]), pairs]),
        "slice": lambda: _on_disk(pairs, tmp_path / "pairs.arrow").select(range(5, 33)),
        "mapped": lambda: _on_disk(pairs, tmp_path / "pairs.arrow").select([39, 0, 14, 13, 7]),
        "mapped again": lambda: pairs.select([39, 0, 14, 13, 7]).select([4, 1, 1]),
        "none": lambda: pairs.select([]),
    }[form]()
    groups, plain = Groups(dataset, TASKS["preference"]), _plainly(dataset)
    assert len(groups) == len(plain)
    assert list(groups) == plain
    assert groups[1:4] == plain[1:4]
    if plain:
        assert groups.longest() == max(plain, key=lambda group: group.longest)
    assert pickle.loads(pickle.dumps(groups))[:] == plain
    chosen = list(range(len(plain)))[::-2]
    assert list(groups.select(chosen)) == [plain[i] for i in chosen]


def test_groups_know_which_tokens_are_scored() -> None:
    pairs = tokenized_pairs(3)
    ids = [row["chosen_ids"] for row in pairs]
    marks = [[], [int(at % 2 == 0) for at in range(len(ids[1]))], []]
    every = [1] * len(pairs[1]["rejected_ids"])
    marked = pairs.add_column("chosen_scored", marks).add_column("rejected_scored", [[], every, []])
    groups = Groups(marked, TASKS["preference"])
    assert [group.scored for group in groups] == [(), (tuple(map(bool, marks[1])), tuple(map(bool, every))), ()]
    assert groups.longest().longest == Groups(pairs, TASKS["preference"]).longest().longest
    assert groups[1].targets(0) == list(range(0, len(ids[1]), 2))


def test_a_group_holds_plain_numbers_and_counts_from_the_end() -> None:
    groups = Groups(tokenized_pairs(5), TASKS["preference"])
    assert type(groups[0].prompt[0]) is type(groups[0].row) is int
    assert groups[-1] == groups[4]
    with pytest.raises(IndexError):
        groups[5]


def test_pickled_groups_carry_nothing_that_was_looked_up() -> None:
    groups = Groups(tokenized_pairs(5), TASKS["preference"])
    before = len(pickle.dumps(groups))
    assert groups[3].row == 3
    assert len(pickle.dumps(groups)) == before
