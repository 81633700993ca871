"""A folder into a repository of the Hub, in one commit, and on from where an upload was cut off.

Knows the Hub's client. The content of large files goes to the Hub's storage first, and then one commit names all files:
until then the repository is as it was. What has arrived stays there, found again by its hash: plain storage keeps whole
files, Xet storage keeps chunks of them. So the same command, run again, sends only what is missing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tiebreak.errors import InputError
from tiebreak.hub.refusals import explained, logged_in
from tiebreak.hub.staging import Staged, StagedFile, keep
from tiebreak.hub_status import patience

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_REPO = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Target:
    """Where to.

    Attributes:
        repo: `owner/name`.
        kind: of the repository; a Space that is made is one of the Gradio kind.
        private: it must be private; one that is made now will be.
        revision: the branch, made where it is missing; None is the default one.
    """

    repo: str
    kind: Literal["model", "dataset", "space"]
    private: bool = False
    revision: str | None = None


@dataclass(frozen=True)
class Committed:
    """What came of an upload.

    Attributes:
        url: of the repository.
        commit: its newest commit, 40 hexadecimal digits.
        changed: whether anything was new; the Hub makes no commit without a change.
    """

    url: str
    commit: str
    changed: bool


def check_repo(repo: str) -> None:
    """Refuse a name that the Hub cannot have, before any work is done.

    Raises:
        InputError: it is not `owner/name`.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    why = "it is not of the form owner/name"
    try:
        if _REPO.fullmatch(repo):
            validate_repo_id(repo)
            return
    except HFValidationError as error:
        why = " ".join(str(error).split())
    raise InputError(
        f"'{repo}' is not the name of a repository: {why}.".replace("..", "."),
        where="REPO_ID",
        fix="write owner/name, with letters, digits, and . _ - between them",
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


def dry_run_folder(repo: str, out: Path | str | None, *, dry_run: bool, suffix: str = "dry-run") -> Path | None:
    """Where a dry run shows what would be uploaded; None is an upload, for which somebody has to be logged in.

    Asked before any work is done: gathering takes minutes, and should not have been for nothing.

    Args:
        repo: `owner/name`.
        out: the folder; None is `NAME-SUFFIX` in the working directory.
        dry_run: whether it is one.
        suffix: as for `out`.
    Raises:
        InputError: the folder is not empty or was named without a dry run, or nobody is logged in.
    """
    if not dry_run:
        if out is not None:
            raise InputError("--out is for --dry-run.", where="--out", fix="leave it out, or add --dry-run")
        logged_in()
        return None
    folder = Path(out) if out is not None else Path(f"{repo.split('/')[1]}-{suffix}")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"'{folder}' exists and is not an empty folder.", where="--out", fix="name another folder")
    return folder


def deliver(
    what: Staged,
    target: Target,
    *,
    message: str,
    ours: Sequence[str],
    shown: Path | None,
    say: Callable[[str], None] | None,
) -> Pushed:
    """Upload what was gathered, or keep it in the folder of a dry run.

    Args:
        what, target, message, ours: as for `upload`.
        shown: the folder of a dry run (see `dry_run_folder`); None is an upload.
        say: called with what the user should know; None is nobody.
    Raises:
        As for `upload`; RunError also where the disk does not take the folder.
    """
    tell = say or (lambda _text: None)
    for note in what.notes:
        tell(note)
    if shown is not None:
        keep(what, shown)
        return Pushed(target.repo, what.files, folder=shown)
    return Pushed(target.repo, what.files, committed=upload(what, target, message=message, ours=ours, say=tell))


def upload(what: Staged, target: Target, *, message: str, ours: Sequence[str], say: Callable[[str], None]) -> Committed:
    """Upload a folder in one commit.

    Args:
        what: the folder.
        target: where to; the repository and the branch are made where they are missing.
        message: of the commit.
        ours: patterns of files that an earlier upload may have left; those that are no longer there are removed.
        say: called with what the user should know.
    Raises:
        InputError: no token, no right to write, no room, or the Hub cannot be reached.
        RunError: the Hub failed, or the connection was lost; the repository is as it was before.
        Interrupted: somebody stopped it.
    """
    check_repo(target.repo)
    account = logged_in()
    from huggingface_hub import HfApi

    api = HfApi(token=account.token, library_name="tiebreak")
    with explained(target.repo, account), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        _make(api, target)
        before = api.repo_info(target.repo, repo_type=target.kind, revision=target.revision).sha
        done = api.create_commit(
            target.repo,
            _operations(api, what, target, ours),
            commit_message=message,
            repo_type=target.kind,
            revision=target.revision,
        )
    for warning in warned:
        if issubclass(warning.category, UserWarning):
            say(account.without_token(" ".join(str(warning.message).split())))
    prefix = {"model": "", "dataset": "datasets/", "space": "spaces/"}[target.kind]
    return Committed(f"{api.endpoint}/{prefix}{target.repo}", done.oid, done.oid != before)


def base_license(base: str) -> str | None:
    """The licence that a model on the Hub states; None where it states none or cannot be asked.

    Args:
        base: its id.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        card = HfApi(library_name="tiebreak").model_info(base, timeout=patience()).card_data
    except (HTTPError, OSError, ValueError):
        return None
    stated: Any = card.get("license_name") or card.get("license") if card is not None else None
    return stated if isinstance(stated, str) else None


def _make(api: HfApi, target: Target) -> None:
    """Make the repository and the branch where they are missing."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        found = api.repo_info(target.repo, repo_type=target.kind, timeout=patience())
    except RepositoryNotFoundError:
        sdk = "gradio" if target.kind == "space" else None
        private = target.private or None
        api.create_repo(target.repo, repo_type=target.kind, space_sdk=sdk, private=private, exist_ok=True)
    else:
        if target.private and not found.private:
            raise InputError(
                f"The repository '{target.repo}' exists and is public; --private holds for a new one only.",
                where=target.repo,
                fix="make it private in its settings on the Hub, or name another",
            )
    if target.revision is not None:
        api.create_branch(target.repo, branch=target.revision, repo_type=target.kind, exist_ok=True)


def _operations(api: HfApi, what: Staged, target: Target, ours: Sequence[str]) -> list[Any]:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there = api.list_repo_files(target.repo, repo_type=target.kind, revision=target.revision)
    new = {file.path for file in what.files}
    left = [path for path in there if path not in new and any(fnmatch(path, pattern) for pattern in ours)]
    return [
        *(CommitOperationAdd(file.path, what.folder / file.path) for file in what.files),
        *(CommitOperationDelete(path) for path in left),
    ]
