"""Draws the map of the package: its rooms as boxes, the imports between them as arrows that go down; and lists modules.

    python -m scripts.draw_map            write docs/images/architecture.svg and docs/modules.md
    python -m scripts.draw_map --check    say whether those still show this code

The same code gives the same bytes. Rows are those of `scripts.rooms`. An arrow that others imply (A imports B, B
imports C, A imports C) is not drawn, and neither are arrows to the floor, which every room may use.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from scripts.imports import PACKAGE, REPOSITORY, imports, modules
from scripts.rooms import FLOOR, MAP, ROOMS, Room, on_floor, room_of, shown

PICTURE = REPOSITORY / "docs" / "images" / "architecture.svg"
LIST = REPOSITORY / "docs" / "modules.md"

_WIDTH, _BOX, _HEIGHT, _ROW = 1240, 212, 62, 104
_TOP, _MARGIN = 64, 24
_COLUMN = (_WIDTH - 2 * _MARGIN) / 5
_STEP = 7  # between two arrows that run beside each other
_COLOURS = {
    "outside": "#57606a",
    "serve": "#b35900",
    "train": "#1a7f37",
    "data": "#0969da",
    "runs": "#8250df",
    "bundled": "#bf3989",
    "floor": "#6e7781",
}
# How far the numbers in the picture may be from the code before it has to be drawn again.
_TOLERANCE = 0.25


@dataclass(frozen=True)
class _Box:
    room: Room
    left: float
    top: float
    modules: int
    lines: int

    @property
    def middle(self) -> float:
        return self.left + _BOX / 2

    @property
    def bottom(self) -> float:
        return self.top + _HEIGHT


def draw() -> str:
    """The map as SVG."""
    known = modules()
    sizes: dict[str, list[int]] = {}
    for name, path in known.items():
        room = room_of(name)
        if room is None:
            raise ValueError(f"{name} is in no room: name it in scripts/rooms.py")
        sizes.setdefault(room.name, []).append(len(path.read_text(encoding="utf-8").splitlines()))
    edges = set()
    for each in imports(known):
        if each.imported.split(".")[0] == PACKAGE:
            importer, imported = room_of(each.importer), room_of(each.imported)
            if importer is None or imported is None or importer == imported or on_floor(importer) or on_floor(imported):
                continue
            edges.add((importer.name, imported.name))
    floor_top = _TOP + len(MAP) * _ROW + 30
    boxes = _placed(MAP, sizes, _TOP, _ROW)
    floor = _placed(FLOOR, sizes, floor_top + 42, _HEIGHT + 14)
    height = floor_top + 42 + len(FLOOR) * (_HEIGHT + 14) + 14
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' font-family="system-ui, sans-serif">',
        "<title>The rooms of tiebreak and what imports what</title>",
        "<defs>"
        + "".join(
            f'<marker id="{area}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
            for area, colour in _COLOURS.items()
        )
        + "</defs>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="36" font-size="19" font-weight="600" fill="#1f2328">src/tiebreak</text>',
        f'<text x="{_WIDTH - _MARGIN}" y="36" font-size="13" fill="#57606a" text-anchor="end">an arrow: imports; '
        "arrows that others imply are not drawn</text>",
        *_arrows(boxes, _reduced(edges)),
        *map(_drawn_box, boxes.values()),
        f'<rect x="{_MARGIN / 2}" y="{floor_top}" width="{_WIDTH - _MARGIN}" height="{height - floor_top - 10}" '
        'rx="10" fill="#f6f8fa" stroke="#d0d7de"/>',
        f'<text x="{_MARGIN}" y="{floor_top + 26}" font-size="13" fill="#57606a">the floor: every room above may '
        "import these</text>",
        *map(_drawn_box, floor.values()),
        "</svg>",
    ]
    return "\n".join(drawn) + "\n"


def listed() -> str:
    """Every module in one line, room by room from the roof down, as Markdown."""
    known = modules()
    text = [
        "# Every module in one line",
        "Room by room, from the top of the [map](architecture.md) down. Written by `make map` from the first lines of\n"
        "the modules; the reference of the site (`make docs`) has the rest.",
    ]
    for room in ROOMS:
        held = {name: path for name, path in known.items() if room_of(name) == room}
        rows = [f"| `{_file(path)}` | {_first_line(path)} |" for path in held.values()]
        text += [f"## {shown(room)}", "\n".join(["| | |", "|---|---|", *rows])]
    return "\n\n".join(text) + "\n"


def _file(path: Path) -> str:
    return path.relative_to(REPOSITORY / "src" / PACKAGE).as_posix()


def _first_line(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split()).replace("|", "\\|")


def differences(picture: str, now: str) -> str | None:
    """What a picture does not show as it is now; None where it does. Counts may be off by a quarter.

    Args:
        picture: as it was drawn.
        now: as it would be drawn.
    """
    count = re.compile(r"([\d,]+) (modules?|lines)")
    if count.sub("", picture) != count.sub("", now):
        return "other rooms or other imports"
    numbers = ([int(number.replace(",", "")) for number, _ in count.findall(text)] for text in (picture, now))
    far = [(old, new) for old, new in zip(*numbers, strict=True) if abs(old - new) > max(2, _TOLERANCE * new)]
    return "rooms have grown or shrunk by over a quarter" if far else None


def _placed(
    rows: Sequence[Sequence[Room]], sizes: Mapping[str, Sequence[int]], top: float, height: float
) -> dict[str, _Box]:
    boxes = {}
    for number, row in enumerate(rows):
        gap = (_WIDTH - 2 * _MARGIN - len(row) * _BOX) / (len(row) + 1)
        for place, room in enumerate(row):
            left = _MARGIN + gap + place * (_BOX + gap)
            if room.column is not None:
                left = _MARGIN + _COLUMN / 2 - _BOX / 2 + room.column * _COLUMN
            lines = sizes[room.name]
            boxes[room.name] = _Box(room, left, top + number * height, len(lines), sum(lines))
    return boxes


def _reduced(edges: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges that no chain of others implies, sorted."""
    following: dict[str, set[str]] = {}
    for start, end in edges:
        following.setdefault(start, set()).add(end)

    def reached(start: str) -> set[str]:
        found: set[str] = set()
        waiting = list(following.get(start, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += following.get(name, ())
        return found

    further = {start: set().union(*(reached(name) for name in ends)) for start, ends in following.items()}
    return sorted((start, end) for start, end in edges if end not in further[start])


def _arrows(boxes: Mapping[str, _Box], edges: Sequence[tuple[str, str]]) -> list[str]:
    taken: dict[tuple[float, float], int] = {}
    ways = {edge: _way(boxes, *edge, taken) for edge in edges}
    starts: dict[str, list[tuple[str, str]]] = {}
    ends: dict[str, list[tuple[str, str]]] = {}
    for edge in edges:
        starts.setdefault(edge[0], []).append(edge)
        ends.setdefault(edge[1], []).append(edge)
    drawn = []
    for edge, way in ways.items():
        start, end = boxes[edge[0]], boxes[edge[1]]
        out = sorted(starts[edge[0]], key=lambda each: (_towards(ways[each], boxes[each[1]], 0), each))
        into = sorted(ends[edge[1]], key=lambda each: (_towards(ways[each], boxes[each[0]], -1), each))
        x, y = _port(start, out.index(edge), len(out)), start.bottom
        steps = [f"M{x:.0f} {y:.0f}"]
        for channel, top in way:
            steps += [_curve(x, y, channel, top - 8), f"L{channel:.0f} {top + _HEIGHT + 8:.0f}"]
            x, y = channel, top + _HEIGHT + 8
        steps.append(_curve(x, y, _port(end, into.index(edge), len(into)), end.top - 1))
        area = start.room.area
        drawn.append(
            f'<path d="{"".join(steps)}" fill="none" stroke="{_COLOURS[area]}" stroke-width="1.6" '
            f'stroke-opacity="0.75" marker-end="url(#{area})"><title>{shown(start.room)} imports {shown(end.room)}'
            "</title></path>"
        )
    return drawn


def _way(
    boxes: Mapping[str, _Box], start: str, end: str, taken: dict[tuple[float, float], int]
) -> list[tuple[float, float]]:
    """Where an arrow passes between the boxes of the rows that it crosses: x, and the top of the row."""
    first, last = boxes[start], boxes[end]
    way = []
    x = first.middle
    for top in sorted({box.top for box in boxes.values() if first.top < box.top < last.top}):
        row = sorted((box for box in boxes.values() if box.top == top), key=lambda box: box.left)
        sides = [_MARGIN / 2, *(side for box in row for side in (box.left, box.left + _BOX)), _WIDTH - _MARGIN / 2]
        share = (top - first.top) / (last.top - first.top)
        straight = first.middle + share * (last.middle - first.middle)
        wanted = (x + straight + last.middle) / 3
        gaps = [(left + 16, right - 16) for left, right in zip(sides[::2], sides[1::2], strict=True)]
        gaps = [gap for gap in gaps if gap[0] <= gap[1]]
        x = min((min(max(wanted, left), right) for left, right in gaps), key=lambda place: abs(place - wanted))
        x = _free(round(x / _STEP) * _STEP, top, taken, next(gap for gap in gaps if gap[0] - 1 <= x <= gap[1] + 1))
        way.append((x, top))
    return way


def _free(x: float, top: float, taken: dict[tuple[float, float], int], gap: tuple[float, float]) -> float:
    """The nearest channel that no other arrow has taken."""
    middle = (gap[0] + gap[1]) / 2
    side = 1 if x <= middle else -1
    while (x, top) in taken:
        x += side * _STEP
    taken[x, top] = 1
    return x


def _towards(way: Sequence[tuple[float, float]], other: _Box, index: int) -> float:
    return way[index][0] if way else other.middle


def _port(box: _Box, number: int, count: int) -> float:
    return box.left + _BOX * (number + 1) / (count + 1)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_y - y) * 0.55
    return f"C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y:.0f}"


def _drawn_box(box: _Box) -> str:
    colour, middle = _COLOURS[box.room.area], box.middle
    size = f"{box.modules} module{'s' if box.modules != 1 else ''} · {box.lines:,} lines"
    return (
        f'<g text-anchor="middle"><rect x="{box.left:.0f}" y="{box.top:.0f}" width="{_BOX}" height="{_HEIGHT}" rx="7" '
        f'fill="#ffffff" stroke="{colour}" stroke-width="1.6"/>'
        f'<text x="{middle:.0f}" y="{box.top + 20:.0f}" font-size="14.5" font-weight="600" fill="{colour}">'
        f"{escape(shown(box.room))}</text>"
        f'<text x="{middle:.0f}" y="{box.top + 37:.0f}" font-size="11.5" fill="#1f2328">'
        f"{escape(box.room.caption)}</text>"
        f'<text x="{middle:.0f}" y="{box.top + 53:.0f}" font-size="11" fill="#57606a">{size}</text></g>'
    )


def main() -> None:
    """Write the picture, or check it."""
    parser = argparse.ArgumentParser(description="Draw the map of the package.")
    parser.add_argument("--check", action="store_true", help="only say whether the picture shows this code")
    picture, modules_now = draw(), listed()
    if not parser.parse_args().check:
        PICTURE.write_text(picture, encoding="utf-8")
        LIST.write_text(modules_now, encoding="utf-8")
        return
    wrong = outdated(picture, modules_now)
    if wrong is not None:
        sys.exit(f"{wrong}. Draw it again: make map")


def outdated(picture: str, modules_now: str) -> str | None:
    """What is in the repository and no longer shows the code; None where all does.

    Args:
        picture, modules_now: as they would be written.
    """
    if not PICTURE.exists() or not LIST.exists():
        return "There is no map"
    wrong = differences(PICTURE.read_text(encoding="utf-8"), picture)
    if wrong is not None:
        return f"{PICTURE.relative_to(REPOSITORY)} does not show this code: {wrong}"
    if LIST.read_text(encoding="utf-8") != modules_now:
        return f"{LIST.relative_to(REPOSITORY)} does not list these modules"
    return None


if __name__ == "__main__":
    main()
