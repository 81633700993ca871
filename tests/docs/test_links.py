"""Every link in the documents that stays in the repository leads somewhere: to a file, and to a heading of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docs.blocks import DOCUMENTS, WRITTEN

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SOURCES = REPOSITORY / "src" / "tiebreak"
_MADE = "reference/"  # pages of the site that are made from docstrings
_DOCUMENTS = [*DOCUMENTS, REPOSITORY / "CHANGELOG.md"]


def _text(path: Path) -> str:
    """A document without its blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)


def _headings(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub and MkDocs write them."""
    titles = re.findall(r"^#+ (.*)$", _text(path), flags=re.M)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title)) for title in titles)
    return {title.strip().lower().replace(" ", "-") for title in plain}


def _wrong(path: Path) -> list[str]:
    wrong = []
    for link in _LINK.findall(_text(path)):
        if "://" in link or link.startswith((_MADE, "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in _headings(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    assert not _wrong(path)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A title: it is `here`\n[a](page.md#a-title-it-is-here) [b](#nowhere) [c](gone.md) [d](https://x.y)"
    )
    assert _wrong(page) == ["#nowhere", "gone.md"]


def test_every_guide_is_reachable_from_the_readme() -> None:
    """By links, from page to page."""
    seen: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        names = (link.partition("#")[0] for link in _LINK.findall(_text(path)) if "://" not in link)
        waiting += [target for name in names if (target := (path.parent / name).resolve()).suffix == ".md"]
    missing = set(DOCUMENTS) - seen - {REPOSITORY / "docs" / "index.md"}
    assert not missing


def test_files_that_are_named_exist() -> None:
    """Paths in backticks, from the repository or the package; ROOM stands for any room."""
    wrong = []
    for path in WRITTEN:
        named = re.findall(r"`((?:src|tests|docs|scripts|benchmarks)/[\w./-]+|[\w./-]+/\w+\.py)`", _text(path))
        for name in named:
            if "ROOM" not in name and not any((home / name).exists() for home in (REPOSITORY, _SOURCES)):
                wrong.append(f"{path.name}: {name}")
    assert not wrong
