"""Who may start and stop trainings from the page: whoever may run the command on this machine, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping

from tiebreak.serve.api.guard import known_as
from tiebreak.serve.settings import ServeSettings

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
NOT_ALLOWED = (
    "You may not train here. Where the server asks who you are, its user may, and the keys of --train-key-file."
)


def may_train(headers: Mapping[str, str], settings: ServeSettings) -> bool:
    """Whether a request comes from somebody who may train.

    Args:
        headers: of the request, by their names in small letters.
        settings: of the server.
    Returns:
        Without keys: only on a server that nobody else can reach, and not through a proxy, behind which anybody may be.
        With keys: the user of `--auth`, and the keys that are named for it; the other keys may not.
    """
    if not settings.training:
        return False
    if not settings.guarded:
        return not any(name in headers for name in _FORWARDED)
    known = known_as(headers.get("authorization", ""), settings)
    user = ":".join(settings.auth) if settings.auth else None
    return known is not None and (known == user or known in settings.train_keys)
