"""What must never import what (docs/architecture.md), read from the source by its syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from scripts.draw_map import differences, draw, listed, outdated
from scripts.imports import PACKAGE, Import, imports, modules
from scripts.rooms import HEAVY, ROOMS, Room, forbidden, room_of, shown


@cache
def _found() -> list[Import]:
    return imports(modules())


def _inner(found: Iterable[Import]) -> list[Import]:
    return [each for each in found if each.imported.split(".")[0] == PACKAGE]


def _room(module: str) -> Room:
    room = room_of(module)
    assert room is not None, f"{module} is in no room: name it in scripts/rooms.py"
    return room


def _where(each: Import) -> str:
    return f"{modules()[each.importer]}:{each.line}: {each.importer} imports {each.imported}"


def test_every_module_is_in_a_room_and_every_room_has_modules() -> None:
    held = {_room(module).name for module in modules()}
    assert held == {room.name for room in ROOMS}
    missing = [part for room in ROOMS for part in room.holds if part not in modules()]
    assert not missing, "rooms.py names what is not there"


def test_a_room_imports_only_from_rooms_below_it() -> None:
    wrong = []
    for each in _inner(_found()):
        why = forbidden(_room(each.importer), _room(each.imported))
        if why is not None:
            wrong.append(f"{_where(each)}; {why}")
    assert not wrong, "\n".join(wrong)


def test_what_a_room_may_know_is_what_it_knows() -> None:
    """A permission that nobody uses is a hole in the rule."""
    known = {(_room(each.importer).name, _room(each.imported).name) for each in _inner(_found())}
    unused = [f"{shown(room)}: {name}" for room in ROOMS for name in room.only or () if (room.name, name) not in known]
    assert not unused


def test_no_module_imports_itself_through_others() -> None:
    """Types aside, which load nothing: there no module is needed before it is there."""
    following: dict[str, set[str]] = {}
    for each in _inner(_found()):
        if not each.for_types:
            following.setdefault(each.importer, set()).add(each.imported)
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " imports ".join((*way[way.index(module) :], module))
        if module in done:
            return
        for further in sorted(following.get(module, ())):
            follow(further, (*way, module))
        done.add(module)

    for module in modules():
        follow(module, ())


def _at_once(each: Import) -> bool:
    return not each.when_used and not each.for_types


def test_large_libraries_are_imported_at_once_only_where_they_are_the_work() -> None:
    wrong = [
        _where(each)
        for each in _found()
        if _at_once(each) and each.imported in HEAVY and each.imported not in _room(each.importer).heavy
    ]
    assert not wrong, "\n".join(["import these where they are used, in the function:", *wrong])


@pytest.mark.parametrize("module", ["tiebreak", "tiebreak.cli.main"])
def test_nothing_large_is_loaded_to_answer_help(module: str) -> None:
    following: dict[str, list[str]] = {}
    for each in _found():
        if _at_once(each):
            following.setdefault(each.importer, []).append(each.imported)
    loaded, waiting = {module}, [module]
    while waiting:
        # A module's packages are loaded before it.
        name = waiting.pop()
        parts = name.split(".")
        parents = [".".join(parts[:end]) for end in range(1, len(parts))]
        new = {*following.get(name, ()), *parents} - loaded
        loaded |= new
        waiting += new
    assert not loaded & (HEAVY | {"numpy", "pydantic"})


def test_the_map_is_of_this_code() -> None:
    assert outdated(draw(), listed()) is None


def test_a_picture_of_other_code_is_noticed() -> None:
    picture = draw()
    assert not differences(picture, picture)
    assert differences(picture, picture.replace(">engine<", ">engines<"))
    assert differences(picture, picture.replace("</svg>", '<path d="M0 0"/></svg>'))
    assert differences(picture, re.sub(r"\d+ lines", "1 lines", picture))


def test_the_rule_finds_what_is_wrong(tmp_path: Path) -> None:
    package = tmp_path / PACKAGE
    (package / "objectives").mkdir(parents=True)
    (package / "cli").mkdir()
    (package / "__init__.py").touch()
    (package / "cli" / "main.py").write_text("def run():\n    return 1\n")
    (package / "objectives" / "dpo.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import gradio.blocks\n"
        "def loss():\n    from tiebreak.cli.main import run\n    return run()\n"
    )
    found = imports(modules(tmp_path))
    inner, outer = _inner(found), [each for each in found if each.imported == "gradio"]
    assert [(each.importer, each.imported, each.when_used) for each in inner] == [
        ("tiebreak.objectives.dpo", "tiebreak.cli.main", True)
    ]
    assert [(each.for_types, each.line) for each in outer] == [(True, 3)]
    assert forbidden(_room("tiebreak.objectives.dpo"), _room("tiebreak.cli.main")) == "cli is not below objectives"
    assert forbidden(_room("tiebreak.engine"), _room("tiebreak.votes")) == "engine knows nothing of votes"
    assert forbidden(_room("tiebreak.cli.main"), _room("tiebreak.objectives.dpo")) is None
