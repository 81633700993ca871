"""Writing what was trained, and saying truthfully why it could not be written: the disk, the memory, or the GPU."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import PreTrainedModel

from tiebreak.errors import RunError
from tiebreak.models.adapters import PREFIX, TRAINED, WEIGHTS, has_adapter
from tiebreak.models.embeddings import trained_tables
from tiebreak.process.failures import first_line, is_device_error, is_out_of_memory

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_BROKEN = (errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV, errno.ESTALE)
_OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how safetensors tells the system's number
_TORCH_WRITER = ("inline_container", "PytorchStreamWriter", "Parent directory")


def save_weights(model: PreTrainedModel, folder: Path) -> None:
    """Write what of a model was trained: its adapter in PEFT's form, or all of it.

    Args:
        model: with an adapter or without.
        folder: that exists.
    """
    if not has_adapter(model):
        model.save_pretrained(folder)
        return
    from peft import get_peft_model_state_dict

    # Asked not to look for changed embeddings, PEFT asks no Hub what the model was like.
    weights = get_peft_model_state_dict(model, adapter_name=TRAINED, save_embedding_layers=False)
    weights = {**weights, **trained_tables(model)}
    whole = {f"{PREFIX}{key}": value.detach().cpu().contiguous() for key, value in weights.items()}
    save_file(whole, folder / WEIGHTS, metadata={"format": "pt"})
    model.peft_config[TRAINED].save_pretrained(str(folder))


@contextmanager
def named_write_errors(what: str, path: Path, *, then: str = "") -> Iterator[None]:
    """Within the block something is written, and an error tells what ended that.

    Args:
        what: the thing that is written, as the subject of a sentence: `The checkpoint of step 5`.
        path: where it is written.
        then: what to do once the cause is gone: `go on with --resume`.
    Raises:
        RunError: the disk does not take it, memory ran out, or the GPU failed; each says so.
        Whatever else the block raises, as it is.
    """
    try:
        yield
    except (OSError, RuntimeError, MemoryError, SafetensorError) as error:
        found = write_error(error, what, path, then=then)
        if found is None:
            raise
        raise found from error


def write_error(error: BaseException, what: str, path: Path, *, then: str = "") -> RunError | None:
    """The error of a library that ended a writing, as a sentence; None where it is a fault of another kind.

    Args:
        error: what was raised.
        what, path, then: as for `named_write_errors`.
    """
    # A writer that is closed after a failure complains in its turn: what it was closed for is the cause.
    causes = (error, *_contexts(error))
    for cause in causes:
        if is_device_error(cause):
            return RunError(
                f"{what} cannot be written, because the GPU failed: {first_line(cause)}.",
                where="the GPU, at this step or before",
                fix=_joined("start a new process; with CUDA_LAUNCH_BLOCKING=1 the message names the operation", then),
            )
        if is_out_of_memory(cause):
            return RunError(
                f"{what} cannot be written, because memory ran out: {first_line(cause)}.",
                where=str(path),
                fix=_joined("leave more memory free", then),
            )
    fix = _fix_of_disk(error)
    if fix is None:
        return None
    return RunError(f"{what} cannot be written: {first_line(error)}.", where=str(path), fix=_joined(fix, then))


def disk_is_full(error: OSError) -> bool:
    """Whether the disk, or what one may use of it, is full."""
    return error.errno in _FULL


def _fix_of_disk(error: BaseException) -> str | None:
    """What to do about an error of the disk; None where it is none."""
    said = str(error)
    if isinstance(error, OSError):
        number = error.errno
    elif isinstance(error, SafetensorError):
        found = _OS_ERROR.search(said)
        if found is None:
            return None
        number = int(found[1])
    else:
        return "free some disk, if it is full" if any(words in said for words in _TORCH_WRITER) else None
    if number in _FULL:
        return "free some disk"
    if number in _NOT_ALLOWED:
        return "make the folder writable"
    return "see that the disk is there and whole" if number in _BROKEN else None  # a connection, too many open files


def _contexts(error: BaseException) -> Iterator[BaseException]:
    while (before := error.__cause__ or error.__context__) is not None:
        yield before
        error = before


def _joined(fix: str, then: str) -> str | None:
    return ", then ".join(part for part in (fix, then) if part) or None
