"""Whether a name is one that people can look up on the Hub, and what to call it in public when it is not.

A path of somebody's machine helps nobody else, and may say more than its owner wants to publish: in public it goes by
its last part.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tiebreak.recipe import Recipe

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_HUB_ID = re.compile(rf"{_PART}(/{_PART})?")
_FILE_ENDINGS = (".json", ".jsonl", ".csv", ".parquet", ".arrow", ".gz", ".zst", ".db", ".sqlite", ".txt", ".zip")
_BUNDLED = "bundled:"
HERE = (Path(),)


def hub_id(name: str | None, roots: Sequence[Path] = HERE) -> str | None:
    """The name if it can be a Hub id, else None.

    Args:
        name: as a recipe has it: a Hub id, a path, or one of the `bundled:` names.
        roots: folders in which a file or folder of that name shows that it is a path.
    """
    if not name or not _HUB_ID.fullmatch(name) or name.endswith((*_FILE_ENDINGS, ".git")):
        return None
    if "--" in name or ".." in name or any((root / name).exists() for root in roots):
        return None
    return name


def public_name(name: str, roots: Sequence[Path] = HERE) -> str:
    """A name as a stranger may read it: a Hub id or a bundled name as it stands, of a path the last part.

    Args:
        name, roots: as for `hub_id`.
    """
    return name if name.startswith(_BUNDLED) or hub_id(name, roots) else last_part(name)


def last_part(name: str) -> str:
    """The last part of a path, a Hub id or a bundled name."""
    return name.rstrip("/\\").replace("\\", "/").split("/")[-1].split(":")[-1] or name


def public_recipe(recipe: Recipe, roots: Sequence[Path] = HERE) -> Recipe:
    """A recipe in which every path is its last part, written so that nobody takes it for a Hub id.

    Args:
        recipe: what ran.
        roots: as for `hub_id`.
    """

    def shown(name: str) -> str:
        public = public_name(name, roots)
        return f"./{public}" if public != name and hub_id(public, ()) else public

    names = {"model.name": recipe.model.name, "data.source": recipe.data.source}
    if recipe.data.eval_source:
        names["data.eval_source"] = recipe.data.eval_source
    return recipe.with_settings({key: shown(name) for key, name in names.items()})


def public_manifest(manifest: Mapping[str, Any], roots: Sequence[Path] = HERE) -> dict[str, Any]:
    """A manifest whose names of model and data are public ones; the account of single rows is left out.

    Args:
        manifest: of the run.
        roots: as for `hub_id`.
    """
    public = copy.deepcopy(dict(manifest))
    for part, key in (("model", "name"), ("data", "source")):
        found = public.get(part)
        if isinstance(found, dict) and isinstance(found.get(key), str):
            found[key] = public_name(found[key], roots)
    if isinstance(public.get("data"), dict):
        public["data"].pop("report", None)
    return public
