"""What the small Hub of the tests answers: refusals, files, and what it tells of a repository, in the Hub's form."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import yaml

from tests.hub_store import COMMIT, Repository, is_large, oid

Reply = tuple[int, dict[str, str], bytes]


def refusal(status: int, code: str, message: str = "", commit: str = COMMIT) -> Reply:
    return status, {"X-Error-Code": code, "X-Error-Message": message or code, "X-Repo-Commit": commit}, b""


BAD: Reply = (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, b"")


def as_json(value: object, status: int = 200) -> Reply:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def validated(card: str) -> Reply:
    try:
        head = yaml.safe_load(card.split("---\n")[1])
        errors = [] if isinstance(head, dict) else [{"message": "no mapping"}]
    except (IndexError, yaml.YAMLError) as error:
        errors = [{"message": str(error)}]
    return as_json({"errors": errors, "warnings": []}, 400 if errors else 200)


def file_of(files: dict[str, bytes], path: str, commit: str) -> Reply:
    if path not in files:
        return refusal(404, "EntryNotFound", commit=commit)
    name, size = oid(path, files[path]), str(len(files[path]))
    headers = {"X-Repo-Commit": commit, "ETag": f'"{name}"', "Accept-Ranges": "bytes"}
    if is_large(path):
        headers |= {"X-Linked-Etag": f'"{name}"', "X-Linked-Size": size}
    return 200, headers, files[path]


def info_of(repository: Repository, files: dict[str, bytes], name: str, commit: str) -> dict[str, object]:
    card = files.get("README.md", b"").decode().split("---\n")
    return {
        "_id": "0",
        "id": name,
        "author": name.partition("/")[0],
        "sha": commit,
        "private": repository.private,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "cardData": yaml.safe_load(card[1]) if len(card) > 2 else None,
        "siblings": [{"rfilename": path} for path in sorted(files)],
    }


def tree_of(files: dict[str, bytes], inside: str, recursive: bool) -> Reply:
    start = f"{inside}/" if inside else ""
    below = sorted(path.removeprefix(start) for path in files if path.startswith(start))
    if inside and not below:
        return refusal(404, "EntryNotFound")
    found = {path for path in below if recursive or "/" not in path}
    for path in below:
        parts = path.split("/")[:-1]
        found |= {
            "/".join(parts[:depth]) for depth in range(1, len(parts) + 1 if recursive else min(2, len(parts) + 1))
        }
    return as_json([entry_of(start + path, files) for path in sorted(found)])


def entry_of(path: str, files: dict[str, bytes]) -> dict[str, object]:
    if path in files:
        entry: dict[str, object] = {"type": "file", "path": path, "oid": oid(path, files[path])}
        return entry | {"size": len(files[path])}
    if any(each.startswith(f"{path}/") for each in files):
        return {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
    return {}


def paths_in(sent: bytes) -> list[str]:
    text = sent.decode()
    if text.startswith("{"):
        paths = json.loads(text)["paths"]
        return [paths] if isinstance(paths, str) else list(paths)
    return parse_qs(text).get("paths", [])
