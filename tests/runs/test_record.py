"""Records as JSON: frozen, checked, read in any older form, and named where they are damaged or too new."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from tiebreak.errors import InputError
from tiebreak.runs.record import Record, parse_record, read_json, write_record


class Part(Record):
    name: str
    share: float | None = None


class Thing(Record):
    version: int = 3
    form: str = Field("plain", alias="schema")
    parts: tuple[Part, ...] = ()


def _to_2(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**values, "schema": values.get("kind", "plain")}


def _to_3(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**values, "schema": values["schema"].upper()}


def parsed(recorded: object) -> Thing:
    return parse_record(Thing, recorded, what="thing", where="thing.json", version=3, upgrades=(_to_2, _to_3))


@pytest.mark.parametrize(
    ("recorded", "form"),
    [
        ({"kind": "a"}, "A"),
        ({"version": 1, "kind": "a"}, "A"),
        ({"version": 2, "schema": "b"}, "B"),
        ({"version": 3, "schema": "c"}, "c"),
    ],
)
def test_an_older_form_is_upgraded_from_where_it_stands(recorded: dict[str, object], form: str) -> None:
    assert parsed(recorded).form == form


@pytest.mark.parametrize(
    ("recorded", "says"),
    [
        ([1], "it is no JSON object"),
        (None, "it is no JSON object"),
        ({"version": "2"}, '"2" is no version'),
        ({"version": True}, "true is no version"),
        ({"version": 0}, "0 is no version"),
        ({"version": 3, "parts": [{"name": "a"}, {}]}, "parts.1.name: Field required"),
        ({"version": 3, "parts": 5}, "parts: "),
    ],
)
def test_damage_is_named_with_its_key_and_file(recorded: object, says: str) -> None:
    with pytest.raises(InputError, match="The thing is damaged: ") as refused:
        parsed(recorded)
    assert says in refused.value.what
    assert refused.value.where == "thing.json"


def test_what_a_later_version_wrote_is_left_to_it() -> None:
    with pytest.raises(InputError, match="has form 4, and this Tiebreak knows forms up to 3") as refused:
        parsed({"version": 4, "schema": {"new": 1}})
    assert refused.value.fix is not None


def test_keys_of_elsewhere_are_dropped_on_reading() -> None:
    assert parsed({"version": 3, "mood": "good"}) == Thing()


def test_a_record_is_written_and_read_back(tmp_path: Path) -> None:
    thing, path = Thing(form="x", parts=(Part(name="a", share=0.5),)), tmp_path / "thing.json"
    write_record(path, thing)
    assert json.loads(path.read_text())["schema"] == "x"
    assert parsed(read_json(path, what="thing")) == thing


@pytest.mark.parametrize("share", [float("nan"), float("inf")])
def test_what_is_not_finite_is_null(share: float) -> None:
    assert Part(name="a", share=share).to_json() == {"name": "a", "share": None}


def test_a_changed_copy_is_checked_and_the_record_stays() -> None:
    part = Part(name="a")
    assert part.replace(share=1) == Part(name="a", share=1.0)
    assert part.share is None
    with pytest.raises(ValueError, match="Part has no field sahre"):
        part.replace(sahre=1)
    with pytest.raises(ValidationError):
        part.replace(share="much")
    with pytest.raises(ValidationError):
        part.name = "b"  # type: ignore[misc]


def test_a_file_without_json_is_damaged_and_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"version": 1, "par')
    with pytest.raises(InputError, match="The thing is damaged") as refused:
        read_json(tmp_path / "cut.json", what="thing")
    assert refused.value.where == str(tmp_path / "cut.json")
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json", what="thing")
