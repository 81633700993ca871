"""Which model another is measured from, and whether log-probs of the two can be compared."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from tiebreak.errors import InputError
from tiebreak.models.load import load_tokenizer
from tiebreak.recipe import ModelSection
from tiebreak.runs import RunFolder


def reference_of(name: str, named: str | None = None) -> ModelSection | None:
    """The model that another is measured from: the one that is named for it, else the one that its run started from.

    Args:
        name: of the model that is measured.
        named: its reference, where the user names one.
    Returns:
        None where it is that of no run, and none is named.
    """
    if named is not None:
        return ModelSection(name=named)
    run = RunFolder(Path(name))
    if not run.recipe_path.is_file():
        return None
    # The model of a run with an adapter is measured with the adapter merged, against the whole model beside it.
    return run.recipe().model.model_copy(update={"adapter": None, "quantize": None})


def check_same_vocabulary(tokenizer: PreTrainedTokenizerBase, reference: ModelSection) -> None:
    """Log-probs of two models can be compared only where the same ids mean the same tokens.

    Args:
        tokenizer: of the model that is measured.
        reference: what it is measured from.
    Raises:
        InputError: they have different vocabularies.
    """
    other = load_tokenizer(reference.name, revision=reference.revision, trust_remote_code=reference.trust_remote_code)
    if other.get_vocab() != tokenizer.get_vocab():
        raise InputError(
            f"The reference '{reference.name}' has another vocabulary, so log-probs against it mean nothing.",
            where="--reference",
            fix="name a model with the same tokenizer",
        )
