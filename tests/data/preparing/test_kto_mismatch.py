"""The mismatched completion of each unpaired one: it belongs to another prompt."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.files import pairs, write
from tests.training.small import word_tokenizer
from tiebreak.data.preference import Message, UnpairedCompletion, completion_of
from tiebreak.data.preparing import render_rows
from tiebreak.data.preparing.encode import Limits
from tiebreak.data.preparing.kto_mismatch import mismatched_of
from tiebreak.data.preparing.tokenize import Tokenized, tokenize_demonstrations, tokenize_unpaired
from tiebreak.files import cache_folder


def _row(prompt: str, completion: str, label: bool = True, weight: float = 1.0) -> UnpairedCompletion:
    return UnpairedCompletion((Message("user", prompt),), completion, label, weight=weight)


def _dataset(*rows: UnpairedCompletion) -> Dataset:
    return Dataset.from_list([row.to_row() for row in rows])


def _tokenized(*rows: UnpairedCompletion, key: str | None = None, progress: Any = None, **limits: Any) -> Tokenized:
    return tokenize_unpaired(
        _dataset(*rows),
        word_tokenizer(),
        template="transcript",
        limits=Limits(**limits),
        key=key,
        progress=progress,
    )


def _many(count: int) -> list[UnpairedCompletion]:
    return [_row(f"t{3 + i % 20}", f"t{3 + i % 7} " * (1 + i % 5), i % 3 > 0, 1.0 + i) for i in range(count)]


def test_ids_labels_and_weights_are_those_of_the_rows() -> None:
    tokenizer = word_tokenizer()
    rows = _many(40)
    found = _tokenized(*rows).dataset
    assert found.column_names == [
        *("prompt_ids", "completion_ids", "completion_scored", "label", "weight", "row"),
        *("mismatched_ids", "mismatched_scored"),
    ]
    for index, (row, made) in enumerate(zip(rows, found, strict=True)):
        text = f"\n\nHuman: {row.prompt[0].content}\n\nAssistant:"
        assert made["prompt_ids"] == tokenizer(text)["input_ids"]
        by_hand = tokenizer(" " + row.completion, add_special_tokens=False)["input_ids"]
        assert made["completion_ids"] == [*by_hand, tokenizer.eos_token_id]
        assert (made["label"], made["weight"], made["row"]) == (row.label, row.weight, index)


def test_ids_are_those_of_demonstrations_with_the_same_text() -> None:
    rows = _many(60)
    limits = Limits(total=9, completion=4, too_long="trim_completion")
    alone = tokenize_demonstrations(_dataset(*rows), word_tokenizer(), template="transcript", limits=limits)
    found = _tokenized(*rows, total=9, completion=4, too_long="trim_completion")
    assert found.dataset.remove_columns(["label", "mismatched_ids", "mismatched_scored"])[:] == alone.dataset[:]
    assert found.counts == alone.counts
    assert found.counts["completion trimmed"] > 0


@given(st.lists(st.integers(0, 6), max_size=60))
def test_a_mismatched_is_the_next_of_another_prompt_in_an_order_drawn_once(prompts: list[int]) -> None:
    mismatched = mismatched_of(np.array(prompts, np.int64)).tolist()
    order = mismatched_of(np.arange(len(prompts)))  # all differ: each row's mismatched is simply the next
    for row, other in enumerate(mismatched):
        if len(set(prompts)) == 1:
            assert other == row
            continue
        following = int(order[row])
        while prompts[following] == prompts[row]:
            following = int(order[following])
        assert other == following


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30))
def test_where_all_prompts_are_equal_a_mismatched_is_another_completion(completions: list[int]) -> None:
    mismatched = mismatched_of(np.zeros(len(completions), np.int64), np.array(completions)).tolist()
    for row, other in enumerate(mismatched):
        assert completions[other] != completions[row] or len(set(completions)) == 1


ROW = st.tuples(st.integers(3, 6), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=25), st.none() | st.integers(6, 12))
def test_a_mismatched_is_anothers_completion_cut_to_what_the_prompt_leaves(
    drawn: list[tuple[int, int]], total: int | None
) -> None:
    rows = [
        _row(f"t{asked} " * asked, " ".join(f"t{3 + i + k}" for k in range(n))) for i, (asked, n) in enumerate(drawn)
    ]
    found = list(_tokenized(*rows, total=total).dataset)
    prompts = {tuple(row["prompt_ids"]) for row in found}
    for row in found:
        ids = row["mismatched_ids"]
        assert ids
        assert total is None or len(row["prompt_ids"]) + len(ids) <= total
        lenders = [each for each in found if each["completion_ids"][: len(ids)] == ids]
        if len(prompts) > 1:
            lenders = [each for each in lenders if each["prompt_ids"] != row["prompt_ids"]]
        room = None if total is None else total - len(row["prompt_ids"])
        assert any(ids == each["completion_ids"][:room] for each in lenders)


def test_one_row_alone_is_its_own_mismatched_and_equal_prompts_borrow_from_each_other() -> None:
    (alone,) = _tokenized(_row("t5", "t6")).dataset
    assert alone["mismatched_ids"] == alone["completion_ids"]
    one, two = _tokenized(_row("t5", "t6"), _row("t5", "t7")).dataset
    assert (one["mismatched_ids"], two["mismatched_ids"]) == (two["completion_ids"], one["completion_ids"])


@pytest.mark.parametrize("total", [None, 12, 9, 8])
def test_what_is_scored_of_a_completion_is_scored_where_it_is_borrowed(total: int | None) -> None:
    several = (Message("assistant", "t3 t4"), Message("user", "t5"), Message("assistant", "t6"))
    text, turns = completion_of(several)
    rows = [
        dataclasses.replace(_row("t20", text), completion_turns=turns),
        *(_row(f"t{i}", f"t{i} t{i}") for i in range(21, 25)),
    ]
    found = _tokenized(*rows, total=total, too_long="trim_completion").dataset
    made = {tuple(row["completion_ids"]): row["completion_scored"] for row in _tokenized(*rows).dataset}
    marked = next(ids for ids, marks in made.items() if marks)
    assert [id_ for id_, mark in zip(marked, made[marked], strict=True) if not mark] == [0, 5, 0]
    for row in found:
        ids, marks = row["mismatched_ids"], row["mismatched_scored"]
        own = next(marks for whole, marks in made.items() if list(whole[: len(ids)]) == ids)
        assert marks == ([] if all(own[: len(ids)]) else own[: len(ids)])


def test_no_rows_are_no_error() -> None:
    found = _tokenized(_row("t5", "t6 " * 30), total=5)
    assert len(found.dataset) == 0
    assert found.counts == {"too long": 1}
    assert found.dataset["mismatched_ids"][:] == []


def test_ids_do_not_depend_on_how_rows_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _tokenized(*_many(97), total=8)
    monkeypatch.setattr(render_rows, "_BYTES_A_PART", 100)
    done: list[int] = []
    again = _tokenized(*_many(97), total=8, progress=done.append)
    assert len(done) > 10
    assert again.dataset[:] == whole.dataset[:]


def test_ids_that_are_kept_are_found_again() -> None:
    done: list[int] = []
    first = _tokenized(*_many(30), key="unpaired", total=8, progress=done.append)
    assert done
    done.clear()
    again = _tokenized(*_many(30), key="unpaired", total=8, progress=done.append)
    assert not done
    assert again.dataset._fingerprint == first.dataset._fingerprint
    assert again.dataset[:] == first.dataset[:] == _tokenized(*_many(30), total=8).dataset[:]
    assert again.counts == first.counts
    alone = tokenize_demonstrations(_dataset(*_many(30)), word_tokenizer(), template="transcript", key="unpaired")
    assert "mismatched_ids" not in alone.dataset.column_names


def test_drafts_of_runs_that_were_killed_long_ago_are_swept() -> None:
    folder = cache_folder() / "tokens"
    folder.mkdir(parents=True, exist_ok=True)
    old, young = folder / ".old.draft", folder / ".young.draft"
    for draft in (old, young):
        draft.write_bytes(b"half of it")
    two_days_ago = time.time() - 48 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    _tokenized(*_many(3), key="swept")
    assert not old.exists()
    assert young.exists()
    young.unlink()


SCRIPT = """
import sys
from tests.training.small import word_tokenizer
from tiebreak.data.preparing.gather import gather
from tiebreak.data.preparing.tokenize import Limits, tokenize_unpaired
from tiebreak.recipe import DataSection

_, selection = gather(DataSection(source=sys.argv[1], eval_fraction=0.0), task="unpaired")
limits = Limits(total=256)
found = tokenize_unpaired(selection.train, word_tokenizer(), template="transcript", limits=limits, key=sys.argv[1])
assert len(found.dataset) == 2 * int(sys.argv[2])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)  # the peak; ru_maxrss would count the parent before exec
"""


def _peak_mebibytes(path: Path, count: int) -> int:
    words = " ".join(f"t{i}" for i in range(60))
    write(path, [{**row, "chosen": f"{words} {row['chosen']}"} for row in pairs(count)])
    command = [sys.executable, "-c", SCRIPT, str(path), str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout)


@pytest.mark.journey
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_120_000_answers_are_tokenized_in_the_memory_of_4_000(tmp_path: Path) -> None:
    few = _peak_mebibytes(tmp_path / "few.jsonl", 2_000)
    many = _peak_mebibytes(tmp_path / "many.jsonl", 60_000)
    # What may grow are digests and places of the rows: about 150 bytes each, and what sorting them takes. The ids of
    # the completions and of their mismatched are 40 MiB here, and as lists of Python they would be 300.
    assert many - few < 40
