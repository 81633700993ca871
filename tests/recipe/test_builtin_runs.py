"""The built-in recipes run as they are, from the Hub by the published ids, with the settings that they promise."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer
from typer.testing import CliRunner

from tests.recipe.conftest import OVERRIDES, RECOMMENDED, SEEDS, SWEEPS, VARIANTS, AllRan
from tiebreak.cli.runs import app
from tiebreak.doctor import template
from tiebreak.doctor.facts import Facts
from tiebreak.recipe import Recipe
from tiebreak.recipe.builtin import recipe_named
from tiebreak.runs.manifest import DataRecord
from tiebreak.workflow.resolve import resolve

# Whole runs, which take a minute together.
pytestmark = pytest.mark.journey

GPT2 = {"model.name": "openai-community/gpt2", "data.source": "Anthropic/hh-rlhf", "data.eval_split": "test"}
QWEN2 = {"model.name": "Qwen/Qwen2-0.5B-Instruct"}
DPO = {"objective.name": "sigmoid"}

# What is known of each seed.
SETTINGS: dict[str, dict[str, Any]] = {
    "gpt2-hh": {
        **GPT2,
        **DPO,
        "train.learning_rate": 5e-5,
        "train.batch_size": 1,
        "train.gradient_accumulation": 1,
        "train.epochs": 5.0,
        "train.max_steps": 1000,
        "train.eval_every": 500,
        "train.save_every": 500,
        "data.limit": 200,  # five epochs in 1,000 steps of one pair
        "data.max_length": 512,
        "data.max_prompt_length": 128,
        "data.max_completion_length": 128,
        "data.too_long": "trim",
        "objective.beta": 0.1,
        "track": [],
    },
    "gpt2-hh-hot": {
        **GPT2,
        **DPO,
        "train.learning_rate": 1e-3,
        "train.batch_size": 4,
        "train.gradient_accumulation": 1,
        "data.max_length": 256,
        "data.too_long": "trim",
        "train.max_steps": 1000,
        "train.eval_every": 500,
        "train.save_every": 500,
        "track": ["wandb"],
    },
    "gpt2-hh-qlora": {
        **GPT2,
        **DPO,
        "model.adapter.kind": "lora",
        "model.quantize": "nf4",
        "data.max_length": 1024,
        "data.too_long": "trim",
        "train.learning_rate": 5e-7,
        "train.batch_size": 1,
        "train.epochs": 3.0,
        "track": [],
    },
    "qwen2-full-hh": {
        **QWEN2,
        **DPO,
        "data.source": "Dahoas/full-hh-rlhf",
        "data.eval_split": "test",
        "data.max_length": 16,
        "data.too_long": "trim",
        "data.limit": 4700,  # three epochs in some 14,000 steps of one pair
        "train.precision": "bf16",
        "train.epochs": 3.0,
        "train.batch_size": 1,
        "objective.beta": 1.0,
        "train.eval_every": "epoch",
        "train.save_every": "epoch",
        "train.log_every": 10,
        "train.keep_best": "eval_loss",
        "track": ["wandb"],
    },
    "qwen2-truthy": {
        **QWEN2,
        **DPO,
        "data.source": "jondurbin/truthy-dpo-v0.1",
        "data.min_chars": 30,
        "data.max_chars": 300,
        "data.shuffle": False,  # with a limit: the first rows
        "data.limit": 200,
        "train.learning_rate": 1e-5,
        "train.batch_size": 5,
        "train.epochs": 5.0,
        "train.precision": "bf16",  # fp16 is not among the arithmetics
        "train.reference": "live",
        "objective.beta": 0.1,
        "track": [],
    },
}
ARCHITECTURES = {
    "openai-community/gpt2": ("GPT2LMHeadModel", "transcript"),
    "Qwen/Qwen2-0.5B-Instruct": ("Qwen2ForCausalLM", "chat"),
    "Qwen/Qwen3-0.6B": ("Qwen3ForCausalLM", "chat"),
    "HuggingFaceTB/SmolLM2-360M-Instruct": ("LlamaForCausalLM", "chat"),
    "meta-llama/Llama-3.2-1B-Instruct": ("LlamaForCausalLM", "chat"),
}
every_recipe = pytest.mark.parametrize("name", [*SEEDS, *RECOMMENDED])
every_seed = pytest.mark.parametrize("name", SEEDS)


def flat(document: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def document(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(by_alias=True, mode="json")


@every_recipe
def test_a_recipe_runs_from_the_hub(name: str, all_ran: AllRan) -> None:
    ran = all_ran[name]
    assert ran.code == 0, ran.talk
    manifest, recipe = ran.manifest, recipe_named(name)
    assert (manifest["status"], manifest["length"]["steps"]) == ("finished", 2)
    assert manifest["model"]["name"] == recipe.model.name
    assert (manifest["model"]["architecture"], manifest["data"]["template"]) == ARCHITECTURES[recipe.model.name]
    assert manifest["self_check"]["path"] == "tree"
    assert {"eval_loss", "eval_rewards/accuracies", "eval_rewards/margins"} <= manifest["after"].keys()
    assert (ran.folder / "report.html").is_file()
    weights = "model" if recipe.model.adapter is None else "adapter_model"
    assert (ran.folder / "model" / f"{weights}.safetensors").is_file()
    asked = all_ran.hub.requests
    assert any(each.startswith(f"GET /{recipe.model.name}/") and each.endswith("/model.safetensors") for each in asked)
    assert any(f"/datasets/{recipe.data.source}/" in request for request in asked)


@pytest.mark.parametrize("name", RECOMMENDED)
def test_no_template_doubles_or_drops_anything(name: str, all_ran: AllRan) -> None:
    record = DataRecord.model_validate(all_ran[name].manifest["data"])
    assert record.written is not None
    assert record.written.looked_at == record.train
    rules = (template.no_end_token, template.doubled_start_token, template.system_turn_twice, template.dropped_turn)
    assert [rule(Facts(data=record)) for rule in rules] == [None] * len(rules)


@every_seed
def test_the_settings_in_force_are_those_of_the_seed(name: str, all_ran: AllRan) -> None:
    expected = SETTINGS[name]
    assert expected.items() <= flat(document(recipe_named(name))).items()
    in_force = flat(all_ran[name].recipe)
    assert {key: in_force[key] for key in expected if key not in OVERRIDES} == {
        key: value for key, value in expected.items() if key not in OVERRIDES
    }


@every_recipe
def test_nothing_but_the_length_was_changed_for_this_test(name: str, all_ran: AllRan) -> None:
    assert all_ran[name].recipe == document(resolve(recipe_named(name).with_settings(OVERRIDES)).recipe)


def test_the_whole_of_hh_is_read_and_its_own_test_split_held_out(all_ran: AllRan) -> None:
    data = all_ran["gpt2-hh"].manifest["data"]
    assert (data["schema"], data["train"], data["held_out"]) == ("transcript", 40, 10)
    assert data["held_out_from"] == "Anthropic/hh-rlhf (test)"
    full = all_ran["qwen2-full-hh"].manifest["data"]
    assert (full["schema"], full["train"], full["held_out"]) == ("text", 40, 10)


def test_completions_outside_30_to_300_characters_are_dropped(all_ran: AllRan) -> None:
    data = all_ran["qwen2-truthy"].manifest["data"]
    assert data["schema"] == "system"
    assert data["dropped"] == {
        "a completion shorter than data.min_chars": 2,
        "a completion longer than data.max_chars": 1,
    }
    assert (data["train"], data["held_out"]) == (33, 4)


def test_the_weights_of_the_four_bit_recipe_are_four_bits(all_ran: AllRan) -> None:
    whole, packed = all_ran["gpt2-hh"].manifest["model"], all_ran["gpt2-hh-qlora"].manifest["model"]
    assert (packed["quantize"], packed["adapter"]["kind"], packed["adapter"]["rank"]) == ("nf4", "lora", 16)
    assert packed["fingerprint"] != whole["fingerprint"]  # of other numbers, though both came from one file
    assert whole["fingerprint"] == all_ran["recommended-gpt2"].manifest["model"]["fingerprint"]


@every_recipe
def test_only_what_names_a_tracker_is_tracked_and_offline(name: str, all_ran: AllRan) -> None:
    ran = all_ran[name]
    kept = sorted((ran.folder / "trackers").glob("wandb/offline-run-*/*.wandb"))
    assert len(kept) == ("wandb" in ran.recipe["track"])
    assert ("wandb: offline" in ran.talk) == bool(kept)


def test_each_tokenizer_of_the_miniature_answers_as_its_kind_does(all_ran: AllRan) -> None:
    asked = [{"role": "user", "content": "Hello"}]
    begins = {
        "recommended-qwen2-0.5b": "<|im_start|>system\n",
        "recommended-qwen3-0.6b": "<|im_start|>user\n",
        "recommended-smollm2-360m": "<|im_start|>system\n",
        "recommended-llama-3.2-1b": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>",
    }
    for name, start in begins.items():
        tokenizer = AutoTokenizer.from_pretrained(all_ran[name].folder / "model")
        assert str(tokenizer.apply_chat_template(asked, tokenize=False)).startswith(start), name
    assert AutoTokenizer.from_pretrained(all_ran["recommended-gpt2"].folder / "model").chat_template is None


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_comments_say_to_type_runs(name: str, all_ran: AllRan) -> None:
    assert all_ran[name].code == 0, all_ran[name].talk
    assert all_ran[name].manifest["status"] == "finished"


def test_a_model_that_learned_to_answer_is_where_preferences_begin(all_ran: AllRan) -> None:
    taught, begun = all_ran["gpt2-answers"].manifest, all_ran["gpt2-prefers"].manifest
    assert (taught["task"], begun["task"]) == ("supervised", "preference")
    assert begun["model"]["fingerprint"] not in (
        taught["model"]["fingerprint"],
        all_ran["recommended-gpt2"].manifest["model"]["fingerprint"],
    )


def test_the_results_of_a_grid_are_a_spreadsheet(all_ran: AllRan, tmp_path: Path) -> None:
    grid = [str(all_ran[name].folder) for name in ("gpt2-hh-qlora", "qlora-1e-6-2")]
    out = tmp_path / "results.csv"
    assert CliRunner().invoke(app, ["compare", *grid, "--out", str(out)]).exit_code == 0
    with out.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert {key for key in first if key.startswith(("model.", "data.", "train.", "objective."))} == {
        "train.learning_rate",
        "train.batch_size",
    }
    assert (float(first["train.learning_rate"]), float(second["train.learning_rate"])) == (5e-7, 1e-6)
    assert float(first["after/eval_loss"]) == all_ran["gpt2-hh-qlora"].manifest["after"]["eval_loss"]
    assert float(second["train_seconds"]) > 0


@pytest.mark.parametrize("name", SWEEPS)
def test_a_search_runs_from_the_hub_to_its_spreadsheet(name: str, all_ran: AllRan) -> None:
    ran = all_ran[name]
    assert ran.code == 0, ran.talk
    recipe = recipe_named(name)
    assert recipe.sweep is not None
    with (ran.folder / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert set(recipe.sweep.over) <= rows[0].keys()
    assert {row["state"] for row in rows} <= {"finished", "pruned"}
    assert (ran.folder / "results.xlsx").is_file()
    assert (ran.folder / "report.html").is_file()
    weights = "model" if recipe.model.adapter is None else "adapter_model"
    assert (ran.folder / "best" / f"{weights}.safetensors").is_file()


@pytest.mark.parametrize("name", SWEEPS)
def test_a_search_is_of_the_recipe_without_it(name: str) -> None:
    swept, alone = (flat(document(recipe_named(each))) for each in (name, name.removesuffix("-sweep")))
    differing = {key for key in alone if alone[key] != swept.get(key) and not key.startswith("sweep")}
    assert differing <= {"train.reference"}
    page = Path(__file__).parents[2] / "docs" / "seeds" / f"{name}.md"
    assert f"tiebreak sweep {name}" in page.read_text(encoding="utf-8")
