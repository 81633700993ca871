"""The repositories of the small Hub of the tests: branches, commits, large files, in memory."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".parquet", ".png", "tokenizer.json")

Files = dict[str, bytes]


@dataclass
class Repository:
    """A repository: its branches and commits, each a mapping of paths to contents.

    Attributes:
        private: only its owner sees it.
        heads: the newest commit of each branch.
        commits: what each commit holds.
        messages: of the commits that were made here, in order.
    """

    private: bool = False
    heads: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    commits: dict[str, Files] = field(default_factory=lambda: {COMMIT: {}})
    messages: list[str] = field(default_factory=list)

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch or a commit's own name stands for."""
        return self.heads.get(revision) or (revision if revision in self.commits else None)

    def files(self, revision: str = "main") -> Files:
        """What a branch holds."""
        return self.commits[self.heads[revision]]


class Store:
    """All repositories, and the contents of large files that arrived."""

    def __init__(self, root: Path | None) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.objects: Files = {}
        for folder in sorted(root.glob("*/*")) if root is not None and root.is_dir() else []:
            if folder.is_dir():
                files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
                name = f"{folder.parent.name}/{folder.name}"
                self.repositories["datasets", name] = Repository(commits={COMMIT: files})

    def commit(self, repository: Repository, branch: str, lines: bytes) -> str:
        """Apply a commit in the Hub's form, one operation a line; all of it or nothing."""
        files = dict(repository.files(branch))
        summary = ""
        for line in lines.decode().splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "header":
                summary = value["summary"]
            elif operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.objects[value["oid"]]
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
        made = hashlib.sha1(f"{len(repository.commits)}{branch}{summary}".encode()).hexdigest()
        repository.commits[made] = files
        repository.heads[branch] = made
        repository.messages.append(summary)
        return made


def is_large(path: str) -> bool:
    """Whether the Hub would keep a file in its storage for large ones."""
    return path.endswith(LARGE)


def oid(path: str, content: bytes) -> str:
    """What the Hub knows a file's content by."""
    if is_large(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
