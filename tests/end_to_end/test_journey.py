"""The main job as a user does it: train, look, talk, measure, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BatchEncoding

from tests.end_to_end.conftest import Command, small_flags


@pytest.mark.journey
def test_train_evaluate_chat_and_look_at_the_run(tiebreak: Command, tmp_path: Path) -> None:
    done = tiebreak("train", *small_flags(), "--out", "runs/mine")
    assert "held-out accuracy" in done.stdout
    assert "tiebreak chat runs/mine" in done.stdout
    run = tmp_path / "runs" / "mine"
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["self_check"]["path"] == "tree"
    assert manifest["after"]["eval_loss"] < manifest["before"]["eval_loss"]
    steps = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "rewards/margins", "logps/chosen", "logits/rejected"} <= steps[0].keys()
    assert any("eval_rewards/accuracies" in row for row in steps)
    assert (run / "report.html").read_text().count("<script") == 1

    # model/ is a plain model of transformers.
    model: Any = AutoModelForCausalLM.from_pretrained(run / "model")
    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hi!"}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    assert isinstance(prompt, BatchEncoding)
    generated = model.generate(**prompt, max_new_tokens=2)
    assert isinstance(generated, torch.Tensor)
    assert generated.shape[1] > 2
    assert (run / "model" / "README.md").read_text().startswith("---\n")

    said = tiebreak("chat", "runs/mine", "--prompt", "What is two plus two?", "--base", "--max-new-tokens", "8")
    assert "base" in said.stdout
    assert "tuned" in said.stdout
    asked = ("evaluate", "runs/mine", "--data", "bundled:preferences", "--limit", "40", "--json")
    measured = json.loads(tiebreak(*asked).stdout)
    assert measured["pairs"] == 40
    assert measured["reference"] == "bundled:base"
    assert "mine" in tiebreak("runs", "list").stdout
    again = tiebreak("train", "--out", "runs/mine", "--resume")
    assert "nothing to resume" in again.stderr


@pytest.mark.journey
def test_a_supervised_run_lowers_its_loss(tiebreak: Command, tmp_path: Path) -> None:
    flags = small_flags(**{"train.learning_rate": 1e-3, "data.limit": 16})  # few enough to learn by heart
    tiebreak("sft", *flags, "--out", "runs/sft")
    rows = [json.loads(line) for line in (tmp_path / "runs/sft/metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0]
    manifest = json.loads((tmp_path / "runs/sft/manifest.json").read_text())
    assert manifest["task"] == "supervised"
    assert manifest["before"]["eval_loss"] > 0
    assert manifest["after"]["eval_loss"] > 0


@pytest.mark.journey
def test_a_small_model_trains_on_the_real_transcripts(tiebreak: Command, tmp_path: Path, shared_data: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

    words = shared_data / "gpt2-tokenizer"
    tokenizer = GPT2Tokenizer(vocab=str(words / "vocab.json"), merges=str(words / "merges.txt"))
    tokenizer.save_pretrained(tmp_path / "gpt2")
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2)).save_pretrained(tmp_path / "gpt2")
    data = str(shared_data / "hh-rlhf" / "harmless-base-test.jsonl.gz")
    flags = ["--set", "evaluate.max_new_tokens=4", "--set", "evaluate.samples=1", "--set", "data.eval_limit=20"]
    done = tiebreak(
        *("train", "--model", "gpt2", "--data", data, "--max-steps", "3", "--batch-size", "2", "--limit", "200"),
        *("--max-length", "512", "--out", "runs/hh", *flags),
    )
    assert "form transcript" in done.stderr
    manifest = json.loads((tmp_path / "runs/hh/manifest.json").read_text())
    assert manifest["data"]["template"] == "transcript"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "Name a model and the data to train it on."),
        (["train", "--model", "bundled:base", "--data", "nothere.jsonl"], "nothere.jsonl"),
        (["train", "--model", "bundled:bas", "--data", "bundled:preferences"], "bundled:base"),
        (["train", "nope"], "no built-in recipe 'nope'"),
        ([*("train", "--model", "a", "--data", "b", "--set", "train.bath_size=3")], "did you mean 'batch_size'"),
        (["train", "--resume"], "no unfinished run"),
        (["train", "--resume", "--beta", "1"], "keeps its own recipe"),
        (["chat", "bundled:base", "--prompt", " "], "The prompt is empty."),
        (["chat", "bundled:base", "--base", "--prompt", "Hi"], "is not a run"),
        (["evaluate", "nowhere/else/there", "--data", "bundled:preferences"], "no model folder"),
        (["runs", "show", "nothing"], "no run 'nothing'"),
        (["recipes", "show", "quickstat"], "did you mean 'quickstart'"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(tiebreak: Command, arguments: list[str], says: str) -> None:
    done = tiebreak(*arguments, check=False)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.journey
def test_a_second_run_does_not_take_the_folder_of_a_first(tiebreak: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    done = tiebreak("train", *small_flags(), "--out", "taken", check=False)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert (tmp_path / "taken" / "thesis.txt").read_text() == "mine"
