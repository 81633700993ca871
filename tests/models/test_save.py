"""What ends a writing is said truthfully: a full disk, a folder that is closed, memory, a failed GPU, a fault."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from tests.architectures import ARCHITECTURES
from tests.training.small import preference_trainer, tokenized_pairs
from tiebreak.errors import RunError
from tiebreak.models.save import named_write_errors

GPU = torch.AcceleratorError("CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
WRITER = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")
SHARED = RuntimeError("The weights trying to be saved contained shared tensors")


def _raised(error: BaseException, folder: Path) -> BaseException:
    with (
        pytest.raises((Exception, KeyboardInterrupt)) as caught,
        named_write_errors("The model", folder, then="go on with --resume"),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (FULL, "free some disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "free some disk"),
        (
            SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "free some disk",
        ),
        (WRITER, "free some disk, if it is full"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), "free some disk"),
        (PermissionError(errno.EACCES, "Permission denied"), "make the folder writable"),
        (OSError(errno.EROFS, "Read-only file system"), "make the folder writable"),
        (SafetensorError("Error while serializing: I/O error: Permission denied (os error 13)"), "writable"),
        (OSError(errno.EIO, "Input/output error"), "see that the disk is there and whole"),
    ],
    ids=repr,
)
def test_the_disk(error: Exception, fix: str, tmp_path: Path) -> None:
    found = _raised(error, tmp_path)
    assert isinstance(found, RunError)
    assert found.what.startswith("The model cannot be written: ")
    assert found.where == str(tmp_path)
    assert fix in str(found.fix)
    assert str(found.fix).endswith(", then go on with --resume")
    assert found.__cause__ is error


@pytest.mark.parametrize("error", [GPU, RuntimeError("CUDA error: an illegal memory access was encountered")], ids=repr)
def test_a_failed_gpu_is_not_a_full_disk(error: Exception, tmp_path: Path) -> None:
    found = _raised(error, tmp_path)
    assert isinstance(found, RunError)
    assert str(error).splitlines()[0] in found.what
    assert "GPU failed" in found.what
    assert "disk" not in str(found)
    assert found.__cause__ is error


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")], ids=repr)
def test_memory_is_not_a_full_disk(error: Exception, tmp_path: Path) -> None:
    found = _raised(error, tmp_path)
    assert isinstance(found, RunError)
    assert "memory ran out" in found.what
    assert "disk" not in f"{found.what} {found.fix}"


def test_a_writer_that_complains_when_it_is_closed_does_not_hide_what_it_was_closed_for(tmp_path: Path) -> None:
    def closes() -> None:
        try:
            raise GPU
        finally:
            raise WRITER

    with pytest.raises(RunError, match="GPU failed"), named_write_errors("The model", tmp_path):
        closes()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("the Hub hung up"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        TimeoutError("timed out"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError("a library's own"),
    ],
)
def test_what_is_not_the_disk_keeps_its_own_words(error: OSError, tmp_path: Path) -> None:
    assert _raised(error, tmp_path) is error


@pytest.mark.parametrize(
    "error",
    [SHARED, SafetensorError("Error while serializing: invalid header"), ValueError("bad"), KeyboardInterrupt()],
    ids=repr,
)
def test_any_other_fault_stays_what_it_is(error: BaseException, tmp_path: Path) -> None:
    assert _raised(error, tmp_path) is error


@pytest.fixture
def _small_files() -> Iterator[None]:
    """Files may not grow beyond 64 KiB, as on a disk that fills up."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("_small_files")
@pytest.mark.parametrize("writer", ["safetensors", "torch", "python"])
def test_a_disk_that_fills_up_in_earnest(writer: str, tmp_path: Path) -> None:
    write: dict[str, Callable[[Path], object]] = {
        "safetensors": lambda path: save_file({"x": torch.zeros(2**16)}, path),
        "torch": lambda path: torch.save({"x": torch.zeros(2**16)}, path),
        "python": lambda path: path.write_bytes(bytes(2**18)),
    }
    with (
        pytest.raises(RunError, match="The model cannot be written") as caught,
        named_write_errors("The model", tmp_path),
    ):
        write[writer](tmp_path / "x")
    assert "disk" in str(caught.value.fix)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (FULL, RunError, "No space left on device"),
        (GPU, RunError, "because the GPU failed: CUDA error: device-side assert triggered"),
        (SHARED, RuntimeError, "shared tensors"),
    ],
    ids=["disk", "GPU", "fault"],
)
def test_a_checkpoint_that_cannot_be_written_says_why_and_leaves_none(
    error: Exception, kind: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ARCHITECTURES["gpt2"]()
    trainer = preference_trainer(model, tokenized_pairs(4), tmp_path, batch_size=2, save_every=1, max_steps=2)

    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(trainer, "_save_optimizer_and_scheduler", fails)
    with pytest.raises(kind, match=says) as caught:
        trainer.train()
    assert ("free some disk" in str(caught.value)) == (error is FULL)
    assert not list(tmp_path.glob("checkpoint-*"))
    assert not (tmp_path / ".partial").exists()
