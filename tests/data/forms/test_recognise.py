"""The form of a source is seen in its rows; what is not known, or for another task, is said with what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.data.files import load, pairs, unpaired, write
from tiebreak.data.forms.recognise import WrongTask
from tiebreak.errors import InputError


def _refused(path: Path, **settings: object) -> str:
    with pytest.raises(InputError) as error:
        load(path, **settings)
    assert error.value.exit_code == 2
    return str(error.value)


def test_an_unknown_schema_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", pairs(1))
    said = _refused(path, schema="transcrpt")
    assert "did you mean 'transcript'?" in said


def test_unknown_columns_are_answered_with_the_nearest_form_and_the_command(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "a", "choosen": "b", "rejected": "c"}])
    said = _refused(path)
    assert "what is missing is 'chosen' (is it 'choosen'?)" in said
    assert "--columns prompt=prompt,chosen=choosen,rejected=rejected" in said
    assert len(said) < 600


def test_rows_of_one_answer_are_not_told_of_columns_that_they_do_not_have(tmp_path: Path) -> None:
    said = _refused(write(tmp_path / "other.jsonl", [{"question": "a", "reply": "b"}]))
    assert "question, reply" in said
    assert "--columns prompt=question,completion=reply" in said
    assert "tiebreak sft" in said


def test_demonstrations_have_no_labels_and_are_no_pairs(tmp_path: Path) -> None:
    path = write(tmp_path / "data.jsonl", [{"prompt": "2+2?", "completion": "4"}])
    for schema in ("auto", "prompt-completion"):
        with pytest.raises(InputError, match="nothing says whether an answer is good") as error:
            unpaired(path, schema=schema)
        assert "a column 'label'" in str(error.value)
    with pytest.raises(InputError, match="nothing that it is better or worse than") as error:
        load(path)
    assert "tiebreak sft" in str(error.value)


def test_a_refusal_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(WrongTask("unpaired", "preference", "data.jsonl")))
    assert (error.found, error.wanted, error.where) == ("unpaired", "preference", "data.jsonl")
    assert str(error) == str(WrongTask("unpaired", "preference", "data.jsonl"))
