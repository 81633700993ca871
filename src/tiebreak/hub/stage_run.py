"""From a finished run to the folder that is uploaded: weights, tokenizer, card, report, curves, recipe, metrics.

The same for a push and for a dry run. Nothing in it names a folder of this machine but by its last part.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.hub.picture import write_picture
from tiebreak.hub.staged import Staged, staged
from tiebreak.recipe import Recipe
from tiebreak.report.card import model_card
from tiebreak.report.curves import figures
from tiebreak.report.hub_ids import hub_id, last_part, public_manifest, public_name, public_recipe
from tiebreak.report.page import render
from tiebreak.report.publication import Form, Publication
from tiebreak.report.samples import read_samples
from tiebreak.runs.entries import text, with_kind
from tiebreak.runs.folder import RunFolder
from tiebreak.runs.metrics import read_metrics

_CARD, _PICTURE = "README.md", "curves.png"
_ADAPTER_CONFIG = "adapter_config.json"
_TOKENIZER = ("tokenizer", "special_tokens_map", "added_tokens", "vocab", "merges", "chat_template", "spiece")
_SCRUBBED = (".md", ".html", ".json", ".jsonl", ".yaml", ".svg")


@dataclass(frozen=True)
class Choice:
    """What of a run is uploaded, and where to.

    Attributes:
        repo: the Hub id.
        merge: of an adapter run, plain weights with the adapter merged in.
        adapter_only: of an adapter run, the adapter and its card alone.
        revision: the branch; None is the default one.
        license: of the base model, where the run does not know it.
    """

    repo: str
    merge: bool = False
    adapter_only: bool = False
    revision: str | None = None
    license: str | None = None


def check_choice(run: RunFolder, choice: Choice) -> Form:
    """Find out what cannot be uploaded, before any work is done.

    Args:
        run: the run.
        choice: what of it is asked for.
    Returns:
        What the uploaded weights will be.
    Raises:
        InputError: the run is not finished or holds no model, or the choice does not fit it.
    """
    status = text(run.manifest(), "status") or "not begun"
    if status != "finished":
        raise InputError(
            f"The run '{run.path}' is not finished ({status}).",
            where=str(run.manifest_path),
            fix=f"finish it with: tiebreak train --out {run.path} --resume",
        )
    adapter = (run.model / _ADAPTER_CONFIG).is_file() and not (run.model / "config.json").is_file()
    if not (adapter or (run.model / "config.json").is_file()) or not any(run.model.glob("*.safetensors")):
        raise InputError(
            f"The run '{run.path}' has no whole model.", where=str(run.model), fix="restore the folder, or train again"
        )
    if choice.merge and choice.adapter_only:
        raise InputError(
            "--merge uploads whole weights and --adapter-only none of them.", where="--merge", fix="give one of the two"
        )
    if not adapter and (choice.merge or choice.adapter_only):
        flag = "--merge" if choice.merge else "--adapter-only"
        raise InputError(
            f"{flag} is for runs that trained an adapter; '{run.path}' trained the whole model.",
            where=flag,
            fix="leave it out",
        )
    return "model" if not adapter else "merged" if choice.merge else "adapter"


def stage_run(run: RunFolder, to: Path, choice: Choice) -> Staged:
    """Put everything that is uploaded into a folder.

    Args:
        run: a finished run.
        to: an empty folder; weights are linked into it where they are uploaded as they stand.
        choice: what is uploaded.
    Raises:
        InputError: as for `check_choice`, or a file is larger than the Hub takes.
    """
    form = check_choice(run, choice)
    if form == "merged":
        from tiebreak.models.export import merged_folder

        merged_folder(run.path, to, trust_remote_code=run.recipe().model.trust_remote_code)
        _link(run.model, to, lambda file: _is_tokenizer(file) and not (to / file).exists())
    else:
        _link(run.model, to, lambda file: not (choice.adapter_only and _is_tokenizer(file)))
    recipe, manifest = run.recipe(), run.manifest()
    roots = run_roots(run)
    picture = None
    if not choice.adapter_only:
        picture = _add_account(run, recipe, manifest, to, choice.repo, roots)
    publication = Publication(
        form=form,
        repo=choice.repo,
        revision=choice.revision,
        picture=picture,
        tokenizer=not choice.adapter_only,
        files=not choice.adapter_only,
        license=choice.license,
        roots=roots,
    )
    (to / _CARD).unlink(missing_ok=True)
    samples = json.loads(run.samples_path.read_text(encoding="utf-8")) if run.samples_path.is_file() else []
    write_text(to / _CARD, model_card(manifest, recipe, samples=samples, publication=publication))
    _scrub(to, _private_names(run, recipe, roots))
    return staged(to, _notes(form, recipe, roots))


def _link(model: Path, to: Path, wanted: Callable[[Path], bool]) -> None:
    """Link the files of a model folder that are wanted, but for its card."""
    for path in sorted(model.rglob("*")):
        inside = path.relative_to(model)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.is_file() and not hidden and inside.name != _CARD and wanted(inside):
            target = to / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())


def _is_tokenizer(file: Path) -> bool:
    return file.name.startswith(_TOKENIZER) or file.suffix == ".jinja"


def _add_account(
    run: RunFolder, recipe: Recipe, manifest: Mapping[str, Any], to: Path, repo: str, roots: tuple[Path, ...]
) -> str | None:
    """Write recipe, metrics, report and curves; returns the path of the picture, where there is one."""
    public, rows = public_recipe(recipe, roots).to_yaml(), read_metrics(run.metrics_path)
    write_text(to / "recipe.yaml", public)
    if run.metrics_path.is_file():
        write_text(to / "metrics.jsonl", run.metrics_path.read_text(encoding="utf-8", errors="replace"))
    page = render(
        manifest={**public_manifest(with_kind(manifest, recipe.objective.name), roots), "published": repo},
        metrics=rows,
        samples=read_samples(run.samples_path),
        recipe=public,
        folder=run.title,
        has_model=True,
    )
    write_text(to / "report.html", page)
    for figure in figures(rows):
        if figure.svg:
            write_text(to / "curves" / f"{figure.name}.svg", figure.svg + "\n")
    return _PICTURE if write_picture(rows, to / _PICTURE) else None


def run_roots(run: RunFolder) -> tuple[Path, ...]:
    """Where the run may have been started, so that a folder named there is not taken for a Hub id."""
    here = run.path.resolve()
    return (Path(), here.parent, here.parent.parent)


def _private_names(run: RunFolder, recipe: Recipe, roots: tuple[Path, ...]) -> dict[str, str]:
    """Paths that must not be published, with what stands for them; the longest first."""
    paths = {str(path): path.name for path in (run.path, run.path.resolve()) if "/" in str(path)}
    for name in (recipe.model.name, recipe.data.source, recipe.data.eval_source or ""):
        if not name or public_name(name, roots) == name:
            continue
        spelled = {name, *(str((root / Path(name).expanduser()).resolve()) for root in roots)}
        paths |= {path: last_part(name) for path in spelled if "/" in path}
    paths |= {html.escape(path): html.escape(name) for path, name in paths.items()}
    return dict(sorted(paths.items(), key=lambda item: -len(item[0])))


def _scrub(folder: Path, private: Mapping[str, str]) -> None:
    """Replace private paths in whatever is text, such as the base of an adapter in its configuration."""
    for path in sorted(folder.rglob("*")):
        # The tokenizer is a large file that names no folder.
        if not path.is_file() or path.suffix not in _SCRUBBED or path.name == "tokenizer.json":
            continue
        found = path.read_text(encoding="utf-8")
        clean = found
        for name, public in private.items():
            clean = clean.replace(name, public)
        if clean != found:
            path.unlink()  # it may be a link into the run
            write_text(path, clean)


def _notes(form: Form, recipe: Recipe, roots: tuple[Path, ...]) -> list[str]:
    if form != "adapter" or hub_id(recipe.model.name, roots):
        return []
    name = public_name(recipe.model.name, roots)
    return [f"The adapter's base '{name}' is not on the Hub, so others cannot load it; --merge uploads a whole model."]
