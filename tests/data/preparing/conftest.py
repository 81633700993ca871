"""The tokenizer of the bundled model, which has a chat template."""

from __future__ import annotations

import pytest
from transformers import PreTrainedTokenizerBase

from tiebreak.bundled import base_model_path
from tiebreak.models.load import load_tokenizer


@pytest.fixture(scope="module")
def chat_tokenizer() -> PreTrainedTokenizerBase:
    """The bundled model's tokenizer."""
    return load_tokenizer(str(base_model_path()))
