"""docs/notebook.ipynb: run from its first cell to its last, with what it shows written into it.

Run it as `make notebook` after a change of the notebook or of what it shows. It runs in an empty folder, by nbclient
(the extra `notebook`); paths of this machine are taken out of what it shows.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
MACHINE = re.compile(r"(?<![\w.:/])/(?:tmp|home|root|work|Users|private|var|mnt|opt|usr)/[^\s'\"<>,;:)\\]*")
"""A path that only this machine has."""


def source_of(cell: Mapping[str, Any]) -> str:
    """The text of a cell, which a file may have as one text or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def script_of(notebook: Mapping[str, Any]) -> str:
    """All code of a notebook as one program."""
    return "\n".join(source_of(cell) for cell in notebook["cells"] if cell["cell_type"] == "code")


def tidied(notebook: Any, folder: str) -> Any:
    """A notebook as it is kept: without paths of this machine, times of cells, and names of kernels.

    Args:
        notebook: as it was run, of plain values.
        folder: that it was run in; paths in it become relative.
    """
    text = json.dumps(notebook, ensure_ascii=False)
    text = MACHINE.sub("…", text.replace(f"{folder}/", "").replace(folder, "."))
    found = json.loads(text)
    found["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(found["cells"]):
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {}
    return found


def executed(notebook: Mapping[str, Any], folder: str) -> Any:
    """A notebook with what its cells show.

    Args:
        notebook: of plain values.
        folder: where it is run.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
    except ImportError:
        sys.exit('The notebook is run by nbclient, which is not installed: pip install "tiebreak[notebook]"')
    node = nbformat.from_dict({**notebook, "cells": [blank(cell) for cell in notebook["cells"]]})
    client = NotebookClient(node, timeout=1200, record_timing=False, resources={"metadata": {"path": folder}})
    client.execute()
    nbformat.validate(node)
    return json.loads(nbformat.writes(node))


def blank(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A cell before it is run, its source as one text."""
    found = {**cell, "source": source_of(cell)}
    return {**found, "outputs": [], "execution_count": None} if cell["cell_type"] == "code" else found


def main() -> None:
    """Run the notebook and write it."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        found = tidied(executed(notebook, folder), folder)
    NOTEBOOK.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
