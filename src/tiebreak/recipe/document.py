"""A text of YAML as plain values, in which no key is given twice: YAML itself lets the last one win, unsaid."""

from __future__ import annotations

from typing import Any

import yaml


class DuplicateKeyError(yaml.YAMLError):
    """A mapping has a key twice.

    Args:
        key: as it is written.
        lines: of the text, counted from 1; the earlier one first.
    """

    def __init__(self, key: str, lines: tuple[int, int]) -> None:
        super().__init__(f"The key '{key}' is given twice, in {_said(lines)}")
        self.key = key
        self.lines = lines


def read_document(text: str) -> Any:
    """The values that a text of YAML holds.

    Args:
        text: of a file, or of one value.
    Raises:
        DuplicateKeyError: a mapping has a key twice.
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, Loader=_Loader)


class _Loader(yaml.SafeLoader):
    """Looks at mappings as they are written, before merged ones (`<<`), which a key may well replace."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in seen:
                raise DuplicateKeyError(key.value, (seen[name], line))
            seen[name] = line
        return node


def _said(lines: tuple[int, int]) -> str:
    return f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]} and {lines[1]}"
