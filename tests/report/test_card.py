"""The model card is true to the manifest, safe against its texts, and its snippet runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData

from tests.report.made import SAMPLES, made_recipe, manifest_of, supervised_manifest, unpaired_manifest
from tiebreak.doctor.finding import Figure, Finding
from tiebreak.recipe import parse_recipe
from tiebreak.report.card import Form, Publication, model_card
from tiebreak.report.usage import python_snippet
from tiebreak.runs.manifest import Manifest
from tiebreak.runs.samples import Sample, parse_samples

HOSTILE = (
    "evil\n---\nlicense: apache-2.0\n# Title <script>alert(1)</script> | a | ![x](https://e.example/x) ``` `b` \x00"
)


def front_matter(card: str) -> dict[str, Any]:
    first, second, _ = card.split("---\n", 2)
    assert first == ""
    found: dict[str, Any] = yaml.safe_load(second)
    return found


def data_of(card: str) -> ModelCardData:
    """The head of a card as the Hub's own client reads it."""
    data = ModelCard(card).data
    assert isinstance(data, ModelCardData)
    return data


def test_findings_and_what_else_changed_stand_in_the_card() -> None:
    figure = Figure("held-out loss", 1.85, "1.85", step=1000)
    finding = Finding("memorising", "warning", "it learns | by heart", (figure,), "Means.", "Source.", "certain")
    kl = {"measured_from": "a", "answers": 9, "value": {"value": 1.5, "low": 1.0, "high": 2.0}, "standard_error": 0.2}
    card = model_card(manifest_of(kl=kl), made_recipe(), findings=[finding])
    assert "## Findings" in card
    assert "| warning: memorising | it learns \\| by heart | held-out loss 1.85 at step 1,000 |" in card
    assert "| KL, nats an answer | – | 1.50 | (1.00 to 2.00) |" in card
    plain = model_card(manifest_of(), made_recipe())
    assert "## Findings" not in plain
    assert "what else changed" not in plain


def test_front_matter_is_what_the_hub_reads() -> None:
    recipe = made_recipe({"model": "someone/some-model", "data": "Anthropic/hh-rlhf"})
    card = model_card(manifest_of(), recipe)
    data = data_of(card)
    assert data.base_model == "someone/some-model"
    assert front_matter(card)["base_model_relation"] == "finetune"
    assert data.library_name == "transformers"
    assert data.pipeline_tag == "text-generation"
    assert data.tags == ["tiebreak", "preference", "dpo", "sigmoid"]
    assert data.datasets == ["Anthropic/hh-rlhf"]
    assert data.license == "mit"


def test_what_is_not_on_the_hub_is_not_named_as_if_it_were(tmp_path: Path) -> None:
    recipe = made_recipe({"model": "bundled:base", "data": str(tmp_path / "votes.jsonl")})
    found = front_matter(model_card(manifest_of(), recipe))
    assert "base_model" not in found
    assert "datasets" not in found


def test_what_was_measured_is_in_the_model_index() -> None:
    recipe = made_recipe({"model": "someone/some-model", "data": "Anthropic/hh-rlhf"})
    data = data_of(model_card(manifest_of(), recipe, publication=Publication(repo="ann/tuned")))
    assert data.model_name == "ann/tuned"
    assert data.eval_results is not None
    measured = {result.metric_name: (result.metric_value, result.dataset_type) for result in data.eval_results}
    assert measured["Held-out accuracy"] == (0.8125, "Anthropic/hh-rlhf")
    assert measured["Judge's pass rate"][0] == 0.884


def test_figures_that_are_not_finite_are_dropped_of_the_model_index() -> None:
    after = {"eval_loss": float("nan"), "eval_rewards/accuracies": 0.5}
    found = front_matter(model_card(manifest_of(after=after, judge=None), made_recipe()))
    assert [metric["type"] for metric in found["model-index"][0]["results"][0]["metrics"]] == ["accuracy"]


@pytest.mark.parametrize(
    ("form", "library", "relation"),
    [("model", "transformers", "finetune"), ("adapter", "peft", "adapter"), ("merged", "transformers", "finetune")],
)
def test_the_head_says_what_the_weights_are(form: Form, library: str, relation: str) -> None:
    recipe = made_recipe({"model": {"name": "someone/some-model", "adapter": "lora"}})
    card = model_card(manifest_of(), recipe, publication=Publication(form=form, repo="ann/tuned"))
    found = front_matter(card)
    assert (found["library_name"], found["base_model_relation"]) == (library, relation)
    assert ("AutoPeftModelForCausalLM" in card) == (form == "adapter")


