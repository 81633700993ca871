"""A small model that calls a tool when it is asked for a sum: the bundled one, taught two conversations by heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.generation.tool_templates import HERMES
from tiebreak.data.preference import Message
from tiebreak.data.preparing.encode import encode_prompts
from tiebreak.data.preparing.templates import Renderer
from tiebreak.data.tools import calls_text, tools_text
from tiebreak.models.load import load_model, load_tokenizer

PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
ADD: dict[str, Any] = {"type": "function", "function": {"name": "add", "parameters": PARAMETERS}}
QUESTION = "What is 2 and 3?"
ARGUMENTS = {"a": 2, "b": 3}
ANSWER = "It is 5."
_STEPS = 36


def write_caller(folder: Path) -> None:
    """Teach the model, and write it into a folder."""
    torch.manual_seed(0)
    model, tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
    tokenizer.chat_template = HERMES
    renderer, tools = Renderer(tokenizer, "chat"), tools_text([ADD])
    asked = Message("user", QUESTION)
    calls = calls_text([{"id": "call_1", "function": {"name": "add", "arguments": ARGUMENTS}}])
    called, result = Message("assistant", "", calls), Message("tool", "5", tool_call_id="call_1", name="add")
    examples = []
    for before, answer in (([asked], called), ([asked, called, result], Message("assistant", ANSWER))):
        prompt, whole = renderer.prompt(before, tools), renderer.whole([*before, answer], tools)
        ids, first = encode_prompts(tokenizer, [whole.rstrip("\n"), prompt], "chat")
        examples.append((torch.tensor([ids]), torch.tensor([[-100] * len(first) + ids[len(first) :]])))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(_STEPS):
        inputs, labels = examples[step % 2]
        model(input_ids=inputs, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
