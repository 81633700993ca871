"""`push`: a finished run to a model repository of the Hub, or into a folder that shows what would go there.

What goes there is the same for both: weights, tokenizer, card, report, curves, recipe, metrics. Nothing in it names a
folder of this machine but by its last part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tiebreak.doctor.examine import run_findings
from tiebreak.errors import InputError
from tiebreak.files import write_text
from tiebreak.formatting.hub_names import hub_id, public_name
from tiebreak.hub.staging import Staged, staged, staging_folder
from tiebreak.hub.upload import Pushed, Target, base_license, check_repo, deliver, dry_run_folder
from tiebreak.recipe import Recipe
from tiebreak.report.card import Form, Publication, model_card
from tiebreak.report.drawing import draw_plots, write_picture
from tiebreak.report.page import Recorded, render
from tiebreak.runs.folder import RunFolder, find_run
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.metrics_file import read_metrics
from tiebreak.runs.public import private_names, public_manifest, public_recipe, run_roots
from tiebreak.runs.samples import Sample

# What pushes of a run may have left in a repository: weights of another form would be loaded in place of the new ones.
_OURS = (
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "adapter_config.json",
    "adapter_model*.safetensors",
    "report.html",
    "curves.png",
    "curves/*.svg",
    "recipe.yaml",
    "metrics.jsonl",
)
_CARD, _PICTURE = "README.md", "curves.png"
_ADAPTER_CONFIG = "adapter_config.json"
_TOKENIZER = ("tokenizer", "special_tokens_map", "added_tokens", "vocab", "merges", "chat_template", "spiece")
_SCRUBBED = (".md", ".html", ".json", ".jsonl", ".yaml", ".svg")


def push(
    run: str | Path,
    repo: str,
    *,
    private: bool = False,
    merge: bool = False,
    adapter_only: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    out: Path | str | None = None,
    say: Callable[[str], None] | None = None,
) -> Pushed:
    """Upload a finished run: weights, tokenizer, card, report, curves, recipe and metrics, in one commit.

    An upload that was cut off goes on when it is called again.

    Args:
        run: a run folder, or the name of one under `runs/`.
        repo: `owner/name`; the repository is made if it is missing.
        private: make it private.
        merge: of an adapter run, upload plain weights with the adapter merged in.
        adapter_only: of an adapter run, upload the adapter and its card alone.
        revision: branch to upload to; made if it is missing.
        dry_run: write what would be uploaded into a folder; needs no network.
        out: that folder; None is `NAME-dry-run` in the working directory.
        say: called with what the user should know; None is nobody.
    Raises:
        InputError: the run is not finished, the flags do not fit it, or the Hub refuses.
        RunError: the Hub failed or the connection was lost.
        Interrupted: somebody stopped it.
    """
    check_repo(repo)
    found = find_run(str(run))
    choice = Choice(repo, merge, adapter_only, revision)
    check_choice(found, choice)
    shown = dry_run_folder(repo, out, dry_run=dry_run)
    if shown is None:
        choice = replace(choice, license=unknown_license(found))
    with staging_folder(found.path) as folder:
        what = stage_run(found, folder, choice)
        message = f"Upload {found.title} with Tiebreak"
        return deliver(
            what, Target(repo, "model", private, revision), message=message, ours=_OURS, shown=shown, say=say
        )


def unknown_license(run: RunFolder) -> str | None:
    """The base model's licence from the Hub, where the run does not know it."""
    base = hub_id(run.recipe().model.name, run_roots(run))
    return None if base is None or recorded_license(run) else base_license(base)


def recorded_license(run: RunFolder) -> str | None:
    """The base model's licence, where the run knows it."""
    model = run.load_manifest().model
    return model.license if model is not None else None


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
    status = run.load_manifest().status or "not begun"
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
    recipe, manifest, samples = run.recipe(), run.load_manifest(), run.samples()
    roots = run_roots(run)
    picture = None
    if not choice.adapter_only:
        picture = _write_report_files(run, recipe, manifest, samples, to, choice.repo)
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
    write_text(
        to / _CARD,
        model_card(
            manifest,
            recipe,
            samples=samples,
            logged=read_metrics(run.metrics_path),
            findings=run_findings(run, manifest, recipe),
            publication=publication,
        ),
    )
    _scrub(to, private_names(run, recipe, roots))
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


def _write_report_files(
    run: RunFolder, recipe: Recipe, manifest: Manifest, samples: tuple[Sample, ...], to: Path, repo: str
) -> str | None:
    """Write recipe, metrics, report and curves; returns the path of the picture, where there is one."""
    roots = run_roots(run)
    public, rows = public_recipe(recipe, roots).to_yaml(), read_metrics(run.metrics_path)
    write_text(to / "recipe.yaml", public)
    if run.metrics_path.is_file():
        write_text(to / "metrics.jsonl", run.metrics_path.read_text(encoding="utf-8", errors="replace"))
    recorded = Recorded(
        manifest=public_manifest(manifest, roots).replace(published=repo),
        metrics=rows,
        samples=samples,
        recipe=public,
        folder=run.title,
        has_model=True,
    )
    write_text(to / "report.html", render(recorded))
    for plot in draw_plots(rows):
        if plot.svg:
            write_text(to / "curves" / f"{plot.name}.svg", plot.svg + "\n")
    return _PICTURE if write_picture(rows, to / _PICTURE) else None


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
