"""What imports what: read from the source by its syntax, with nothing imported.

Knows modules and import statements. Rooms, and what may import what, are in `scripts.rooms`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = "tiebreak"


@dataclass(frozen=True)
class Import:
    """One module that an import statement names.

    Attributes:
        importer: the module that the statement stands in.
        imported: the module that is loaded: of the package with its full name, of a library its first part.
        line: where it stands.
        when_used: it stands in a function, so it is loaded by a call and not by importing the importer.
        for_types: it stands under `if TYPE_CHECKING`, so nothing is ever loaded.
    """

    importer: str
    imported: str
    line: int
    when_used: bool
    for_types: bool


def modules(source: Path = REPOSITORY / "src") -> dict[str, Path]:
    """Every module of the package by its full name, sorted.

    Args:
        source: the folder that the package lies in.
    """
    found = {}
    for path in sorted((source / PACKAGE).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return dict(sorted(found.items()))


def imports(known: Mapping[str, Path]) -> list[Import]:
    """Every import in some modules, those of libraries included.

    Importing a part of the package loads the package itself first, so a bare `import tiebreak` adds nothing and is not
    listed; neither is what a module gets from a name that it looks up while it runs.

    Args:
        known: modules of the package by name.
    """
    return [
        each
        for name, path in known.items()
        for each in _statements(name, ast.parse(path.read_text(encoding="utf-8"), str(path)), known, False, False)
        if each.imported != name
    ]


def _statements(
    name: str, node: ast.AST, known: Mapping[str, Path], when_used: bool, for_types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for imported in _imported(child, known):
            yield Import(name, imported, getattr(child, "lineno", 0), when_used, for_types)
        used = when_used or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for part in child.body:
                yield from _statements(name, ast.Module([part], []), known, used, True)
            for part in child.orelse:
                yield from _statements(name, ast.Module([part], []), known, used, for_types)
        else:
            yield from _statements(name, child, known, used, for_types)


def _imported(node: ast.AST, known: Mapping[str, Path]) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return [_module(each) for each in names if each != PACKAGE]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise ValueError(f"line {node.lineno}: imports are written in full here, without leading dots")
        parent = node.module or ""
        if parent.split(".")[0] != PACKAGE:
            return [_module(parent)]
        inner = (f"{parent}.{alias.name}" for alias in node.names)
        return sorted({each if each in known else _module(parent) for each in inner})
    return []


def _module(name: str) -> str:
    first = name.split(".")[0]
    return name if first == PACKAGE else first  # whether there is such a module is for mypy to say
