"""How a library's failure to load a model becomes a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)
from safetensors import SafetensorError

from tiebreak.errors import InputError
from tiebreak.hub_status import NO_XET, hub_address, is_of_xet, nearest_cached, said_of_cache, why_unreachable
from tiebreak.models.folder import near_models

LOADING = (OSError, ValueError, KeyError, ImportError, HFValidationError, SafetensorError, XetDownloadError)
"""What libraries raise where a model cannot be loaded."""
_DAMAGED = "remove it from the cache with `hf cache rm`, and it is fetched again"
_UNREACHABLE = (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError)


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
            fix=f"{near or 'check the spelling'}{_near_folder(name)}; for a private model log in with `hf auth login`",
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
    if not local and is_of_xet(error):
        return InputError(f"The Hub did not give the model '{name}' by Xet: {first[:300]}.", where=where, fix=NO_XET)
    if because_of(SafetensorError):
        return InputError(f"The weights of '{name}' are damaged: {first}.", where=where, fix=_DAMAGED)
    if "safetensors" in first.lower():
        return InputError(
            f"The model '{name}' has no safetensors weights, and Tiebreak reads no pickled ones.",
            where=where,
            fix="convert it once with transformers' save_pretrained, or choose a revision that has them",
        )
    return InputError(f"The model '{name}' cannot be loaded: {first[:300]}", where=where)


def _near_folder(name: str) -> str:
    """A proposal, where a folder here is called nearly the same."""
    said = near_models(Path(name), name)
    return f"; {said}" if said.startswith("did you mean") else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
