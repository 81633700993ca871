"""The file of a page: what may be written to, before any work is done, and the page whole or not at all."""

from __future__ import annotations

from pathlib import Path

from tiebreak.errors import InputError, RunError
from tiebreak.files import write_text
from tiebreak.runs.sheet import check_new_file

PAGE = ".html"


def check_page(path: Path, *, force: bool = False, where: str = "--out") -> None:
    """Refuse a page's file.

    Args:
        path: of the page.
        force: a file that exists may be replaced.
        where: what names it, for errors.
    Raises:
        InputError: it does not end in .html, it exists, or its folder is not there or cannot be written to.
    """
    if path.suffix.lower() != PAGE:
        raise InputError(f"'{path}' is no page.", where=where, fix=f"name a file that ends in {PAGE}")
    check_new_file(path, force=force, where=where)


def write_page(path: Path, page: str) -> None:
    """Write a page; the file is there whole or not at all.

    Raises:
        RunError: the disk does not take it.
    """
    try:
        write_text(path, page)
    except OSError as error:
        raise RunError(
            f"The page cannot be written: {error.strerror or error}.",
            where=str(path),
            fix="make room, or name another file",
        ) from None
