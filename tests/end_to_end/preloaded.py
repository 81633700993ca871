"""What the server that sessions are forked from has imported: all that a run loads on its way."""

from __future__ import annotations

import peft  # noqa: F401
import transformers.models.gpt2.modeling_gpt2
import transformers.models.llama.modeling_llama
import transformers.models.qwen2.modeling_qwen2  # noqa: F401

import tiebreak.training.preference
import tiebreak.training.supervised
import tiebreak.training.unpaired  # noqa: F401
