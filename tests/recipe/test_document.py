"""YAML in which a key is given twice is refused, with both lines; merged mappings may be overridden."""

from __future__ import annotations

import pytest
import yaml

from tiebreak.recipe.document import DuplicateKeyError, read_document


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("a: 1\nb: 2\na: 3", "a", (1, 3)),
        ("train:\n  seed: 1\n\n  seed: 1", "seed", (2, 4)),
        ("{a: 1, a: 2}", "a", (1, 1)),
        ("a: 1\n'a': 2", "a", (1, 2)),
        ("list:\n- x: 1\n  x: 2", "x", (2, 3)),
    ],
)
def test_a_key_twice_is_refused(text: str, key: str, lines: tuple[int, int]) -> None:
    with pytest.raises(DuplicateKeyError) as caught:
        read_document(text)
    assert (caught.value.key, caught.value.lines) == (key, lines)


@pytest.mark.parametrize(
    "text",
    [
        "a: {x: 1}\nb: {x: 1}",
        "base: &a {x: 1}\nb: {<<: *a, x: 2}\nc: {<<: [*a, *a]}",
        "1: a\n'1': b",
        "",
        "[a, a]",
        "5",
    ],
)
def test_all_else_is_read_as_yaml_reads_it(text: str) -> None:
    assert read_document(text) == yaml.safe_load(text)
