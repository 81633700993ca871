"""`push --space`: a finished run as a Space of the Hub, where everybody can talk with its model and compare answers.

A Space of the Gradio kind runs `app.py` with the packages of `requirements.txt` and asks whatever listens on port 7860,
so a program may bring a web server of its own. The kind "docker" would do the same with an image that had to be written
and kept. Tiebreak is on no package index, so its own source goes along.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiebreak
from tiebreak.errors import InputError
from tiebreak.files import write_json, write_text
from tiebreak.formatting.hub_names import BUNDLED_LICENSE, hub_id, license_fields
from tiebreak.formatting.text import front_matter, inline, one_line
from tiebreak.hub.models import Choice, check_choice, recorded_license, stage_run, unknown_license
from tiebreak.hub.staging import Staged, staged, staging_folder
from tiebreak.hub.upload import Pushed, Target, check_repo, deliver, dry_run_folder
from tiebreak.runs.folder import RunFolder, find_run
from tiebreak.runs.public import run_roots

SERVING = (
    *("gradio", "fastapi", "uvicorn", "httpx", "prometheus_client", "sqlalchemy", "alembic"),
    *("markdown-it-py", "mdit-py-plugins", "latex2mathml", "nh3"),
)
"""The packages of the extra `serve`."""

_MODEL, _PACKAGE, _BUNDLED = "model", "tiebreak", "bundled:base"
# What a push of a run writes beside the weights, and a Space has no use for.
_REPORT_FILES = ("README.md", "report.html", "recipe.yaml", "metrics.jsonl", "curves.png", "curves")
_OURS = (f"{_MODEL}/*", f"{_PACKAGE}/*")
_APP = '''"""Starts the pages of this Space; what they serve is in `space.json`."""

from pathlib import Path

from tiebreak.hub.space_app import main

if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
'''


_ABOUT = """\
# {name}

Talk with a model that was trained on preferences, or compare two answers and say which is better. Made with Tiebreak.

## Votes

