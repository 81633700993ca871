"""From a name to a model and its tokenizer: `bundled:base`, a run, a folder, or a Hub id.

Weights are read from safetensors only. Code that a model brings along runs only where the recipe says so.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.bundled import base_model_path
from tiebreak.errors import InputError
from tiebreak.models.fuse import fuse

BUNDLED = "bundled:base"


@dataclass(frozen=True)
class Located:
    """Where a model is read from: a folder on this machine, or a Hub id with its revision."""

    source: str
    revision: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder."""
        return Path(self.source).is_dir()


def locate(name: str, revision: str | None = None) -> Located:
    """Resolve the name of a model.

    Args:
        name: `bundled:base`, a run folder, a folder with a model, or a Hub id.
        revision: branch, tag or commit; for Hub ids only.
    Raises:
        InputError: the name can be none of these.
    """
    if name == BUNDLED:
        return Located(str(base_model_path()))
    if name.startswith("bundled:"):
        raise InputError(f"There is no bundled model '{name}'.", where="model.name", fix=f"the one there is: {BUNDLED}")
    path = Path(name).expanduser()
    if not name:
        raise InputError("The model has no name.", where="model.name")
    if (path / "recipe.yaml").is_file():
        if not (path / "model" / "config.json").is_file():
            raise InputError(
                f"The run '{name}' has no finished model yet.",
                where=str(path / "model"),
                fix=f"finish it with: tiebreak train --out {name} --resume",
            )
        return Located(str(path / "model"))
    if path.is_dir():
        return Located(str(path))
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise InputError(f"There is no model folder '{name}'.", where="model.name")
    return Located(name, revision)


def load_model(
    name: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Load a causal language model.

    Args:
        name: as for `locate`.
        revision: of a Hub model.
        dtype: type of the weights in memory.
        trust_remote_code: run code that the model brings along.
    Returns:
        The model on the CPU, in evaluation mode (dropout off).
    Raises:
        InputError: there is no such model, it cannot be reached, or it is not a causal language model.
    """
    found = locate(name, revision)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            found.source,
            revision=found.revision or "main",
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise _explained(error, name, found) from error
    model: PreTrainedModel = loaded[0]
    told: dict[str, Any] = loaded[1]
    missing = sorted(told.get("missing_keys", ()))
    if missing:
        raise InputError(
            f"'{name}' lacks weights of a language model: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}",
            where=f"model.name = {name}",
            fix="name a causal language model, not a classifier or reward model",
        )
    _make_savable(model)
    fuse(model)
    model.train(False)
    return model


def _make_savable(model: PreTrainedModel) -> None:
    """Drop sampling values that a model brings along but does not use; `save_pretrained` refuses such a file."""
    config: Any = model.generation_config
    if config is not None and not config.do_sample:
        for name in ("temperature", "top_p", "top_k", "min_p", "typical_p"):
            if hasattr(config, name):
                setattr(config, name, None)


def load_tokenizer(
    name: str, *, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model; names as for `locate`.

    Raises:
        InputError: there is no such model, it cannot be reached, or it has no tokenizer.
    """
    found = locate(name, revision)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            found.source, revision=found.revision or "main", trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise _explained(error, name, found) from error
    return tokenizer


def load_config(name: str, *, revision: str | None = None, trust_remote_code: bool = False) -> Any:
    """Load a model's configuration; names as for `locate`."""
    found = locate(name, revision)
    try:
        return AutoConfig.from_pretrained(
            found.source, revision=found.revision or "main", trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError, ImportError, HFValidationError) as error:
        raise _explained(error, name, found) from error


def _explained(error: Exception, name: str, found: Located) -> InputError:
    """The error of a library as a sentence with what to do."""
    causes = list(_chain(error))
    where = f"model.name = {name}"
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return InputError(
            f"The model '{name}' is gated: its owners give access on request.",
            where=where,
            fix=f"ask for access on https://huggingface.co/{name}, then log in with `hf auth login`",
        )
    if any(isinstance(cause, RevisionNotFoundError) for cause in causes):
        return InputError(f"The model '{name}' has no revision '{found.revision}'.", where=where)
    if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
        return InputError(
            f"There is no model '{name}' on the Hub, or it is private.",
            where=where,
            fix="check the spelling; for a private model log in with `hf auth login`",
        )
    unreachable = any(isinstance(cause, LocalEntryNotFoundError | ConnectionError) for cause in causes)
    if not found.is_local and (unreachable or "couldn't connect" in str(error).lower()):
        return InputError(
            f"The Hub cannot be reached, and the model '{name}' is not in the local cache.",
            where=where,
            fix=f"check the network, or name a folder that holds the model{_near_folder(name)}",
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


def _chain(error: BaseException | None) -> Any:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
