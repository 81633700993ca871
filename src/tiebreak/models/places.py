"""Where on this disk the name of a model leads: `bundled:base`, a run, a loop, a folder, a GGUF file; or nowhere here.

Looks at names of files alone; imports neither torch nor transformers, so that a wrong name is found in a moment.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from tiebreak.bundled import base_model_path
from tiebreak.errors import InputError
from tiebreak.models.folder import ADAPTER_CONFIG, CONFIG, is_among_runs, near_models
from tiebreak.models.gguf import SUFFIX, is_gguf_name
from tiebreak.runs.loop import LoopFolder

BUNDLED = "bundled:base"


def place_of(name: str) -> Path | None:
    """The folder or the GGUF file that a name stands for; None where it can only be an id of the Hub.

    Args:
        name: `bundled:base`, a run folder, a loop, a folder with a model, a GGUF file, or a Hub id.
    Raises:
        InputError: the name can be none of these.
    """
    if name == BUNDLED:
        return base_model_path()
    if name.startswith("bundled:"):
        raise InputError(f"There is no bundled model '{name}'.", where="model.name", fix=f"the one there is: {BUNDLED}")
    path = Path(name).expanduser()
    if not name:
        raise InputError("The model has no name.", where="model.name")
    if is_gguf_name(name) and not path.is_dir():
        if not path.exists():
            raise InputError(f"There is no file '{name}'.", where="model.name", fix=_near_file(path))
        return path
    loop = LoopFolder(path)
    if loop.exists:
        return place_of(loop.current())
    if (path / "recipe.yaml").is_file():
        if not _has_model(path / "model"):
            raise InputError(
                f"The run '{name}' has no finished model yet.",
                where=str(path / "model"),
                fix=f"finish it with: tiebreak train --out {name} --resume",
            )
        return path / "model"
    if path.is_dir():
        files = sorted(path.glob(f"*{SUFFIX}"))
        if files and not _has_model(path):
            raise InputError(f"The folder '{name}' holds GGUF files: name one.", where="model.name", fix=str(files[0]))
        return path
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or ("/" in name and is_among_runs(path))
    if path.exists() or is_path:
        raise InputError(f"There is no model folder '{name}'.", where="model.name", fix=near_models(path, name))
    return None


def _has_model(folder: Path) -> bool:
    return any((folder / config).is_file() for config in (CONFIG, ADAPTER_CONFIG))


def _near_file(path: Path) -> str:
    """What to do where there is no such file: the one that is called nearly the same, if there is one."""
    there = [file.name for file in path.parent.glob("*") if is_gguf_name(file.name)] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, there, n=1)
    return f"did you mean '{path.with_name(near[0])}'?" if near else "check the path"
