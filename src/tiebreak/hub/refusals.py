"""What the Hub or the way to it can answer to an upload, as a sentence with what to do about it.

Knows the client's errors. The token is in none of the sentences, whatever a server puts into its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tiebreak.errors import InputError, Interrupted, RunError, TiebreakError
from tiebreak.hub_status import NO_XET, hub_address, hub_answers, is_of_xet, why_unreachable

_QUOTA = ("storage", "quota", "too large", "exceed", "billing", "upgrade")
_AGAIN = "run the same command again: files that have arrived are not sent again"


@dataclass(frozen=True)
class Account:
    """Who uploads: a token, kept out of every representation of this object."""

    token: str

    def __repr__(self) -> str:
        return "Account(token=…)"

    def without_token(self, text: str) -> str:
        """A text in which the token, should it stand there, is hidden."""
        return text.replace(self.token, "…")


def logged_in() -> Account:
    """The account that `hf auth login` or `HF_TOKEN` names; asks no server.

    Raises:
        InputError: there is none, or the Hub cannot be reached.
    """
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise InputError(
            "You are not logged in to the Hub, and nothing can be uploaded without a token.",
            fix="run `hf auth login`, or set HF_TOKEN to a token with the right to write",
        )
    if not hub_answers():
        raise InputError(
            f"The Hub cannot be reached ({why_unreachable()}).",
            where=hub_address(),
            fix="check the network; --dry-run shows without one what would be uploaded",
        )
    return Account(token)


@contextmanager
def explained(repo: str, account: Account) -> Iterator[None]:
    """Turn the client's errors into the user's.

    Args:
        repo: the repository that is written to.
        account: who writes.
    """
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("The upload was stopped, and the repository is as it was before.", fix=_AGAIN) from None
    except TiebreakError:
        raise
    except (HTTPError, OSError, ValueError, RuntimeError) as error:
        # Without the chain: what the libraries say may hold headers, and with them the token.
        raise _sentence(error, repo, account) from None


def _sentence(error: Exception, repo: str, account: Account) -> TiebreakError:
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    causes = list(_chain(error))
    answer = next((cause for cause in causes if isinstance(cause, HfHubHTTPError)), None)
    if answer is not None:
        return _answered(answer.response.status_code, answer.server_message or "", repo, account)
    if any(isinstance(cause, HTTPError | ConnectionError) for cause in causes):
        return RunError(f"The connection to {hub_address()} was lost during the upload.", where=repo, fix=_AGAIN)
    said = _one_line(account.without_token(str(error)))
    if is_of_xet(error):
        return InputError(f"The Hub at {hub_address()} takes no upload by Xet: {said}", where=repo, fix=NO_XET)
    if isinstance(error, ValueError) and said.startswith("Invalid metadata in README.md"):
        return InputError(f"The Hub does not accept the card's head: {said}", where=f"{repo}: README.md")
    if isinstance(error, ValueError) and any(word in said.lower() for word in _QUOTA):
        return _full(repo, said)
    return RunError(f"The upload failed: {said}", where=repo, fix=_AGAIN)


def _answered(status: int, said: str, repo: str, account: Account) -> TiebreakError:
    """An answer of the Hub by its status."""
    said = _one_line(account.without_token(said))
    says = f" It says: {said}" if said else ""
    if status in (413, 507) or (status in (402, 403) and any(word in said.lower() for word in _QUOTA)):
        return _full(repo, said)
    if status == 401:
        return InputError(
            f"The Hub does not accept the token for '{repo}'.{says}",
            where=repo,
            fix="log in again with `hf auth login --force`; a token in HF_TOKEN goes before the one you logged in with",
        )
    if status in (403, 404):
        return InputError(
            f"{_who(account)} may not write to '{repo}'.{says}",
            where=repo,
            fix="name a repository of your own, or use a token with the right to write there",
        )
    if status in (400, 422):
        return InputError(f"The Hub does not accept the upload to '{repo}'.{says}", where=repo)
    if status in (409, 412):
        return RunError(
            f"The repository '{repo}' was changed by somebody else at the same time.", where=repo, fix=_AGAIN
        )
    wait = "wait a little, then " if status == 429 else ""
    return RunError(f"The Hub answered {status} to the upload.{says}", where=repo, fix=wait + _AGAIN)


def _full(repo: str, said: str) -> InputError:
    return InputError(
        f"The Hub has no room for this upload to '{repo}'." + (f" It says: {said}" if said else ""),
        where=repo,
        fix="free some of the account's storage or raise its plan, or upload less (an adapter: --adapter-only)",
    )


def _who(account: Account) -> str:
    """The account by name, where the Hub tells it."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        name = HfApi().whoami(token=account.token).get("name")
    except (HTTPError, OSError, ValueError):
        name = None
    return f"The account '{name}'" if name else "Your account"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
