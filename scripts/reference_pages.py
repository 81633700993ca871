"""The reference of the documentation site: a page for each room of the package, made from its docstrings.

MkDocs calls these two hooks (see mkdocs.yml). The pages are nowhere on the disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.imports import PACKAGE, modules
from scripts.rooms import ROOMS, Room, room_of, shown


def on_config(config: MkDocsConfig) -> None:
    """Add the reference to the menu."""
    rooms = [{shown(room): _page(room)} for room in sorted(ROOMS, key=lambda room: room.name) if room.name]
    config.nav = [*(config.nav or []), {"Reference": [_page(room) for room in ROOMS if not room.name] + rooms}]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference."""
    for room in ROOMS:
        files.append(File.generated(config, _page(room), content=_text(room)))
    return files


def _page(room: Room) -> str:
    return f"reference/{shown(room)}.md"


def _text(room: Room) -> str:
    if not room.name:
        return (
            "# The Python API\n\nEverything that `import tiebreak` offers. The rooms below it can be imported too, "
            f"but may change from version to version.\n\n::: {PACKAGE}\n    options:\n      show_root_heading: false\n"
        )
    named = (name for name in modules() if all(part.isidentifier() for part in name.split(".")))  # migrations are not
    held = [name for name in named if room_of(name) == room]
    return "\n\n".join([f"# {PACKAGE}.{room.name}", *(f"::: {name}" for name in held)]) + "\n"
