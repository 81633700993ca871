"""Whatever a file holds, the answer is pairs or an InputError: never another exception, never a crash."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.files import load, pairs, preferences, write
from tiebreak.data.preference import Kind
from tiebreak.data.problems import LeftOut, RowProblem
from tiebreak.data.recognise import recognise
from tiebreak.data.schemas import OF_KIND
from tiebreak.errors import InputError

FORMS = [
    form + compression
    for form in (".jsonl", ".json", ".csv", ".parquet", ".arrow")
    for compression in ("", ".gz", ".zst")
]
COLUMNS = [
    *(
        "prompt",
        "chosen",
        "rejected",
        "system",
        "instruction",
        "input",
        "history",
        "output",
        "conversations",
        "messages",
    ),
    *("completion", "answers", "scores", "ranks", "answer_a", "answer_b", "choice", "better_response_id", "response_0"),
    *("response_1", "winner_model_a", "winner_model_b", "id", "weight", "score_chosen", "response"),
]


def _damaged(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 20])):
        place = draw.randrange(len(found)) if found else 0
        kind = draw.randrange(4)
        if kind == 0:
            del found[place:]
        elif kind == 1 and found:
            found[place] = draw.randrange(256)
        elif kind == 2:
            found[place:place] = draw.randbytes(draw.randrange(20))
        else:
            del found[place : place + draw.randrange(50)]
    return bytes(found)


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_read_in_part_or_refused(tmp_path: Path, form: str) -> None:
    draw = random.Random(form)
    rows = [*pairs(50), {"prompt": "é日😀", "chosen": 'a\n"b', "rejected": "\\"}]
    whole = write(tmp_path / f"whole{form}", rows).read_bytes()
    path = tmp_path / f"data{form}"
    for _ in range(25):
        path.write_bytes(_damaged(whole, draw))
        for skip in (False, True):
            with contextlib.suppress(InputError):
                preferences(load(path, skip_bad_rows=skip))


TURN = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | st.sampled_from(["user", "gpt", "tool", "", "hi"])
        for name in ("role", "content", "from", "value")
    },
)
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | TURN
    | st.sampled_from(["\n\nHuman: a\n\nAssistant: b", "\n\nAssistant:", "a", "tie", "[1, 2]", '{"role": 1}', "[["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(COLUMNS), inner, max_size=3),
    max_leaves=6,
)
ROW = st.dictionaries(st.sampled_from(COLUMNS), VALUE, max_size=6)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROW, min_size=1, max_size=3), st.sampled_from(sorted(OF_KIND)))
def test_any_row_is_converted_or_refused_by_every_schema(rows: list[dict[str, Any]], kind: Kind) -> None:
    with contextlib.suppress(InputError):
        recognise(rows, "data.jsonl", kind)
    for row in rows:
        for schema in OF_KIND[kind]:
            with contextlib.suppress(RowProblem, LeftOut):
                for made in schema.convert(row):
                    assert made.prompt[-1].role == "user"
                    assert all(isinstance(message.content, str) for message in made.prompt)
