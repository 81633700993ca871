"""From what a user typed to a run: a path, or a name under `runs/`."""

from __future__ import annotations

import difflib
from pathlib import Path

from tiebreak.errors import InputError
from tiebreak.runs.folder import RUNS, RunFolder, list_runs


def find_run(name: str, parent: Path = RUNS) -> RunFolder:
    """The run that a user named.

    Args:
        name: a run folder, or the name of one in `parent`.
        parent: where runs lie.
    Returns:
        The run.
    Raises:
        InputError: there is no such run; the nearest names are proposed.
    """
    for path in (Path(name).expanduser(), parent / name):
        # An empty name would be the current folder.
        if name.strip() and (path / "recipe.yaml").is_file():
            return RunFolder(path)
    raise InputError(f"There is no run '{name}'.", where=str(parent), fix=_hint(name, parent))


def _hint(name: str, parent: Path) -> str:
    names = [run.path.name for run in list_runs(parent)]
    if not names:
        return "there are no runs here yet; `tiebreak quickstart` makes one"
    near = difflib.get_close_matches(Path(name).name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"the newest runs here: {', '.join(names[:5])}"
