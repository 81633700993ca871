"""Token ids of labelled answers, and the partner of each: an ending that does not answer its prompt."""

from __future__ import annotations

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
from tiebreak.data import render
from tiebreak.data.partners import partners_of
from tiebreak.data.preference import LabelledCompletion, Message
from tiebreak.data.tokenize import Limits, Tokenized, tokenize_demonstrations, tokenize_labelled
from tiebreak.files import cache_folder


def _row(prompt: str, completion: str, label: bool = True, weight: float = 1.0) -> LabelledCompletion:
    return LabelledCompletion((Message("user", prompt),), completion, label, weight=weight)


def _dataset(*rows: LabelledCompletion) -> Dataset:
    return Dataset.from_list([row.to_row() for row in rows])


def _tokenized(*rows: LabelledCompletion, key: str | None = None, progress: Any = None, **limits: Any) -> Tokenized:
    return tokenize_labelled(
        _dataset(*rows),
        word_tokenizer(),
        template="transcript",
        limits=Limits(**limits),
        key=key,
        progress=progress,
    )


def _many(count: int) -> list[LabelledCompletion]:
    return [_row(f"t{3 + i % 20}", f"t{3 + i % 7} " * (1 + i % 5), i % 3 > 0, 1.0 + i) for i in range(count)]


def test_ids_labels_and_weights_are_those_of_the_rows() -> None:
    tokenizer = word_tokenizer()
    rows = _many(40)
    found = _tokenized(*rows).dataset
    assert found.column_names == ["prompt_ids", "completion_ids", "label", "weight", "row", "partner_ids"]
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
    assert found.dataset.remove_columns(["label", "partner_ids"])[:] == alone.dataset[:]
    assert found.counts == alone.counts
    assert found.counts["completion trimmed"] > 0


@given(st.lists(st.integers(0, 6), max_size=60))
def test_a_partner_is_the_next_of_another_prompt_in_an_order_drawn_once(prompts: list[int]) -> None:
    partner = partners_of(np.array(prompts, np.int64)).tolist()
    order = partners_of(np.arange(len(prompts)))  # all differ: each row's partner is simply the next
    for row, other in enumerate(partner):
        if len(set(prompts)) == 1:
            assert other == row
            continue
        following = int(order[row])
        while prompts[following] == prompts[row]:
            following = int(order[following])
        assert other == following


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30))
def test_where_all_prompts_are_equal_a_partner_is_another_ending(endings: list[int]) -> None:
    partner = partners_of(np.zeros(len(endings), np.int64), np.array(endings)).tolist()
    for row, other in enumerate(partner):
        assert endings[other] != endings[row] or len(set(endings)) == 1


ROW = st.tuples(st.integers(3, 6), st.integers(1, 5))


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=25), st.none() | st.integers(6, 12))
def test_a_partner_is_anothers_ending_cut_to_what_the_prompt_leaves(
    drawn: list[tuple[int, int]], total: int | None
) -> None:
    rows = [
        _row(f"t{asked} " * asked, " ".join(f"t{3 + i + k}" for k in range(n))) for i, (asked, n) in enumerate(drawn)
    ]
    found = list(_tokenized(*rows, total=total).dataset)
    prompts = {tuple(row["prompt_ids"]) for row in found}
    for row in found:
        ids = row["partner_ids"]
        assert ids
        assert total is None or len(row["prompt_ids"]) + len(ids) <= total
        lenders = [each for each in found if each["completion_ids"][: len(ids)] == ids]
        if len(prompts) > 1:
            lenders = [each for each in lenders if each["prompt_ids"] != row["prompt_ids"]]
        room = None if total is None else total - len(row["prompt_ids"])
        assert any(ids == each["completion_ids"][:room] for each in lenders)


def test_one_row_alone_is_its_own_partner_and_equal_prompts_borrow_from_each_other() -> None:
    (alone,) = _tokenized(_row("t5", "t6")).dataset
    assert alone["partner_ids"] == alone["completion_ids"]
    one, two = _tokenized(_row("t5", "t6"), _row("t5", "t7")).dataset
    assert (one["partner_ids"], two["partner_ids"]) == (two["completion_ids"], one["completion_ids"])


def test_no_rows_are_no_error() -> None:
    found = _tokenized(_row("t5", "t6 " * 30), total=5)
    assert len(found.dataset) == 0
    assert found.counts == {"too long": 1}
    assert found.dataset["partner_ids"][:] == []


def test_ids_do_not_depend_on_how_rows_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _tokenized(*_many(97), total=8)
    monkeypatch.setattr(render, "_BYTES_A_PART", 100)
    done: list[int] = []
    again = _tokenized(*_many(97), total=8, progress=done.append)
    assert len(done) > 10
    assert again.dataset[:] == whole.dataset[:]


def test_ids_that_are_kept_are_found_again() -> None:
    done: list[int] = []
    first = _tokenized(*_many(30), key="labelled", total=8, progress=done.append)
    assert done
    done.clear()
    again = _tokenized(*_many(30), key="labelled", total=8, progress=done.append)
    assert not done
    assert again.dataset._fingerprint == first.dataset._fingerprint
    assert again.dataset[:] == first.dataset[:] == _tokenized(*_many(30), total=8).dataset[:]
    assert again.counts == first.counts
    alone = tokenize_demonstrations(_dataset(*_many(30)), word_tokenizer(), template="transcript", key="labelled")
    assert "partner_ids" not in alone.dataset.column_names


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
from tiebreak.data.gather import gather
from tiebreak.data.tokenize import Limits, tokenize_labelled
from tiebreak.recipe import DataSection

_, selection = gather(DataSection(source=sys.argv[1], eval_fraction=0.0), kind="labelled")
limits = Limits(total=256)
found = tokenize_labelled(selection.train, word_tokenizer(), template="transcript", limits=limits, key=sys.argv[1])
assert len(found.dataset) == 2 * int(sys.argv[2])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) // 1024)  # the peak; ru_maxrss would count the parent before exec
"""


def _peak_mebibytes(path: Path, count: int) -> int:
    words = " ".join(f"t{i}" for i in range(60))
    write(path, [{**row, "chosen": f"{words} {row['chosen']}"} for row in pairs(count)])
    command = [sys.executable, "-c", SCRIPT, str(path), str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ)).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_120_000_answers_are_tokenized_in_the_memory_of_4_000(tmp_path: Path) -> None:
    few = _peak_mebibytes(tmp_path / "few.jsonl", 2_000)
    many = _peak_mebibytes(tmp_path / "many.jsonl", 60_000)
    # What may grow are digests and places of the rows: about 150 bytes each, and what sorting them takes. The ids of
    # the endings and of their partners are 40 MiB here, and as lists of Python they would be 300.
    assert many - few < 40
