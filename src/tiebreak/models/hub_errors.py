"""What loading a model can end in, as a sentence: gated, missing, unreachable, or not what was hoped for.

Knows how the libraries fail, and proposes names that are nearly the same and at hand; loads nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tiebreak.errors import InputError
from tiebreak.reach import hub_address, hub_answers, nearest_cached, said_of_cache, why_unreachable

_UNREACHABLE = (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError)


def only_cached(source: str) -> bool:
    """Whether a model is to be read from the cache alone: its name is a Hub id, and the Hub does not answer.

    Args:
        source: a folder or a Hub id.
    """
    return not Path(source).is_dir() and not hub_answers()


def explained(error: Exception, name: str, source: str, revision: str | None) -> InputError:
    """The error of a library as a sentence with what to do.

    Args:
        error: what was raised.
        name: what the user wrote.
        source: the folder or the Hub id that it stands for.
        revision: of the Hub model.
    """
    causes = tuple(_chain(error))
    where, local = f"model.name = {name}", Path(source).is_dir()

    def because_of(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if because_of(GatedRepoError):
        return InputError(
            f"The model '{name}' is gated: its owners give access on request.",
            where=where,
            fix=f"ask for access on {hub_address()}/{source}, then log in with `hf auth login`",
        )
    if because_of(RevisionNotFoundError):
        return InputError(
            f"The model '{name}' has no revision '{revision}'.", where=where, fix="name a branch, a tag or a commit"
        )
    if because_of(RepositoryNotFoundError):
        near = nearest_cached(source, "model")
        return InputError(
            f"There is no model '{name}' on the Hub, or it is private.",
            where=where,
            fix=f"{near or 'check the spelling'}; for a private model log in with `hf auth login`",
        )
    if not local and (because_of(*_UNREACHABLE) or "couldn't connect" in str(error).lower()):
        what = f"'{name}'" if revision is None else f"'{name}' at revision '{revision}'"
        return InputError(
            f"The Hub cannot be reached ({why_unreachable()}), and the model {what} is not in the local cache.",
            where=where,
            fix="check the network, or name a folder that holds the model"
            + (_near_folder(name) or f"; {said_of_cache(source, 'model')}"),
        )
    first = str(error).strip().split("\n")[0]
    if "safetensors" in first.lower():
        return InputError(
            f"The model '{name}' has no safetensors weights, and Tiebreak reads no pickled ones.",
            where=where,
            fix="convert it once with transformers' save_pretrained, or choose a revision that has them",
        )
    return InputError(f"The model '{name}' cannot be loaded: {first[:300]}", where=where)


def _near_folder(name: str) -> str:
    """A proposal, where a folder here is called nearly the same."""
    folders = [entry.name for entry in Path().iterdir() if (entry / "config.json").is_file()]
    near = difflib.get_close_matches(name, folders, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