Votes on the Compare page are kept in `votes.db` of the Space. Visitors see how many there are, and of single ones only
their own (Data, Only mine), which they can correct and withdraw. The disk of a Space is emptied when it restarts: the
variable `TIEBREAK_VOTES` names a file on a disk that stays, such as `/data/votes.db`.
"""


def push_space(
    run: str | Path,
    repo: str,
    *,
    private: bool = False,
    merge: bool = False,
    dry_run: bool = False,
    out: Path | str | None = None,
    say: Callable[[str], None] | None = None,
) -> Pushed:
    """Upload a finished run as a Space: its model, the pages, and what they need, in one commit.

    An adapter is merged, unless its base is on the Hub; then the Space fetches the base from there.

    Args:
        run: a run folder, or the name of one under `runs/`.
        repo: `owner/name` of the Space; made if it is missing.
        private: make it private.
        merge: merge an adapter whose base is on the Hub as well.
        dry_run: write what would be uploaded into a folder; needs no network.
        out: that folder; None is `NAME-space-dry-run` in the working directory.
        say: called with what the user should know; None is nobody.
    Raises:
        InputError: the run is not finished, needs code of its own, or the Hub refuses; or serving is not installed.
        RunError: the Hub failed or the connection was lost.
        Interrupted: somebody stopped it.
    """
    check_repo(repo)
    found = find_run(str(run))
    choice = _choice(found, repo, merge)
    requirements = pinned_requirements()
    shown = dry_run_folder(repo, out, dry_run=dry_run, suffix="space-dry-run")
    if shown is None:
        choice = Choice(repo, merge=choice.merge, license=unknown_license(found))
    with staging_folder(found.path) as folder:
        what = stage_space(found, folder, choice, requirements)
        message = f"Upload {found.title} as a Space with Tiebreak"
        done = deliver(what, Target(repo, "space", private), message=message, ours=_OURS, shown=shown, say=say)
    if say is not None and done.committed is not None and done.committed.changed:
        say("The Hub now builds the Space; that takes some minutes.")
    return done


def _choice(run: RunFolder, repo: str, merge: bool) -> Choice:
    check_choice(run, Choice(repo, merge))
    recipe = run.recipe()
    if recipe.model.trust_remote_code:
        raise InputError(
            "The model brings code of its own (model.trust_remote_code), which a Space does not run.",
            where=str(run.path),
            fix="push the model alone: tiebreak push RUN REPO_ID",
        )
    adapter = not (run.model / "config.json").is_file()
    return Choice(repo, merge=adapter and (merge or hub_id(recipe.model.name, run_roots(run)) is None))


def pinned_requirements() -> str:
    """`requirements.txt`: what Tiebreak and its pages need, each in the version that is installed here.

    Raises:
        InputError: a package is missing, or Tiebreak itself was not installed as one.
    """
    try:
        stated = importlib.metadata.requires(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            "Tiebreak is not installed as a package, so it is not known what a Space needs.",
            fix='pip install "tiebreak[serve]"',
        ) from None
    needed = [line for line in stated if "extra" not in line.partition(";")[2]]
    names = sorted({re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower() for line in needed} | {*SERVING})
    return "".join(f"{name}=={_installed(name)}\n" for name in names)


def _installed(name: str) -> str:
    try:
        # The part after '+' names a build, such as one without CUDA, that the package index does not have.
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"A Space needs {name} in the version that is installed here, and it is not.",
            fix='pip install "tiebreak[serve]"',
        ) from None


def stage_space(run: RunFolder, to: Path, choice: Choice, requirements: str) -> Staged:
    """Put everything that is uploaded into a folder.

    Args:
        run: a finished run.
        to: an empty folder; weights are linked into it where they are uploaded as they stand.
        choice: what is uploaded.
        requirements: the text of `requirements.txt`.
    Raises:
        InputError: a file is larger than the Hub takes.
    """
    model = to / _MODEL
    model.mkdir()
    stage_run(run, model, choice)
    for name in _REPORT_FILES:
        _remove(model / name)
    _copy_package(to / _PACKAGE)
    license_ = recorded_license(run) or choice.license
    if run.recipe().model.name == _BUNDLED:
        license_ = BUNDLED_LICENSE
    write_text(to / "README.md", _card(run, choice.repo, license_))
    write_text(to / "app.py", _APP)
    write_text(to / "requirements.txt", requirements)
    write_json(to / "space.json", _served(run, choice.repo, license_))
    return staged(to)


def _remove(path: Path) -> None:
    if path.is_dir():
        for inner in path.iterdir():
            inner.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _copy_package(to: Path) -> None:
    """Link the package that runs here, without what Python keeps beside it, and with its licence."""
    source = Path(tiebreak.__file__).resolve().parent
    for path in sorted(source.rglob("*")):
        inside = path.relative_to(source)
        dropped = any(part.startswith(".") or part in ("__pycache__", "tests") for part in inside.parts)
        if path.is_file() and not dropped and path.suffix not in (".pyc", ".pyo"):
            target = to / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    for file in importlib.metadata.files(_PACKAGE) or []:
        if file.name == "LICENSE":
            write_text(to / "LICENSE", file.read_text(encoding="utf-8"))


def _served(run: RunFolder, repo: str, license_: str | None) -> dict[str, Any]:
    """What `space.json` says; the base comes along where it is part of Tiebreak, and costs no download."""
    recipe, name = run.recipe(), repo.split("/")[1]
    bundled = recipe.model.name == _BUNDLED
    own = {
        "name": name,
        "title": name,
        "source": _MODEL,
        "template": recipe.data.template,
        "base": _BUNDLED if bundled else None,
        "license": license_,
    }
    base = {
        "name": _BUNDLED,
        "title": f"{_BUNDLED}, before {name}",
        "source": _BUNDLED,
        "template": recipe.data.template,
        "license": license_,
    }
    return {"title": name, "models": [own, base] if bundled else [own]}


def _card(run: RunFolder, repo: str, license_: str | None) -> str:
    name = repo.split("/")[1]
    head: dict[str, Any] = {
        "title": name,
        "sdk": "gradio",
        "sdk_version": _installed("gradio"),
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
        "app_file": "app.py",
        "pinned": False,
        "tags": ["tiebreak"],
    }
    if base := hub_id(run.recipe().model.name, run_roots(run)):
        head["models"] = [base]
    if license_:
        head |= license_fields(one_line(license_))
    body = _ABOUT.format(name=inline(name))
    return f"{front_matter(head)}\n{body}"
