"""Rows of embeddings: whether a model has one for each token, and more of them for tokens that a tokenizer was given.

New rows begin as the mean of the others, so that a new token is at first like none in particular, the same in each run.
With an adapter the new rows are trained beside it and the old ones stay; they are saved as PEFT saves embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiebreak.errors import InputError
from tiebreak.models.folder import read_head

_MARK = "trained_from_row"


def rows_of(model: PreTrainedModel) -> int:
    """How many tokens a model has embeddings for."""
    embeddings: Any = model.get_input_embeddings()
    return int(embeddings.weight.shape[0])


def check_vocabulary(rows: int, largest: int, name: str) -> None:
    """Make sure that a model has an embedding for each token of the data.

    Args:
        rows: that the model has.
        largest: the largest id of the data.
        name: of the model.
    Raises:
        InputError: it has not.
    """
    if largest >= rows:
        raise InputError(
            f"The tokenizer has more tokens than the model: its ids go up to {largest:,} in the data, and '{name}' has "
            f"embeddings for {rows:,} tokens.",
            where=f"model.name = {name}",
            fix="set model.resize_embeddings: true, which adds, trains and saves embeddings for them, with an adapter "
            "too; or give the model the tokenizer that it was trained with",
        )


def resize(model: PreTrainedModel, rows: int) -> int:
    """Give a model embeddings for more tokens; it never loses any.

    Args:
        model: not an adapter's, on any device.
        rows: that it is to have at least.
    Returns:
        How many it had.
    """
    before = rows_of(model)
    if rows <= before:
        return before
    with torch.random.fork_rng(devices=[]):  # what it draws for the new rows is replaced below
        model.resize_token_embeddings(rows, mean_resizing=False)
    with torch.no_grad():
        for parameter in {id(found): found for _, found in _tables(model)}.values():
            parameter[before:] = parameter[:before].float().mean(0).to(parameter.dtype)
    return before


def train_new_rows(model: PreTrainedModel, first: int) -> None:
    """Train the rows from one on of a model that is frozen otherwise; the others keep their values.

    Args:
        model: with an adapter in it.
        first: of the rows that are trained.
    """

    def of_new_rows(gradient: Tensor) -> Tensor:
        masked = gradient.clone()
        masked[:first] = 0
        return masked

    for parameter in {id(found): found for _, found in _tables(model)}.values():
        setattr(parameter, _MARK, first)
        parameter.requires_grad_(True)
        parameter.register_hook(of_new_rows)  # type: ignore[no-untyped-call]


def is_trained_beside(parameter: nn.Parameter) -> bool:
    """Whether a parameter has rows that are trained beside an adapter."""
    return hasattr(parameter, _MARK)


def trained_tables(model: PreTrainedModel) -> dict[str, Tensor]:
    """The embeddings that are trained beside an adapter, by name; tied ones under the first of their names."""
    once = {id(table): (name, table) for name, table in reversed(list(_tables(model))) if is_trained_beside(table)}
    return {name: table.detach() for name, table in once.values()}


def rows_in(file: Path, model: PreTrainedModel, prefix: str) -> int:
    """How many rows the embeddings in a file of an adapter have; 0 where it has none.

    Args:
        file: of safetensors.
        model: whose embeddings they would be.
        prefix: before the names in the file.
    Raises:
        InputError: the file is damaged.
    """
    head = read_head(file)
    return max((int(head[prefix + name]["shape"][0]) for name, _ in _tables(model) if prefix + name in head), default=0)


def take_tables(model: PreTrainedModel, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put the embeddings among the weights of an adapter into a model.

    Args:
        model: with as many rows.
        weights: by name.
    Returns:
        The other weights.
    Raises:
        InputError: they have another shape.
    """
    rest = dict(weights)
    with torch.no_grad():
        for name, table in _tables(model):
            given = rest.pop(name, None)
            if given is None:
                continue
            if given.shape != table.shape:
                raise InputError(
                    f"The adapter's embeddings have {given.shape[0]:,} rows, and the model's {len(table):,}.",
                    where=name,
                    fix="name the model that it was trained beside",
                )
            table.copy_(given)
    return rest


def _tables(model: PreTrainedModel) -> Iterator[tuple[str, nn.Parameter]]:
    """Embeddings and LM head by their names in the model; tied ones are both named."""
    modules: list[Any] = [model.get_input_embeddings(), model.get_output_embeddings()]  # type: ignore[no-untyped-call]
    for path, module in model.named_modules():
        if any(module is each for each in modules if each is not None):
            for name, parameter in module.named_parameters(recurse=False):
                yield f"{path}.{name}", parameter
