"""Whom a request counts for, and how often a client may ask or try a key.

A client is an address, with the key that it brought if that is a right one: what somebody makes up does not make
another client of them. Keys are kept as digests only.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

_CLIENTS = 10_000
_NAME = "tiebreak.client"
# Whoever has an IPv6 address has as many as this leaves.
_IPV6_OF_ONE = 64


class RateLimit:
    """So many requests a minute from each client, with as many at once; the least recent clients are forgotten.

    Args:
        per_minute: requests; 0 is no limit.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Count a request of a client.

        Returns:
            0, or the seconds after which the client may try again; the request is not counted then.
        """
        if self.per_minute <= 0:
            return 0
        now = self._clock()
        left, since = self._left.pop(client, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - since) * self.per_minute / 60)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) * 60 / self.per_minute))


class KeyTries:
    """Keys that have not been right before may be tried so many times a minute from an address.

    What was right once goes on to be let through from there, so that somebody who guesses locks nobody else out.

    Args:
        per_minute: tries.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = RateLimit(per_minute, clock)
        self._right: OrderedDict[str, None] = OrderedDict()

    def wait(self, address: str, authorization: str) -> int:
        """Count a try, unless these credentials were right before.

        Args:
            address: from `address_of`.
            authorization: header of the request; an empty one is no try.
        Returns:
            0, or the seconds until the next try is looked at.
        """
        if not authorization or _digest(address, authorization) in self._right:
            return 0
        return self._rate.wait(address)

    def right(self, address: str, authorization: str) -> None:
        """Note credentials that are right."""
        known = _digest(address, authorization)
        self._right[known] = None
        self._right.move_to_end(known)
        if len(self._right) > _CLIENTS:
            self._right.popitem(last=False)


def address_of(scope: Scope, trusted: Sequence[str] = ()) -> str:
    """The address that a request comes from; of an IPv6 address, its network of 64 bits.

    Args:
        scope: of the request.
        trusted: addresses and networks of proxies. What `X-Forwarded-For` says is believed as far as it was written
            by them: read from its end, the first address that is none of them is the client's.
    """
    client = scope.get("client")
    address = str(client[0]) if client else "unknown"
    networks = [ipaddress.ip_network(one, strict=False) for one in trusted]
    named = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
    while named and _is_in(address, networks):
        before = _parsed(named.pop().strip())
        if before is None:
            break
        address = str(before)
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, _IPV6_OF_ONE), strict=False))
    return address


def _is_in(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def mark(scope: Scope, address: str, known_as: str) -> None:
    """Write on a request whom it counts for, for `client_of`.

    Args:
        scope: of the request.
        address: from `address_of`.
        known_as: the right key that it brought; empty where none is asked for.
    """
    scope[_NAME] = _digest(address, known_as)


def client_of(scope: Scope) -> str:
    """Whom a request counts for, as a digest; where no guard has marked it, its address."""
    return str(scope.get(_NAME) or _digest(address_of(scope), ""))


def _digest(address: str, more: str) -> str:
    return hashlib.sha256(f"{address}\0{more}".encode()).hexdigest()
