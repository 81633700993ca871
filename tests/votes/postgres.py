"""A PostgreSQL server of our own for tests: in a temporary folder, on a Unix socket alone, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

SECRET = "hunter2-is-secret"


def binaries() -> Path | None:
    """The folder of initdb and postgres, the newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Server:
    """A running server; each store gets a database of its own."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._made = 0

    def new_database(self, **options: str) -> str:
        """Make an empty database and return its URL; options are those of CREATE DATABASE."""
        self._made += 1
        name = f"votes{self._made}"
        self.run("postgres", f"CREATE DATABASE {name} " + " ".join(f"{key} {value}" for key, value in options.items()))
        return self.url(name)

    def url(self, database: str, user: str = "owner") -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self._socket}"

    def run(self, database: str, statement: str) -> None:
        """Run a statement outside a transaction."""
        with psycopg.connect(host=str(self._socket), user="owner", dbname=database, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_server(bin: Path) -> Iterator[Server]:
    """Start a server for the block."""
    folder = Path(tempfile.mkdtemp(prefix="tiebreak-pg-", dir="/tmp"))  # a socket's path must be short
    options = _as_somebody(folder)
    data = folder / "data"

    def call(*words: str) -> None:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, **options)
        assert done.returncode == 0, done.stdout + done.stderr

    start = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_connections=200"
    try:
        call(str(bin / "initdb"), "-D", str(data), "-U", "owner", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        rules = data / "pg_hba.conf"
        rules.write_text("local all guarded scram-sha-256\n" + rules.read_text())
        call(str(bin / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", start, "start")
        server = Server(folder)
        server.run("postgres", f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'")
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            call(str(bin / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _as_somebody(folder: Path) -> dict[str, Any]:
    """Options that run a program as an ordinary user, since the server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = [entry.pw_name for entry in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    folder.chmod(0o755)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
