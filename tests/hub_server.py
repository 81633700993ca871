"""A small Hub on this machine: the endpoints that the real clients ask to read, to make a repository and to upload.

Serves data sets from a folder of `owner/name/files`, and whatever is uploaded. Every request is kept in `requests`, so
that a test can tell what was asked; `moods` makes the server refuse or break off.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub_replies import BAD, Reply, as_json, entry_of, file_of, info_of, paths_in, refusal, tree_of, validated
from tests.hub_store import COMMIT, Repository, Store, is_large, oid

__all__ = ["COMMIT", "Hub", "serve_hub"]


@dataclass
class Moods:
    """How the server misbehaves.

    Attributes:
        refuse: status and message by step and repository, such as `commit ann/mine`; the steps are create, preupload,
            batch, put and commit.
        cut_above: uploads of more bytes than this are cut off in the middle.
        cut: set when that happened.
        down: everything is answered as by a gateway before a server that is down.
    """

    refuse: dict[str, tuple[int, str]] = field(default_factory=dict)
    cut_above: int | None = None
    cut: threading.Event = field(default_factory=threading.Event)
    down: bool = False


@dataclass(frozen=True)
class Hub:
    """A running server: its address, what it holds, and what it was asked."""

    url: str
    store: Store
    moods: Moods
    requests: list[str] = field(default_factory=list)

    def repository(self, name: str, kind: str = "models") -> Repository:
        """What an upload made."""
        return self.store.repositories[kind, name]

    def count(self, start: str) -> int:
        """How many requests began so."""
        return sum(request.startswith(start) for request in self.requests)


@contextmanager
def serve_hub(
    root: Path | None = None, gated: tuple[str, ...] = (), accounts: dict[str, str] | None = None
) -> Iterator[Hub]:
    """Serve until the block ends.

    Args:
        root: a folder of data sets, `owner/name/files`.
        gated: ids that are refused with the Hub's answer for gated ones.
        accounts: names by token; each may write to its own repositories.
    """
    store, moods, asked = Store(root), Moods(), list[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            length = int(self.headers.get("Content-Length") or 0)
            if self.command == "PUT" and moods.cut_above is not None and length > moods.cut_above:
                self.rfile.read(length // 2)
                moods.cut.set()
                self.close_connection = True
                self.connection.close()
                return
            sent = self.rfile.read(length)
            account = (accounts or {}).get((self.headers.get("Authorization") or "").removeprefix("Bearer "))
            here = f"http://{self.headers['Host']}"
            request = Request(self.command, path, self.path, sent, account, self.headers.get("Authorization"), here)
            status, headers, body = Answering(store, moods, gated, request).reply()
            wanted = self.headers.get("Range")
            if wanted and status == 200 and wanted.startswith("bytes="):
                start, _, end = wanted.removeprefix("bytes=").partition("-")
                last = int(end) if end else len(body) - 1
                headers["Content-Range"] = f"bytes {start}-{last}/{len(body)}"
                status, body = 206, body[int(start) : last + 1]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET = do_POST = do_PUT = _answer  # noqa: N815  named by http.server

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that was killed
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_address[1]}", store, moods, asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Request:
    """What was asked: by which account, and under which address of the server."""

    method: str
    path: str
    target: str
    sent: bytes
    account: str | None
    authorization: str | None
    here: str


@dataclass(frozen=True)
class Answering:
    """One request on its way to an answer."""

    store: Store
    moods: Moods
    gated: tuple[str, ...]
    request: Request

    def reply(self) -> Reply:
        path, sent = self.request.path, self.request.sent
        if self.moods.down:
            return refusal(503, "Unavailable")
        if path == "/":
            return 200, {}, b""
        if path == "/api/whoami-v2":
            return as_json({"name": self.request.account, "type": "user", "orgs": []}) if self.request.account else BAD
        if path == "/api/validate-yaml":
            return validated(json.loads(sent)["content"])
        if path == "/api/repos/create":
            return self._create(json.loads(sent))
        if path.endswith("/info/lfs/objects/batch"):
            return self._batch(
                "/".join(path.removesuffix(".git/info/lfs/objects/batch").split("/")[-2:]), json.loads(sent)
            )
        if path.startswith("/lfs/"):
            name, content = path.removeprefix("/lfs/").rsplit("/", 1)
            return self._put(name, content, sent)
        return self._of_repository(path.strip("/").split("/"))

    def _refused(self, step: str, name: str) -> Reply | None:
        if f"{step} {name}" not in self.moods.refuse:
            return None
        status, message = self.moods.refuse[f"{step} {name}"]
        body = json.dumps({"error": message.replace("TOKEN", self.request.authorization or "")}).encode()
        return status, {"Content-Type": "application/json"}, body

    def _create(self, wanted: dict[str, Any]) -> Reply:
        if self.request.account is None:
            return BAD
        owner, kind = wanted.get("organization") or self.request.account, f"{wanted.get('type') or 'model'}s"
        if owner != self.request.account:
            return refusal(403, "Forbidden", "You don't have the rights to create a repository there")
        name = f"{owner}/{wanted['name']}"
        if kind == "spaces" and wanted.get("sdk") not in ("gradio", "docker", "static"):
            return refusal(400, "BadRequest", "a Space needs an SDK")
        if refused := self._refused("create", name):
            return refused
        url = f"{self.request.here}/{'' if kind == 'models' else kind + '/'}{name}"
        if (kind, name) in self.store.repositories:
            return as_json({"error": "You already created this repo", "url": url}, 409)
        self.store.repositories[kind, name] = Repository(private=wanted.get("visibility") == "private")
        return as_json({"url": url, "name": name})

    def _batch(self, name: str, wanted: dict[str, Any]) -> Reply:
        if refused := self._refused("batch", name):
            return refused
        found = []
        for each in wanted["objects"]:
            known = each["oid"] in self.store.objects
            href = f"{self.request.here}/lfs/{name}/{each['oid']}"
            found.append(each if known else {**each, "actions": {"upload": {"href": href}}})
        return as_json({"objects": found, "transfer": "basic"})

    def _put(self, name: str, content: str, sent: bytes) -> Reply:
        if refused := self._refused("put", name):
            return refused
        if hashlib.sha256(sent).hexdigest() != content:
            return refusal(400, "BadRequest", "the content is not what its name says")
        self.store.objects[content] = sent
        return 200, {}, b""

    def _of_repository(self, parts: list[str]) -> Reply:
        api = parts[0] == "api"
        parts = parts[1:] if api else parts
        kind, parts = (parts[0], parts[1:]) if parts[0] in ("datasets", "models", "spaces") else ("models", parts)
        if len(parts) < 2:
            return refusal(404, "NotFound")
        name, rest = "/".join(parts[:2]), parts[2:]
        repository = self.store.repositories.get((kind, name))
        owner = self.request.account == name.split("/")[0]
        if repository is None or (repository.private and not owner):
            return refusal(401, "RepoNotFound")
        if name in self.gated and (not api or rest[:1] != ["revision"]):
            return refusal(403, "GatedRepo")
        if rest and rest[0] in ("preupload", "commit", "branch"):
            return self._write(repository, name, rest, owner)
        if rest[:1] == ["refs"]:
            heads = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": c} for b, c in repository.heads.items()]
            return as_json({"branches": heads, "converts": [], "tags": []})
        commit = repository.commit_of(rest[1] if len(rest) > 1 else "main")
        if commit is None:
            return refusal(404, "RevisionNotFound")
        files = repository.commits[commit]
        if not api:
            return file_of(files, "/".join(rest[2:]), commit) if rest[:1] == ["resolve"] else refusal(404, "NotFound")
        if not rest or rest[0] == "revision":
            return as_json(info_of(repository, files, name, commit))
        if rest[0] == "tree":
            return tree_of(files, "/".join(rest[2:]), "recursive=true" in self.request.target.lower())
        if rest[0] == "paths-info":
            return as_json([entry_of(path, files) for path in paths_in(self.request.sent) if entry_of(path, files)])
        return refusal(404, "NotFound")

    def _write(self, repository: Repository, name: str, rest: list[str], owner: bool) -> Reply:
        step, branch = rest[0], rest[1]
        if refused := self._refused(step, name):
            return refused
        if self.request.account is None:
            return BAD
        if not owner:
            return refusal(403, "Forbidden", "you have no right to write here")
        if step == "branch":
            if branch in repository.heads:
                return as_json({"error": "it exists"}, 409)
            repository.heads[branch] = repository.heads["main"]
            return as_json({})
        if branch not in repository.heads:
            return refusal(404, "RevisionNotFound")
        if step == "commit":
            made = self.store.commit(repository, branch, self.request.sent)
            return as_json({"commitUrl": f"{self.request.here}/{name}/commit/{made}", "commitOid": made})
        files = repository.files(branch)
        modes = []
        for each in json.loads(self.request.sent)["files"]:
            path = each["path"]
            known = oid(path, files[path]) if path in files else None
            mode = "lfs" if is_large(path) else "regular"
            modes.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": known})
        return as_json({"files": modes})
