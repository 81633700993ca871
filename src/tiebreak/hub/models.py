"""`push`: a finished run to a model repository of the Hub, or into a folder that shows what would go there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tiebreak.errors import InputError
from tiebreak.hub.refusals import logged_in
from tiebreak.hub.stage_run import Choice, check_choice, run_roots, stage_run
from tiebreak.hub.staged import Staged, StagedFile, check_out, keep, staging_folder
from tiebreak.hub.upload import Committed, Target, base_license, check_repo, upload
from tiebreak.report.hub_ids import hub_id
from tiebreak.runs.entries import text
from tiebreak.runs.find import find_run
from tiebreak.runs.folder import RunFolder

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


@dataclass(frozen=True)
class Pushed:
    """What was uploaded, or would be.

    Attributes:
        repo: the Hub id.
        files: with their sizes.
        committed: what came of it; None is a dry run.
        folder: of a dry run, where everything lies; else None.
    """

    repo: str
    files: tuple[StagedFile, ...]
    committed: Committed | None = None
    folder: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        done = self.committed
        return {
            "repo": self.repo,
            "url": done.url if done else None,
            "commit": done.commit if done else None,
            "changed": done.changed if done else None,
            "folder": str(self.folder) if self.folder else None,
            "files": [{"path": file.path, "size": file.size} for file in self.files],
        }


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
        say: told what the user should know; None is nobody.
    Raises:
        InputError: the run is not finished, the flags do not fit it, or the Hub refuses.
        RunError: the Hub failed or the connection was lost.
        Interrupted: somebody stopped it.
    """
    check_repo(repo)
    found = find_run(str(run))
    choice = Choice(repo, merge, adapter_only, revision)
    check_choice(found, choice)
    tell = say or (lambda _text: None)
    if dry_run:
        folder = Path(out) if out is not None else Path(f"{repo.split('/')[1]}-dry-run")
        check_out(folder)
        with staging_folder(found.path) as place:
            what = _told(stage_run(found, place, choice), tell)
            return Pushed(repo, what.files, folder=keep(what, folder).folder)
    if out is not None:
        raise InputError("--out is for --dry-run.", where="--out", fix="leave it out, or add --dry-run")
    logged_in()  # a merge takes minutes, and should not have been for nothing
    choice = replace(choice, license=unknown_license(found))
    with staging_folder(found.path) as place:
        what = _told(stage_run(found, place, choice), tell)
        message = f"Upload {found.title} with Tiebreak"
        done = upload(what, Target(repo, "model", private, revision), message=message, ours=_OURS, say=tell)
    return Pushed(repo, what.files, committed=done)


def _told(what: Staged, say: Callable[[str], None]) -> Staged:
    for note in what.notes:
        say(note)
    return what


def unknown_license(run: RunFolder) -> str | None:
    """The base model's licence from the Hub, where the run does not know it."""
    base = hub_id(run.recipe().model.name, run_roots(run))
    if base is None or text(run.manifest(), "model", "license"):
        return None
    return base_license(base)
