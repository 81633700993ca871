"""A small read-only Hub on this machine: the few endpoints that the real `datasets` client asks for a data set.

Serves a folder of `owner/name/files`. Every request is kept in `requests`, so that a test can tell what was asked.
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
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", COMMIT)


@dataclass(frozen=True)
class Hub:
    """A running server: its address, and what it was asked."""

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve_hub(root: Path, gated: tuple[str, ...] = ()) -> Iterator[Hub]:
    """Serve the data sets below `root` until the block ends.

    Args:
        root: a folder of `owner/name/files`.
        gated: ids that are refused with the Hub's answer for gated ones.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_POST(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlsplit(self.path).path)
            asked.append(f"{self.command} {path}")
            status, headers, body = _reply(root, gated, path, sent, self.path)
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
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _reply(
    root: Path, gated: tuple[str, ...], path: str, sent: bytes, target: str
) -> tuple[int, dict[str, str], bytes]:
    parts = path.strip("/").split("/")
    api = parts[:2] == ["api", "datasets"]
    at = 2 if api else 1
    if (not api and parts[0] != "datasets") or len(parts) < at + 2:
        return _refusal(404, "NotFound")
    name, rest = f"{parts[at]}/{parts[at + 1]}", parts[at + 2 :]
    folder = root / name
    if not folder.is_dir():
        return _refusal(401, "RepoNotFound")
    if name in gated and (not api or rest[:1] != ["revision"]):
        return _refusal(403, "GatedRepo")
    if len(rest) > 1 and rest[1] not in REVISIONS:
        return _refusal(404, "RevisionNotFound")
    if not api:
        return _file(folder, rest[2:]) if rest[:1] == ["resolve"] else _refusal(404, "NotFound")
    if not rest or rest[0] == "revision":
        return _json(_info(folder, name))
    if rest[0] == "tree":
        return _tree(folder, "/".join(rest[2:]), "recursive=True" in target or "recursive=true" in target)
    if rest[0] == "paths-info":
        return _json([_entry(folder, folder / each) for each in _paths(sent) if (folder / each).exists()])
    return _refusal(404, "NotFound")


def _refusal(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"X-Error-Code": code, "X-Error-Message": code, "X-Repo-Commit": COMMIT}, b""


def _json(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _file(folder: Path, inside: list[str]) -> tuple[int, dict[str, str], bytes]:
    path = folder.joinpath(*inside)
    if not path.is_file():
        return _refusal(404, "EntryNotFound")
    return 200, {"X-Repo-Commit": COMMIT, "ETag": f'"{_oid(path)}"', "Accept-Ranges": "bytes"}, path.read_bytes()


def _oid(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _info(folder: Path, name: str) -> dict[str, object]:
    files = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        "_id": "0",
        "id": name,
        "author": name.partition("/")[0],
        "sha": COMMIT,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [{"rfilename": file} for file in files],
    }


def _tree(folder: Path, inside: str, recursive: bool) -> tuple[int, dict[str, str], bytes]:
    start = folder / inside
    if not start.is_dir():
        return _refusal(404, "EntryNotFound")
    found = sorted(start.rglob("*") if recursive else start.iterdir())
    return _json([_entry(folder, path) for path in found])


def _entry(folder: Path, path: Path) -> dict[str, object]:
    relative = str(path.relative_to(folder))
    if path.is_dir():
        return {"type": "directory", "path": relative, "oid": "0" * 40, "size": 0}
    return {"type": "file", "path": relative, "oid": _oid(path), "size": path.stat().st_size}


def _paths(sent: bytes) -> list[str]:
    text = sent.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(text).get("paths", [])
