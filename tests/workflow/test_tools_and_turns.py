"""Rows with tools and several turns, from a file to a trained model: what is scored beside the template's own text."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig, LlamaForCausalLM

import tiebreak
from tests.data.preparing.chat_templates import QWEN25, tokenizer_for
from tests.workflow.conftest import small_recipe
from tiebreak.tasks import TASKS, TaskName
from tiebreak.workflow.data import load_data
from tiebreak.workflow.progress import Progress

TOOLS: list[Any] = [{"type": "function", "function": {"name": "sum", "parameters": {"type": "object"}}}]
_SPOKEN = re.compile(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>)", re.DOTALL)


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _called(number: int) -> list[dict[str, Any]]:
    call = {"id": "a1b2c3d4e", "type": "function", "function": {"name": "sum", "arguments": {"x": number}}}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a1b2c3d4e", "name": "sum", "content": str(number)},
        _said(f"It is {number}."),
    ]


def _rows(task: TaskName) -> list[dict[str, Any]]:
    """Eight rows: calls of a tool, and an answer, a question and an answer, in turn."""
    made = []
    for number in range(8):
        asked = [_user(f"Add {number}.")]
        better = _called(number) if number % 2 else [_said(f"{number}."), _user("Sure?"), _said("Yes.")]
        if task == "preference":
            made.append({"prompt": asked, "chosen": better, "rejected": [_said("No.")], "tools": TOOLS})
        else:
            made.append({"messages": asked + better, "tools": TOOLS})
    return made


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with a template of tools."""
    folder, tokenizer = tmp_path_factory.mktemp("model"), tokenizer_for(QWEN25)
    sizes: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 1024}
    config = LlamaConfig(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _by_template(turns: list[dict[str, Any]], prompt: int) -> tuple[list[int], set[int]]:
    """The ids of a conversation as `transformers` writes it, and which belong to the assistant after the prompt.

    Args:
        turns: the conversation.
        prompt: how many of them are the prompt's.
    """
    tokenizer = tokenizer_for(QWEN25)
    text = str(tokenizer.apply_chat_template(turns, tools=TOOLS, tokenize=False))
    asked = str(tokenizer.apply_chat_template(turns[:prompt], tools=TOOLS, tokenize=False, add_generation_prompt=True))
    assert text.startswith(asked)
    end = max(match.end() for match in _SPOKEN.finditer(text))
    found = tokenizer(text[:end], add_special_tokens=False, return_offsets_mapping=True)
    spans = [match.span(1) for match in _SPOKEN.finditer(text) if match.start(1) >= len(asked)]
    scored = {
        index
        for index, (start, stop) in enumerate(found["offset_mapping"])
        if any(first <= start and stop <= last for first, last in spans)
    }
    return list(found["input_ids"]), scored


@pytest.mark.journey
@pytest.mark.parametrize("task", ["preference", "supervised"])
def test_tools_and_several_turns_are_trained_as_the_template_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, task: TaskName
) -> None:
    monkeypatch.setenv("TIEBREAK_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in _rows(task)))
    objective = "sigmoid" if task == "preference" else TASKS[task].fixed_objective
    recipe = small_recipe(
        model__name=str(model),
        data__source=str(source),
        data__eval_fraction=0.0,
        data__max_length=1024,
        data__shuffle=False,
        objective__name=objective,
        train__max_steps=2,
        train__batch_size=4,
    )
    data = load_data(recipe, TASKS[task], Progress())
    # A conversation makes a demonstration of each answer in it; of pairs each row makes one.
    assert len(data.train) == (8 if task == "preference" else 12)
    for group, row in zip(data.train, data.train_rows, strict=True):
        turns = [_plain(turn) for turn in row["prompt"]]
        better = row["chosen_turns" if task == "preference" else "completion_turns"]
        said = [_plain(turn) for turn in better] or [_said(row["chosen" if task == "preference" else "completion"])]
        ids, scored = _by_template([*turns, *said], len(turns))
        completion = list(group.completions[0])
        assert [*group.prompt, *completion] == ids
        marks = list(group.scored[0]) if group.scored and len(group.scored[0]) else [1] * len(completion)
        assert {len(group.prompt) + index for index, mark in enumerate(marks) if mark} == scored
    run = tiebreak.train(recipe, out=tmp_path / "run")
    losses = [row["loss"] for row in run.history if "loss" in row]
    assert len(losses) == 2
    assert all(math.isfinite(loss) for loss in losses)
    manifest = run.folder.load_manifest()
    assert manifest.data is not None
    assert (manifest.status, manifest.data.score_turns) == ("finished", "all")


def _plain(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn of a canonical row as people write it for `transformers`."""
    made = {key: value for key, value in turn.items() if value is not None}
    if "tool_calls" in made:
        made |= {"tool_calls": json.loads(made["tool_calls"]), "content": made["content"] or None}
    return made
