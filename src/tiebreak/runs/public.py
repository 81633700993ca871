"""What of a run strangers may read: recipe and manifest with public names, and the paths that stand in no upload.

Knows what holds a name of this machine; what is a name of the Hub is known to `formatting.hub_names`.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from tiebreak.formatting.hub_names import HERE, hub_id, last_part, public_name
from tiebreak.recipe import Recipe
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.manifest import Manifest


def run_roots(run: RunFolder) -> tuple[Path, ...]:
    """Where the run may have been started, so that a folder named there is not taken for a Hub id."""
    here = run.path.resolve()
    return (Path(), here.parent, here.parent.parent)


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


def public_manifest(manifest: Manifest, roots: Sequence[Path] = HERE) -> Manifest:
    """A manifest whose names of model and data are public ones; what it says of single rows and commands is dropped.

    Args:
        manifest: of the run.
        roots: as for `hub_id`.
    """
    model, data = manifest.model, manifest.data
    return manifest.replace(
        commands=(),
        model=None if model is None else model.replace(name=public_name(model.name, roots)),
        data=None if data is None else data.replace(source=public_name(data.source, roots), report=None),
    )


def private_names(run: RunFolder, recipe: Recipe, roots: tuple[Path, ...]) -> dict[str, str]:
    """Paths that must not be published, with what stands for them; the longest first."""
    paths = {str(path): path.name for path in (run.path, run.path.resolve()) if "/" in str(path)}
    for name in (recipe.model.name, recipe.data.source, recipe.data.eval_source or ""):
        if not name or public_name(name, roots) == name:
            continue
        spelled = {name, *(str((root / Path(name).expanduser()).resolve()) for root in roots)}
        paths |= {path: last_part(name) for path in spelled if "/" in path}
    paths |= {html.escape(path): html.escape(name) for path, name in paths.items()}
    return dict(sorted(paths.items(), key=lambda item: -len(item[0])))
