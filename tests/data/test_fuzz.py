"""Whatever rows are, the end is exact pairs, or a refusal with file, row and column: never another exception.

Rows of known pairs are written in many forms, under other names, with more columns around them and in other files, and
must come back byte for byte. Rows of anything must end in pairs or in an `InputError`, which is exit 2.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.files import load, preferences, write
from tiebreak.data.forms.roles import ROLES, VALUES, parse_flag
from tiebreak.data.forms.spelling import SPELLINGS
from tiebreak.data.load import load_as_it_is
from tiebreak.data.preference import Message, Preference
from tiebreak.data.reading.sources import SourceSpec
from tiebreak.errors import InputError

# Text as people write it, with white space at its ends, marks of many notations, and letters of many scripts.
_PIECES = [
    "a",
    " ",
    "\n",
    "\t",
    "ไทย",
    "中文",
    "عربي",
    "é",
    "👩‍👩‍👧",
    "[1, 2]",
    '{"a": 1}',
    "|",
    ",",
    ";",
    '"',
    "<b>",
    "Human:",
]
TEXT = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=6).map("".join).filter(str.strip)
PLAIN = TEXT.filter(lambda text: not text.startswith(("[", "{")))
_SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])


def _turn(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def _as_text(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _as_question(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"question": prompt, "chosen": chosen, "rejected": rejected}


def _as_implicit(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    asked = _turn("user", prompt)
    return {"chosen": [asked, _turn("assistant", chosen)], "rejected": [asked, _turn("assistant", rejected)]}


def _as_sharegpt(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    two = {name: {"from": "gpt", "value": text} for name, text in (("chosen", chosen), ("rejected", rejected))}
    return {"conversations": [{"from": "human", "value": prompt}], **two}


def _as_labelled(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {"prompt": prompt, "response_a": rejected, "response_b": chosen, "winner": "model_b"}


def _as_openai(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    return {
        "input": {"messages": [_turn("user", prompt)]},
        "preferred_output": [_turn("assistant", chosen)],
        "non_preferred_output": [_turn("assistant", rejected)],
    }


def _as_arena(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    parts = {name: [{"type": "text", "text": text}] for name, text in (("p", prompt), ("c", chosen), ("r", rejected))}
    asked = {"role": "user", "content": parts["p"]}
    return {
        "conversation_a": [asked, {"role": "assistant", "content": parts["c"]}],
        "conversation_b": [asked, {"role": "assistant", "content": parts["r"]}],
        "winner": "model_a",
    }


_FORMS = [_as_text, _as_question, _as_implicit, _as_sharegpt, _as_labelled, _as_openai, _as_arena]
_MORE = {"source": "s", "category": 3, "subset": ["x"], "lang": None, "meta": {"a": 1}, "tags": ["x"]}


def _check_exact(folder: Path, form: Any, rows: list[tuple[str, str, str]], name: str, more: list[str]) -> None:
    beside = {key: _MORE[key] for key in more}
    path = write(folder / name, [{**beside, **form(*row)} for row in rows])
    source, category = "s" if "source" in beside else None, "3" if "category" in beside else None
    made = [
        Preference((Message("user", prompt),), chosen, rejected, source=source, category=category)
        for prompt, chosen, rejected in rows
    ]
    loaded = load(path)
    assert preferences(loaded) == made
    used = {"source", "category"}
    assert set(loaded.report.unused) == {key for key in more if beside[key] is not None} - used


EXACT = (
    st.sampled_from(_FORMS),
    st.lists(st.tuples(PLAIN, TEXT, TEXT), min_size=1, max_size=3),
    st.sampled_from(["data.jsonl", "data.json", "data.parquet", "data.jsonl.gz", "data.arrow"]),
    st.lists(st.sampled_from(sorted(_MORE)), unique=True, max_size=3),
)

_NAMES = [
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
    *(
        "question",
        "completion",
        "answers",
        "scores",
        "ranks",
        "answer_a",
        "answer_b",
        "choice",
        "response_0",
        "response_1",
    ),
    *("better_response_id", "label", "conversation_a", "conversation_b", "winner", "turn", "tools", "images", "rating"),
    *("preferred_output", "non_preferred_output", "summaries", "info", "data", "annotations", "fields", "responses"),
    *(
        "rejected_response",
        "chosen_messages",
        "rejected_messages",
        "human_ref_A",
        "human_ref_B",
        "labels",
        "weight",
        "id",
    ),
    *("score_0", "answer_0", "answer_1", "score_1", "response_1", "response_2", "preference_strength", "type"),
    *("preference.responses", "preference.responses.status", "comparison", "query", "response", "kto_tag", "Prompt"),
    *("System", "System Prompt", "chosenResponse", "rejectedResponse", "model_a", "model_b", "reward_A", "context"),
    *("source", "dataset", "category", "subset", "Language"),
]
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.none()
            | st.sampled_from(["user", "gpt", "assistant", "tool", "function_call", "system", "", "hi", "{}"])
            for name in ("role", "content", "from", "value", "type", "text", "name")
        },
        "tool_calls": st.none()
        | st.lists(st.fixed_dictionaries({"function": st.fixed_dictionaries({"name": st.text()})})),
    },
)
VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | _MESSAGE
    | st.sampled_from(
        [
            "\n\nHuman: a\n\nAssistant: b",
            "<|im_start|>user\na<|im_end|>\n",
            "model_a",
            "tie",
            "[1, 2]",
            '{"role": 1}',
            "[[",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*_NAMES, "answer1", "answer2", "result", "selected", "values"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.sampled_from(_NAMES), VALUE, max_size=6), min_size=1, max_size=3)
_EXPRESSIONS = [
    *_NAMES,
    *("info.post", "answers[*].text", "answers[0]", "answers[-1].text", "summaries[0]", "data.prompt", "fields.values"),
    *(
        "{prompt} {info}",
        "{prompt}\n{input}",
        "prompt|question|input",
        "answer_a|answer_b",
        "scores[*]",
        "a.b[2].c",
        "",
    ),
]
_TOLD = ["1", "0", "-1", "tie", "model_a", "<0", ">=1.5", "a|b", "true", ""]
_SAID: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(ROLES, st.sampled_from(_EXPRESSIONS)),
    **dict.fromkeys(VALUES, st.sampled_from(_TOLD)),
    **dict.fromkeys(SPELLINGS, st.sampled_from(["from", "value", "role", "content", "user|gpt", "tool", "text"])),
    "better": st.sampled_from(["higher", "lower", "first", "last"]),
    "ignore": st.sampled_from(["images|tools", "label", "prompt"]),
}
# Sets that make an example, so that many cases come as far as the rows, with whatever else beside them.
_WHOLE = st.sampled_from(
    [
        ("prompt", "chosen", "rejected"),
        ("chosen", "rejected"),
        ("prompt", "a", "b", "choice"),
        ("a", "b", "choice", "turn"),
        ("prompt", "a", "b", "score_a", "score_b"),
        ("prompt", "answers", "scores"),
        ("prompt", "answers", "ranks"),
        ("prompt", "completion", "label"),
        ("conversation",),
        ("conversation", "label"),
        (),  # what is beside a form that is recognised
    ]
)
_MORE_ROLES = st.lists(st.sampled_from(sorted(_SAID)), max_size=3)
COLUMNS: st.SearchStrategy[dict[str, str] | None] = st.none() | st.tuples(_WHOLE, _MORE_ROLES).flatmap(
    lambda names: st.fixed_dictionaries({name: _SAID[name] for name in (*names[0], *names[1])})
)
TRANSFORM = st.sampled_from([None, None, "fuzzed:same", "fuzzed:twice", "fuzzed:nested", "fuzzed:odd", "fuzzed:fails"])
_TRANSFORMS = """
def same(row): return row
def twice(row): return [row, dict(row)]
def nested(row): return {"data": row, **row, "messages": [row]}
def odd(row): return next(iter(row.values()), None)
def fails(row): return row["prompt"]["text"]
"""


def _check_anything(
    folder: Path, data: bytes, name: str, columns: dict[str, str] | None, transform: str | None
) -> None:
    path = folder / name
    path.write_bytes(data)
    for skip in (False, True):
        refused = _refused(path, columns, transform, skip_bad_rows=skip)
        if refused is not None:
            assert refused.exit_code == 2
            if not skip and "Column '" in refused.what:
                assert f"{name}:" in str(refused.where)
                assert ", column '" in str(refused.where)
            flag = re.search(r"which column is what: --columns (.+?)(?:, with `tiebreak sft`.*)?$", str(refused.fix))
            if flag is not None and transform is None:  # what is proposed makes something of the rows
                (said,) = shlex.split(flag[1])
                load_as_it_is(SourceSpec(str(path)), columns=parse_flag(said), skip_bad_rows=True)


def _refused(
    path: Path, columns: dict[str, str] | None, transform: str | None, *, skip_bad_rows: bool
) -> InputError | None:
    try:
        load_as_it_is(SourceSpec(str(path)), columns=columns, transform=transform, skip_bad_rows=skip_bad_rows)
    except InputError as error:
        return error
    return None


@pytest.fixture(scope="module", autouse=True)
def _fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A module of transforms, which is looked for in the working directory."""
    folder = tmp_path_factory.mktemp("transforms")
    (folder / "fuzzed.py").write_text(_TRANSFORMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


ANYTHING = (
    ROWS.map(lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode())
    | ROWS.map(lambda rows: json.dumps(rows).encode())
    | st.binary(max_size=60)
    | st.text(alphabet='{}[]",:a1\n\\;', max_size=60).map(str.encode),
    st.sampled_from(["data.jsonl", "data.json", "data.csv", "data"]),
    COLUMNS,
    TRANSFORM,
)


@settings(_SHARED, max_examples=60)
@given(*EXACT)
def test_known_pairs_come_back_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, form: Any, rows: Any, name: str, more: list[str]
) -> None:
    _check_exact(tmp_path_factory.mktemp("exact"), form, rows, name, more)


@settings(_SHARED, max_examples=150)
@given(*ANYTHING)
def test_anything_ends_in_rows_or_in_a_refusal(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    name: str,
    columns: dict[str, str] | None,
    transform: str | None,
) -> None:
    _check_anything(tmp_path_factory.mktemp("any"), data, name, columns, transform)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
@settings(_SHARED, max_examples=3000)
@given(*EXACT)
def test_known_pairs_come_back_byte_for_byte_in_many_cases(
    tmp_path_factory: pytest.TempPathFactory, form: Any, rows: Any, name: str, more: list[str]
) -> None:
    _check_exact(tmp_path_factory.mktemp("exact"), form, rows, name, more)


@pytest.mark.endurance
@pytest.mark.timeout(1800)
@settings(_SHARED, max_examples=7000)
@given(*ANYTHING)
def test_anything_ends_in_rows_or_in_a_refusal_in_many_cases(
    tmp_path_factory: pytest.TempPathFactory,
    data: bytes,
    name: str,
    columns: dict[str, str] | None,
    transform: str | None,
) -> None:
    _check_anything(tmp_path_factory.mktemp("any"), data, name, columns, transform)
