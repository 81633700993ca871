"""What the user decides about a server: where it listens, who may ask, and how much."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from tiebreak.errors import InputError

KEY_VARIABLE = "TIEBREAK_API_KEY"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
# What comes from here is data, never a page.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Limits:
    """How much may be asked.

    Attributes:
        body_bytes: longest body of a request.
        prompt_tokens: longest prompt.
        answer_tokens: longest answer that may be asked for.
        default_answer_tokens: longest answer of a conversation where nothing is asked for.
        seconds: longest time of a request, waiting included.
        requests_per_minute: of one client (by key, else by address); 0 is no limit.
        queue: requests of a model that may wait.
        rows: requests of a model that are answered together.
    """

    body_bytes: int = 1 << 20
    prompt_tokens: int = 4096
    answer_tokens: int = 1024
    default_answer_tokens: int = 256
    seconds: float = 120.0
    requests_per_minute: int = 600
    queue: int = 64
    rows: int = 16


@dataclass(frozen=True)
class ServeSettings:
    """A server.

    Attributes:
        host, port: where it listens; port 0 is any free one.
        api_keys: keys of which a request must bring one; never shown.
        auth: user and password that open the pages and the API as well; never shown.
        allowed_hosts: names under which a browser may reach it, without a port; None is what suits `host`.
        policies: Content-Security-Policy by the beginning of a path; the longest that fits holds, and where none
            does, `DATA_POLICY`. Whoever mounts pages adds theirs.
        limits: how much may be asked.
        votes: database of the votes, for the pages; None is `votes.db` in the current folder.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] | None = None
    policies: tuple[tuple[str, str], ...] = ()
    limits: Limits = field(default_factory=Limits)
    votes: str | None = None

    @property
    def guarded(self) -> bool:
        """Whether a request must say who it is from."""
        return bool(self.api_keys or self.auth)

    @property
    def hosts(self) -> tuple[str, ...] | None:
        """Names that a request may be addressed to; None is any, for a server that others reach by a name of theirs."""
        if self.allowed_hosts is not None:
            return tuple(host.lower() for host in self.allowed_hosts)
        return LOCAL_HOSTS if is_local(self.host) else None


def is_local(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_settings(settings: ServeSettings) -> None:
    """Refuse what would be open to others, or could never work.

    Raises:
        InputError: the server would be open to the network without a key, or a value is out of its range.
    """
    if not is_local(settings.host) and not settings.guarded:
        raise InputError(
            f"A server on {settings.host} can be reached by others, and asks nobody who they are.",
            where="--host",
            fix=f"set the environment variable {KEY_VARIABLE}, or add --auth user:password",
        )
    if not 0 <= settings.port <= 65535:
        raise InputError(f"There is no port {settings.port}.", where="--port", fix="name one from 1 to 65535")
    if any(not key.strip() or not key.isascii() or not key.isprintable() for key in settings.api_keys):
        raise InputError("The API key is empty, or has characters that cannot be sent.", where=KEY_VARIABLE)
    if settings.auth is not None and not all(settings.auth):
        raise InputError("User or password is empty.", where="--auth", fix="for example: --auth anna:a-long-password")
    if settings.auth is not None and ":" in settings.auth[0]:
        raise InputError("A user's name cannot have a colon in it.", where="--auth")


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """User and password from `user:password`.

    Raises:
        InputError: there is no colon.
    """
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not colon:
        raise InputError("User and password are separated by a colon.", where="--auth", fix="--auth user:password")
    return user, password
