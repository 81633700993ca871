"""The Hub repositories that the built-in recipes name, in miniature: the same ids, files, architectures and columns.

The models have the published architecture with two small layers and random weights; each tokenizer has the special
tokens and the kind of chat template of the published one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from tests.hub_store import COMMIT, Repository, Store

HUMAN, ASSISTANT = "\n\nHuman: ", "\n\nAssistant:"
_THINGS = ("a bicycle tyre", "the garden gate", "cold porridge", "an old map", "the school choir", "a paper boat")
_GOOD, _BAD = (
    "You could begin with {thing}, and take your time over it.",
    "I do not care about {thing} at all, so there.",
)

# Turns between marks of their own (ChatML), as Qwen2 and SmolLM2 have them.
_CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou answer.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# ChatML again, and a thought before the last answer: an empty one where there is none, as Qwen3 has it.
_THINKING = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if loop.last and message['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Roles as headers, and a system turn with the date, as Llama 3 has them.
_HEADERS = (
    "{{ bos_token }}{% if messages[0]['role'] != 'system' %}<|start_header_id|>system<|end_header_id|>\n\n"
    "Today Date: {{ strftime_now('%d %b %Y') }}\n\n<|eot_id|>{% endif %}"
    "{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
_SIZE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}


@dataclass(frozen=True)
class Family:
    """A model of the Hub.

    Attributes:
        config: name of its configuration, and what is set in it.
        special: its special tokens in the order of their ids.
        tokenizer: its `tokenizer_config.json`.
        begins: whether the tokenizer puts the first of them before every text.
    """

    config: str
    settings: Mapping[str, Any]
    special: tuple[str, ...]
    tokenizer: Mapping[str, Any]
    begins: bool = False


FAMILIES = {
    "openai-community/gpt2": Family(
        "GPT2Config",
        {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024},
        ("<|endoftext|>",),
        {"model_max_length": 1024},
    ),
    "Qwen/Qwen2-0.5B-Instruct": Family(
        "Qwen2Config",
        _SIZE,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "chat_template": _CHATML,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "bos_token": None,
            "unk_token": None,
        },
    ),
    "Qwen/Qwen3-0.6B": Family(
        "Qwen3Config",
        {**_SIZE, "head_dim": 32},  # more than a head's share of the width, as published
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"),
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "chat_template": _THINKING,
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "bos_token": None,
            "unk_token": None,
        },
    ),
    "HuggingFaceTB/SmolLM2-360M-Instruct": Family(
        "LlamaConfig",
        _SIZE,
        ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        {
            "tokenizer_class": "GPT2Tokenizer",
            "chat_template": _CHATML,
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "unk_token": "<|endoftext|>",
        },
    ),
    "meta-llama/Llama-3.2-1B-Instruct": Family(
        "LlamaConfig",
        {
            **_SIZE,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 32.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 1024,
            },
        },
        ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": _HEADERS,
            "bos_token": "<|begin_of_text|>",
            "eos_token": "<|eot_id|>",
        },
        begins=True,
    ),
}


def furnish(store: Store, folder: Path) -> None:
    """Put all models and data sets of the built-in recipes into a Hub.

    Args:
        store: of the Hub.
        folder: where files are made.
    """
    for name, family in FAMILIES.items():
        made = folder / name
        made.mkdir(parents=True)
        _make_model(family, made)
        store.repositories["models", name] = _repository(made)
    for name, make in (
        ("Anthropic/hh-rlhf", _make_hh),
        ("Dahoas/full-hh-rlhf", _make_full_hh),
        ("jondurbin/truthy-dpo-v0.1", _make_truthy),
    ):
        made = folder / name
        made.mkdir(parents=True)
        make(made)
        store.repositories["datasets", name] = _repository(made)


def _repository(folder: Path) -> Repository:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return Repository(commits={COMMIT: files})


def _make_model(family: Family, folder: Path) -> None:
    tokenizer = _tokenizer(family)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(dict(family.tokenizer)))
    eos = tokenizer.token_to_id(family.tokenizer.get("eos_token") or family.special[0])
    bos = tokenizer.token_to_id(family.tokenizer.get("bos_token") or family.special[0])
    torch.manual_seed(0)
    config = getattr(transformers, family.config)(
        vocab_size=tokenizer.get_vocab_size(), eos_token_id=eos, bos_token_id=bos, **family.settings
    )
    auto: Any = transformers.AutoModelForCausalLM
    auto.from_config(config, dtype=torch.float32).save_pretrained(folder)


def _tokenizer(family: Family) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=list(family.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for pair in _pairs(40) for text in pair), trainer)
    if family.begins:
        first = family.special[0]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, tokenizer.token_to_id(first))]
        )
    return tokenizer


def _pairs(count: int, start: int = 0) -> Iterator[tuple[str, str, str]]:
    """Questions with a good and a bad answer."""
    for i in range(start, start + count):
        thing = f"{_THINGS[i % len(_THINGS)]} number {i}"
        yield f"What shall I do about {thing}?", _GOOD.format(thing=thing), _BAD.format(thing=thing)


def _transcripts(count: int, start: int = 0) -> Iterator[dict[str, str]]:
    """Rows as Anthropic/hh-rlhf has them; every third has an earlier turn."""
    for i, (asked, good, bad) in enumerate(_pairs(count, start)):
        before = f"{HUMAN}Hello{ASSISTANT} Hello, what is it?" if i % 3 == 0 else ""
        opening = f"{before}{HUMAN}{asked}{ASSISTANT} "
        yield {"chosen": opening + good, "rejected": opening + bad}


def _make_hh(folder: Path) -> None:
    """Gzipped lines in a folder for each kind, and beside them the attempts, which are no pairs and in no split."""
    for start, (part, split, count) in enumerate(
        (
            ("harmless-base", "train", 24),
            ("helpful-base", "train", 16),
            ("harmless-base", "test", 6),
            ("helpful-base", "test", 4),
        )
    ):
        rows = "".join(json.dumps(row) + "\n" for row in _transcripts(count, 100 * start))
        (folder / part).mkdir(exist_ok=True)
        (folder / part / f"{split}.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    attempts = json.dumps([{"transcript": f"{HUMAN}Hello{ASSISTANT} Hello", "rating": 0.0}])
    (folder / "red-team-attempts").mkdir()
    (folder / "red-team-attempts" / "red_team_attempts.jsonl.gz").write_bytes(gzip.compress(attempts.encode()))


def _make_full_hh(folder: Path) -> None:
    (folder / "data").mkdir()
    for start, (split, count) in enumerate((("train", 40), ("test", 10))):
        rows = [
            {
                "prompt": f"{HUMAN}{asked}{ASSISTANT}",
                "response": f" {good}",
                "chosen": f" {good}",
                "rejected": f" {bad}",
            }
            for asked, good, bad in _pairs(count, 100 * start)
        ]
        Dataset.from_list(rows).to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


def _make_truthy(folder: Path) -> None:
    """One file; the first three rows have completions that are too short or too long for the recipe."""
    rows = []
    for i, (asked, good, bad) in enumerate(_pairs(40)):
        chosen, rejected = {0: ("Yes.", bad), 1: (good, "No."), 2: (good * 9, bad)}.get(i, (good, bad))
        system = "You are an honest assistant." if i % 2 else ""
        rows.append(
            {
                "id": f"{i:032x}",
                "source": "truthy_dpo",
                "system": system,
                "prompt": asked,
                "chosen": chosen,
                "rejected": rejected,
            }
        )
    Dataset.from_list(rows).to_parquet(folder / "train-00000-of-00001.parquet")
