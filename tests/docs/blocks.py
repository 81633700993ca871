"""The fenced blocks of the documents, and the commands in those that are for a shell. Runs nothing."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md")
    for path in REPOSITORY.glob(pattern)
    if path.name != "CHANGELOG.md"
)
WRITTEN = [path for path in DOCUMENTS if path.name != "modules.md"]
"""Those that are written by hand."""

_FENCE = re.compile(r"^( *)(```+)(\w*)\s*$")
_NOT_RUN = re.compile(r"^<!-- not run: (.+) -->$")
_IS_FILE = re.compile(r"in `(\w+\.py)`:$")
_INLINE = re.compile(r"(?<!`)`(tiebreak [^`]+)`(?!`)")
_KEYWORDS = ("do", "then", "else", "if", "while", "fi", "done")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        path, line: where it begins.
        language: as its fence says; empty where it says nothing.
        text: what is in it.
        not_run: why it is not run, from a comment before it (`<!-- not run: it needs the Hub -->`).
        file: what the reader calls it, where the line before ends in "in `NAME.py`:".
    """

    path: Path
    line: int
    language: str
    text: str
    not_run: str | None = None
    file: str | None = None

    @property
    def where(self) -> str:
        """Its file and line, for people."""
        return f"{self.path.relative_to(REPOSITORY)}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """The fenced blocks of a document.

    Raises:
        ValueError: one is not closed.
    """
    found: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    number, before = 0, ""
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        if fence is None:
            before = lines[number].strip() or before
            number += 1
            continue
        indent, mark, language = fence.groups()
        closing = next((n for n in range(number + 1, len(lines)) if lines[n].strip() == mark), None)
        if closing is None:
            raise ValueError(f"{path}:{number + 1}: this block is not closed")
        text = "\n".join(line.removeprefix(indent) for line in lines[number + 1 : closing])
        reason, file = _NOT_RUN.match(before), _IS_FILE.search(before)
        found.append(Block(path, number + 1, language, text, reason and reason[1], file and file[1]))
        before, number = "", closing + 1
    return found


def write_files_of(path: Path, folder: Path) -> None:
    """Write the files that a document has its reader write."""
    for block in blocks_of(path):
        if block.file is not None:
            (folder / block.file).write_text(block.text + "\n", encoding="utf-8")


def inline_commands(path: Path) -> list[str]:
    """What stands in backticks and begins with `tiebreak`, outside of blocks."""
    text = path.read_text(encoding="utf-8")
    return _INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.S | re.M).replace("\n", " "))


def commands_of(script: str) -> list[list[str]]:
    """The simple commands of a shell script, as words: no keywords, assignments, comments or redirections.

    Variables have the value that they get first. What a shell does with conditions and loops is of no matter here:
    every command is there once.
    """
    values: dict[str, str] = {}
    found = []
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$:,@%=[]{}…"
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";&|"):
                found.append(_simple(command, values))
                command = []
            else:
                command.append(word)
    return [command for command in found if command]


def _simple(words: list[str], values: dict[str, str]) -> list[str]:
    while words and words[0] in _KEYWORDS:
        words = words[1:]
    if words[:1] == ["for"]:
        values.setdefault(words[1], words[3])
        return []
    while words and (assignment := re.fullmatch(r"(\w+)=(.*)", words[0])):
        values.setdefault(assignment[1], assignment[2])
        words = words[1:]
    words = [re.sub(r"\$(\w+)", lambda name: values.get(name[1], name[0]), word) for word in words]
    redirected = next((index for index, word in enumerate(words) if set(word) <= set("<>")), len(words))
    return words[:redirected]
