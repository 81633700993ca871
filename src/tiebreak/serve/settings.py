"""What can be set about a server and its pages: where it listens, who may ask, how much, and how the pages behave."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tiebreak.errors import InputError

KEY_VARIABLE = "TIEBREAK_API_KEY"
AUTH_VARIABLE = "TIEBREAK_AUTH"
STEWARDS_VARIABLE = "TIEBREAK_STEWARDS"
SECRET_VARIABLES = frozenset({KEY_VARIABLE, AUTH_VARIABLE, STEWARDS_VARIABLE})
"""What only the server may know: no process that it starts gets them."""
Pairing = Literal["chosen", "uniform", "least-known"]
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy of what is data, never a page."""

PAGE_POLICY = (
    # Gradio compiles templates in the page, hence 'unsafe-eval' and inline scripts; nothing may come from elsewhere.
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; frame-src 'none'; "
    "worker-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the pages: whatever a text may hold, the browser fetches nothing from elsewhere."""

EXAMPLES = (
    "What is a young kangaroo called?",
    "Tell me the capital of Australia.",
    "I am looking for the opposite of inside.",
)
"""Prompts that suit any model, the bundled one among them."""


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.\[\]:_-]+")


@dataclass(frozen=True)
class Limits:
    """How much may be asked.

    Attributes:
        body_bytes: longest body of a request.
        prompt_tokens: longest prompt.
        answer_tokens: longest answer that may be asked for.
        cut_answers: give the longest answer there is to who asks for a longer one, and say so; else refuse.
        default_answer_tokens: longest answer of a conversation where nothing is asked for.
        seconds: longest time of a request, waiting included.
        requests_per_minute: of one client, by its address and its right key; 0 is no limit.
        key_tries_per_minute: keys that have not been right before and may be tried from one address; 0 is no limit.
        queue: requests of a model that may wait.
        rows: requests of a model that are answered together.
        choices: answers that one request may ask for.
    """

    body_bytes: int = 1 << 20
    prompt_tokens: int = 4096
    answer_tokens: int = 1024
    cut_answers: bool = True
    default_answer_tokens: int = 256
    seconds: float = 120.0
    requests_per_minute: int = 600
    key_tries_per_minute: int = 10
    queue: int = 64
    rows: int = 16
    choices: int = 128


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
        votes: path or URL of the votes store, for the pages; None is `votes.address.default_votes()`.
        trusted_proxies: addresses and networks of proxies whose `X-Forwarded-For` is believed.
        train: whether trainings may be started from the page, by whom `pages.permission` lets; None is only where
            nobody but the users of this machine can reach the server.
        train_keys: of `api_keys`, those that may train.
        cors_origins: sites whose pages may use the API, such as `https://chat.example.org`, in small letters.
        pages: how the pages behave; what `limits` says of answers goes before it.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] | None = None
    policies: tuple[tuple[str, str], ...] = ()
    limits: Limits = field(default_factory=Limits)
    votes: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    train: bool | None = None
    train_keys: tuple[str, ...] = field(default=(), repr=False)
    pages: PageSettings = field(default_factory=lambda: PageSettings())

    @property
    def training(self) -> bool:
        """Whether anybody may train from the page: by default not where others may come through a proxy."""
        return self.local_only if self.train is None else self.train

    @property
    def local_only(self) -> bool:
        """Whether only users of this machine can reach it, as far as the settings say."""
        return is_local(self.host) and not self.trusted_proxies and self.allowed_hosts is None

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