def test_odd_names_stay_inside_the_front_matter() -> None:
    manifest = manifest_of(
        model={"name": HOSTILE, "license": HOSTILE}, data={"source": HOSTILE, "dropped": {HOSTILE: 2}}
    )
    card = model_card(manifest, made_recipe({"model": HOSTILE, "data": HOSTILE}), samples=parse_samples(SAMPLES))
    found = front_matter(card)
    assert found["license"] == "other"
    assert "base_model" not in found
    assert "\x00" not in card


def test_odd_names_are_no_markup_in_the_text() -> None:
    from markdown_it import MarkdownIt

    def tokens(words: str) -> list[str]:
        data = {**dict.fromkeys(("source", "why", "schema"), words), "dropped": {words: 2}}
        card = model_card(manifest_of(data=data), made_recipe({"data": words}), samples=[Sample(after=words)])
        blocks = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(card.split("---\n", 2)[2])
        return [kind.type for block in blocks for kind in (block, *(block.children or ()))]

    assert not {"html_inline", "html_block", "link_open", "image"} & set(tokens(HOSTILE))
    assert [kind for kind in tokens(HOSTILE) if kind != "text_special"] == tokens("tame")


def test_samples_are_shown_as_text() -> None:
    card = model_card(
        manifest_of(), made_recipe(), samples=parse_samples([{**SAMPLES[0], "after": "```\n# A heading"}, "x", {}])
    )
    assert "````\nUser: Can you count to three?" in card


def test_the_recipe_on_the_card_is_the_recipe_that_ran() -> None:
    recipe = made_recipe({"train": {"learning_rate": 3e-6}})
    block = model_card(manifest_of(), recipe).split("```yaml\n")[1].split("```")[0]
    assert parse_recipe(yaml.safe_load(block), where="card") == recipe


def test_paths_of_this_machine_are_not_published() -> None:
    recipe = made_recipe({"model": "/home/someone/secret/model", "data": "/home/someone/secret/votes.jsonl"})
    manifest = manifest_of(data={"source": "/home/someone/secret/votes.jsonl"})
    card = model_card(manifest, recipe)
    assert "secret" not in card
    assert "votes.jsonl" in card


def test_a_supervised_model_says_so() -> None:
    card = model_card(supervised_manifest(), made_recipe({"objective": "supervised"}))
    assert front_matter(card)["tags"] == ["tiebreak", "sft"]
    assert "imitate the demonstrations" in card
    assert "tiebreak sft recipe.yaml" in card
    assert "preference optimization" not in card


def test_a_model_of_unpaired_completions_says_so() -> None:
    card = model_card(unpaired_manifest(), made_recipe({"objective": "kto"}))
    assert front_matter(card)["tags"] == ["tiebreak", "preference", "kto"]
    assert "each called good or bad by itself, with preference optimization (objective kto" in card
    assert "tiebreak train recipe.yaml" in card
    assert "reward of good answers" in card
    results = front_matter(card)["model-index"][0]["results"]
    assert results[0]["dataset"]["type"] == "unpaired completions"
    for words in ("comparisons", "Held-out accuracy", "the better of two", " pairs"):
        assert words not in card


def test_a_card_of_an_empty_manifest_claims_nothing() -> None:
    card = model_card(Manifest(), made_recipe({"model": "someone/some-model"}))
    assert "Nothing was measured on held-out data." in card
    assert not {"license", "model-index"} & set(front_matter(card))


@pytest.mark.parametrize("template", ["chat", "transcript"])
def test_the_snippet_runs_with_plain_transformers(
    tmp_path: Path, template: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / 'a "quoted" folder'
    _save_tiny_model(folder)
    snippet = python_snippet(manifest_of(data={"source": "x", "template": template}), str(folder))
    exec(compile(snippet.replace("max_new_tokens=128", "max_new_tokens=3"), "snippet", "exec"), {})
    assert capsys.readouterr().out.endswith("\n")


def _save_tiny_model(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteLevelDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {"<end>": 0} | {letter: i + 1 for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(vocabulary, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")  # type: ignore[no-untyped-call]
    fast.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        eos_token_id=0,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
