"""GGUF files as models: read once, and kept as a plain folder of float32 weights in the cache.

`transformers` reads the tensors, the tokenizer and the chat template of the file. The folder goes by what is in the
file, so that a copy of it is not read again. What was rounded off when the file was made does not come back; which
share of the weights that is, is read from the file and said.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiebreak.errors import InputError
from tiebreak.files import cache_folder, folder_at_once

if TYPE_CHECKING:
    from gguf import GGUFReader

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_NOTE = "gguf.json"
_FORM = 1  # of the folders; another number has every file read again
_BLOCK = 1 << 24  # bytes
_WHOLE = ("F32", "F64")  # types of tensors that lose nothing in float32
# What reading a damaged file ends in, in numpy and in the readers of others.
_DAMAGED = (ValueError, LookupError, TypeError, OverflowError, AttributeError, RuntimeError, OSError, MemoryError)


def is_gguf_name(name: str) -> bool:
    """Whether a name is that of a GGUF file, which may not be there."""
    return name.lower().endswith(SUFFIX)


def gguf_folder(file: Path) -> Path:
    """The model of a GGUF file as a folder that `from_pretrained` reads; made at the first call.

    Args:
        file: the file.
    Raises:
        InputError: it is no GGUF file, is cut off, or holds no model that `transformers` can read; or a package that is
            needed is not installed.
    """
    _check_begins(file)
    target = cache_folder() / "gguf" / f"{_content_hash(file)[:32]}-{_FORM}"
    if target.is_dir():
        return target
    if importlib.util.find_spec("gguf") is None or importlib.util.find_spec("filelock") is None:
        raise InputError(
            "GGUF files need a package that is not installed here: gguf.",
            where=str(file),
            fix='pip install "tiebreak[gguf]"',
        )
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):  # who waits here finds it made
        if not target.is_dir():
            with folder_at_once(target) as folder:
                write_plain(file, folder)
    return target


def gguf_note(name: str) -> str | None:
    """What precision the weights of a model have lost, in a sentence; None where it is no GGUF file.

    Args:
        name: of a model, as for `models.load.locate`.
    Raises:
        InputError: as `gguf_folder`.
    """
    file = Path(name).expanduser()
    if not is_gguf_name(name) or not file.is_file():
        return None
    return str(json.loads((gguf_folder(file) / _NOTE).read_text(encoding="utf-8"))["precision"])


def write_plain(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file into a folder: float32 weights in safetensors, tokenizer, chat template.

    Args:
        file: the GGUF file.
        folder: is there, and empty.
    Raises:
        InputError: as `gguf_folder`.
    """
    reader = _reader(file)
    architecture = str(_field(reader, "general.architecture"))
    parts = _field(reader, "split.count")
    if isinstance(parts, int) and parts > 1:
        raise InputError(
            f"The file is one of {parts} parts of a model.",
            where=str(file),
            fix="join them with: llama-gguf-split --merge FIRST_PART WHOLE.gguf",
        )
    model, tokenizer = _loaded(file, architecture)
    licence = _field(reader, "general.license")
    if isinstance(licence, str):
        model.config.license = licence
    plain = _plain(model)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    types = Counter[str]()
    for tensor in reader.tensors:
        types[tensor.tensor_type.name] += int(tensor.n_elements)
    note = {"precision": precision_sentence(types), "architecture": architecture, "tensor_types": types}
    (folder / _NOTE).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")


def precision_sentence(types: Counter[str]) -> str:
    """What was lost when weights were written in some types of numbers.

    Args:
        types: how many weights have which type.
    """
    rounded = {name: count for name, count in types.most_common() if name not in _WHOLE}
    total = sum(types.values())
    if not rounded:
        return "its weights are float32: nothing was lost"
    shares = ", ".join(f"{_share(count, total)} {name}" for name, count in rounded.items())
    return (
        f"weights that were rounded when the file was made: {shares}; they are float32 now, and what was rounded off "
        "does not come back"
    )


def _share(count: int, total: int) -> str:
    percent = 100 * count / total
    return "all" if count == total else "under 1%" if percent < 1 else f"{min(percent, 99):.0f}%"


def _check_begins(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            begins = opened.read(len(_MAGIC))
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.", where=str(file)) from None
    if begins != _MAGIC:
        what = "is empty" if not begins else "is no GGUF file: it does not begin with the letters GGUF"
        raise InputError(f"The file {what}.", where=str(file), fix="download it again, or name another file")


def _content_hash(file: Path) -> str:
    facts = file.stat()
    return _hash_of(file.resolve(), (facts.st_size, facts.st_mtime_ns, facts.st_ino))


@lru_cache(maxsize=16)
def _hash_of(file: Path, _facts: tuple[int, ...]) -> str:
    """The hash of what is in a file; read once for each path, size and time of change."""
    found = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _reader(file: Path) -> GGUFReader:
    from gguf import GGUFReader

    try:
        return GGUFReader(file)
    except _DAMAGED as error:
        raise _damaged(file) from error


def _damaged(file: Path) -> InputError:
    return InputError("The GGUF file is cut off or damaged.", where=str(file), fix="download it again")


def _field(reader: GGUFReader, name: str) -> Any:
    found = reader.fields.get(name)
    return None if found is None else found.contents()


def _loaded(file: Path, architecture: str) -> tuple[Any, Any]:
    """Model and tokenizer as `transformers` reads them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    if not any(architecture.startswith(known) for known in GGUF_SUPPORTED_ARCHITECTURES):
        raise InputError(
            f"GGUF files of the architecture '{architecture}' cannot be read by transformers.",
            where=str(file),
            fix=f"those that can: {', '.join(sorted(GGUF_SUPPORTED_ARCHITECTURES))}",
        )
    from_file: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    load: Callable[..., Any] = AutoModelForCausalLM.from_pretrained
    try:
        model, report = load(str(file.parent), **from_file, dtype="float32", output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **from_file)
    except (*_DAMAGED, ImportError) as error:
        first = f"{type(error).__name__}: {error}".split("\n")[0][:300]
        raise InputError(
            f"The GGUF file holds no language model that transformers can read ({first}).", where=str(file)
        ) from error
    if missing := sorted(report.get("missing_keys", ())):
        raise InputError(f"The GGUF file lacks weights of a language model: {', '.join(missing[:3])}.", where=str(file))
    return model, tokenizer


def _plain(model: Any) -> Any:
    """The model without the mark of a quantized one, which cannot be written."""
    config = model.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    config._name_or_path = ""
    state = model.state_dict()
    plain = type(model)(config)
    plain.load_state_dict(state, assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