@dataclass(frozen=True)
class PageSettings:
    """How the pages behave.

    Attributes:
        title: of the browser's tab.
        examples: prompts to begin with.
        max_prompt_chars: longest prompt and longest system prompt, in characters.
        max_reason_chars: longest reason of a vote.
        max_edited_chars: longest edited answer.
        max_turns: most turns of a conversation, after which it must be cleared.
        max_tokens: longest answer that may be asked for, in tokens.
        default_tokens: longest answer at first.
        seconds: longest time of an answer, waiting included.
        temperature, top_p: at first.
        votes_a_page: of the Data page.
        correct_all: whether everybody may correct and withdraw every vote, or each voter only their own.
        stewards: names of voters who may correct and withdraw every vote (`votes.voters.stewards_of`).
        votes_per_minute: most votes of a voter in a minute, and ten times as many from one address; 0 is no limit.
        pairing: how the two models of a comparison are found: `chosen` leaves it to the voter; `uniform` draws any two,
            `least-known` the two of which least is known, and which two they are is hidden.
        prompts: what is to be compared, each the turns of a conversation that ends with the user's; none leaves it to
            the voter.
        seed: of the shuffle of sides; None is a new one each time.
        refresh_seconds: how often the Runs page looks at a run that is being trained.
    """

    title: str = "Tiebreak"
    examples: tuple[str, ...] = EXAMPLES
    max_prompt_chars: int = 16_000
    max_reason_chars: int = 2_000
    max_edited_chars: int = 16_000
    max_turns: int = 100
    max_tokens: int = 1024
    default_tokens: int = 256
    seconds: float = 120.0
    temperature: float = 0.7
    top_p: float = 1.0
    votes_a_page: int = 10
    correct_all: bool = False
    stewards: frozenset[str] = frozenset()
    votes_per_minute: int = 30
    pairing: Pairing = "chosen"
    prompts: tuple[tuple[tuple[str, str], ...], ...] = ()
    seed: int | None = None
    refresh_seconds: float = 2.0


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
            fix=f"set the environment variable {KEY_VARIABLE}, or {AUTH_VARIABLE} to user:password",
        )
    if not 0 <= settings.port <= 65535:
        raise InputError(f"There is no port {settings.port}.", where="--port", fix="name one from 1 to 65535")
    if any(not key.strip() or not key.isascii() or not key.isprintable() for key in settings.api_keys):
        raise InputError("The API key is empty, or has characters that cannot be sent.", where=KEY_VARIABLE)
    if settings.auth is not None and not all(settings.auth):
        raise InputError("User or password is empty.", where="--auth", fix="for example: --auth anna:a-long-password")
    if settings.auth is not None and ":" in settings.auth[0]:
        raise InputError("A user's name cannot have a colon in it.", where="--auth")
    if settings.train and settings.guarded and not settings.auth and not settings.train_keys:
        raise InputError(
            "Nobody could train: the keys are for asking only.",
            where="--train",
            fix="name keys that may with --train-key-file, or a user with --auth",
        )
    if not settings.guarded and settings.train and not settings.local_only:
        raise InputError(
            "Whoever comes through a proxy could train, and is asked for no key.",
            where="--train",
            fix=f"set the environment variable {AUTH_VARIABLE} to user:password, or leave --train out",
        )
    for proxy in settings.trusted_proxies:
        _check_network(proxy)
    for origin in settings.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            raise InputError(
                f"'{origin}' is no origin.",
                where="--cors",
                fix="scheme and host without a path, for example: --cors https://chat.example.org",
            )


def _check_network(proxy: str) -> None:
    try:
        ipaddress.ip_network(proxy, strict=False)
    except ValueError:
        raise InputError(
            f"'{proxy}' is no address.",
            where="--trusted-proxy",
            fix="an address or a network, for example: --trusted-proxy 127.0.0.1, or 10.0.0.0/8",
        ) from None


def parse_auth(given: Sequence[str]) -> tuple[str, str] | None:
    """User and password from `user:password`.

    Args:
        given: from `secrets_from`; None where there is nothing in it.
    Raises:
        InputError: there is no colon, or there are several users.
    """
    if not given:
        return None
    if len(given) > 1:
        raise InputError("Only one user can be given.", where="--auth-file", fix="one line: user:password")
    user, colon, password = given[0].partition(":")
    if not colon:
        raise InputError("User and password are separated by a colon.", where="--auth", fix="--auth user:password")
    return user, password


def secrets_from(given: str | None, file: Path | None, *, option: str, variable: str) -> tuple[str, ...]:
    """Secrets as the user gave them: on the command line, in a file with one on a line, or in the environment.

    Args:
        given: on the command line, where everybody on the machine can read it.
        file: comes before the environment.
        option, variable: their names.
    Returns:
        Those that there are, without white space around them; none where nothing is given.
    Raises:
        InputError: both are given, or the file cannot be read or is empty.
    """
    if given is not None and file is not None:
        raise InputError(f"Both {option} and {option}-file are given.", where=option, fix="give one of them")
    if file is None:
        found = given if given is not None else os.environ.get(variable)
        return () if found is None else (found,)
    return secrets_in(file, where=f"{option}-file")


def secrets_in(file: Path, *, where: str) -> tuple[str, ...]:
    """Secrets in a file, one on a line.

    Raises:
        InputError: the file cannot be read or is empty.
    """
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"The file '{file}' cannot be read: {reason}.", where=where) from None
    found_lines = tuple(line for line in lines if line)
    if not found_lines:
        raise InputError(f"The file '{file}' is empty.", where=where)
    return found_lines
