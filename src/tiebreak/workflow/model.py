"""The model of a run: loaded, on its device, in its arithmetic, with the adapter that is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from tiebreak.engine.gradient_checkpointing import checkpoint_layers
from tiebreak.engine.reference import fingerprint_weights
from tiebreak.models.adapters import (
    REFERENCE,
    TRAINED,
    add_adapter,
    base_name,
    described_adapter,
    load_adapter,
    use_adapter,
)
from tiebreak.models.embeddings import resize, rows_of, train_new_rows
from tiebreak.models.finite import check_finite
from tiebreak.models.gguf import gguf_note
from tiebreak.models.load import adapter_folder, check_readable_again, load_model, load_tokenizer
from tiebreak.models.precision import Precision, choose_device, choose_precision, compute_in, hold_matrices_in
from tiebreak.recipe import ModelSection, Recipe
from tiebreak.runs.manifest import AdapterRecord, ModelRecord
from tiebreak.workflow.shared import ALONE, Shared


@dataclass(frozen=True)
class RunModel:
    """The model of a run, on its device.

    Attributes:
        model: with its adapter, where it has one.
        device, precision: where and how it computes.
        plain: type of the arithmetic where it is not the run's; None is that of the weights. Where an adapter is
            trained in bfloat16 the frozen matrices are held in it, so that there is no other arithmetic.
        record: what it is, with the fingerprint of the weights that the run starts from, for the manifest.
    """

    model: PreTrainedModel
    device: torch.device
    precision: Precision
    record: ModelRecord
    plain: torch.dtype | None = None

    @property
    def fingerprint(self) -> str:
        """Of the weights that the run starts from, a new adapter aside."""
        return str(self.record.fingerprint)

    @property
    def adapter(self) -> AdapterRecord | None:
        """What is trained of it; None is all of it."""
        return self.record.adapter


def prepare_model(recipe: Recipe, shared: Shared = ALONE) -> RunModel:
    """Load the model that a run starts from, choose its device and arithmetic, and put an adapter in it if asked to.

    Args:
        recipe: its sections `model` and `train`.
        shared: what the run has in common with others, which is copied where weights would be read again.
    Raises:
        InputError: the model cannot be loaded, or cannot have the adapter.
    """
    section, device = recipe.model, choose_device()
    continued = adapter_folder(section.name, section.revision) if section.adapter is not None else None
    weights = (section.model_dump_json(exclude={"adapter"}), section.adapter is None, str(continued), str(device))
    model, rows = shared.copied("weights", weights, lambda: _loaded(section, device, continued))
    if recipe.train.gradient_checkpointing:
        checkpoint_layers(model)
    precision = choose_precision(recipe.train.precision, device, model.num_parameters())
    compute_in(model, precision.autocast or torch.float32)
    known = (weights, str(precision.autocast), recipe.train.gradient_checkpointing)
    fingerprint = shared.once("fingerprint", known, lambda: fingerprint_weights(model))
    if section.adapter is None:
        return RunModel(_on(device, model, section), device, precision, _record(section, model, fingerprint, None))
    if continued is None:
        add_adapter(model, section.adapter, base=_whole_path(section.name), seed=recipe.train.seed)
        if rows < rows_of(model):
            train_new_rows(model, rows)
    elif recipe.train.reference == "live":
        load_adapter(model, continued, name=REFERENCE, trainable=False)
        use_adapter(model, TRAINED)
    plain = _narrowed(model, section, precision)
    adapter = AdapterRecord.model_validate(described_adapter(model, continued))
    record = _record(section, model, fingerprint, adapter)
    return RunModel(_on(device, model, section), device, precision, record, plain)


def _loaded(section: ModelSection, device: torch.device, continued: Path | None) -> tuple[PreTrainedModel, int]:
    """The weights that a run starts from, and how many rows their embeddings had before any were added."""
    # Weights that are trained are kept in float32, unless it is asked for; bfloat16 ones are rounded by chance.
    dtype = torch.float32 if section.dtype == "auto" else getattr(torch, section.dtype)
    model = load_model(
        section.name if continued is None else base_name(continued),
        revision=section.revision if continued is None else None,
        dtype=dtype,
        trust_remote_code=section.trust_remote_code,
        quantize=section.quantize,
        device=device,
    )
    if section.adapter is None:
        check_readable_again(model)
    rows = rows_of(model)
    if section.resize_embeddings and continued is None:  # else the adapter brings them
        tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
        resize(model, len(tokenizer))
    if continued is not None:
        load_adapter(model, continued)
    check_finite(model, section.name)
    return model, rows


def _narrowed(model: PreTrainedModel, section: ModelSection, precision: Precision) -> torch.dtype | None:
    """Hold frozen matrices in the run's arithmetic, where they are used in no other; which that is, or None."""
    if precision.autocast is None or section.quantize is not None or section.dtype != "auto":
        return None
    if section.adapter is not None and section.adapter.kind == "dora":  # which computes the norms of its matrices
        return None
    hold_matrices_in(model, precision.autocast)
    return precision.autocast


def _on(device: torch.device, model: PreTrainedModel, section: ModelSection) -> PreTrainedModel:
    """The model on its device; a quantized one lies there already."""
    moved: Any = model if section.quantize is not None else model.to(device)  # type: ignore[arg-type]
    return cast("PreTrainedModel", moved)


def _record(
    section: ModelSection, model: PreTrainedModel, fingerprint: str, adapter: AdapterRecord | None
) -> ModelRecord:
    return ModelRecord(
        name=section.name,
        revision=section.revision,
        architecture=type(model).__name__,
        parameters=model.num_parameters(),
        fingerprint=fingerprint,
        adapter=adapter,
        quantize=section.quantize,
        gguf=gguf_note(section.name),
        license=getattr(model.config, "license", None),
        commit=getattr(model.config, "_commit_hash", None),
    )


def _whole_path(name: str) -> str:
    """A model's name as an adapter carries it: a folder by its whole path."""
    return str(Path(name).expanduser().resolve()) if Path(name).expanduser().exists() else name
