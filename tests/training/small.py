"""Small trained things for tests: token ids as examples, and trainers over them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from tiebreak.engine.logprobs import SequenceLogps
from tiebreak.engine.reference import ReferenceCache, fingerprint_weights, reference_scores
from tiebreak.engine.score import Scorer
from tiebreak.objectives import Loss, configured
from tiebreak.recipe import TrainSection
from tiebreak.tasks import TASKS
from tiebreak.training.arguments import length_of, training_arguments
from tiebreak.training.examples import Examples, Groups
from tiebreak.training.preference import PreferenceTrainer


def tokenized_pairs(n: int, *, seed: int = 0, vocabulary: int = 61) -> Dataset:
    """Random pairs as token ids, with a pattern that can be learned: chosen completions rise."""
    draw = random.Random(seed)

    def ids(low: int, high: int) -> list[int]:
        return [draw.randrange(3, vocabulary) for _ in range(draw.randint(low, high))]

    return Dataset.from_list(
        [
            {
                "prompt_ids": ids(3, 12),
                "chosen_ids": [*sorted(ids(2, 8)), 2],
                "rejected_ids": [*ids(2, 10), 2],
                "weight": 1.0,
                "row": i,
            }
            for i in range(n)
        ]
    )


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose words are `t3`, `t4`, … and whose ids are their numbers."""
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2} | {f"t{i}": i for i in range(3, 61)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    )


def preference_trainer(
    model: PreTrainedModel,
    pairs: Dataset,
    folder: Path,
    *,
    held_out: Dataset | None = None,
    scorer: Scorer | None = None,
    beta: float = 0.1,
    objective: Loss | None = None,
    **settings: Any,
) -> PreferenceTrainer:
    """A trainer over tokenized pairs, its reference being the model as it stands."""
    scorer = scorer or Scorer()
    train = TrainSection(**{"learning_rate": 1e-6, **settings})
    loss = objective or configured("sigmoid", {"beta": beta})
    cache, fingerprint = ReferenceCache(folder / "cache"), fingerprint_weights(model)

    def examples(dataset: Dataset) -> Examples:
        groups = Groups(dataset, TASKS["preference"])
        return Examples(groups, reference_scores(model, groups, scorer, fingerprint=fingerprint, cache=cache)[0])

    return PreferenceTrainer(
        model,
        training_arguments(
            train, length_of(train, len(pairs)), output=folder, device="cpu", held_out=held_out is not None
        ),
        scorer=scorer,
        train=examples(pairs),
        held_out=None if held_out is None else examples(held_out),
        tokenizer=word_tokenizer(),
        objective=loss,
        keep_checkpoints=train.keep_checkpoints,
    )


def examples_of(trainer: PreferenceTrainer) -> Examples:
    """What a trainer trains on."""
    examples = trainer.train_dataset
    assert isinstance(examples, Examples)
    return examples


def weights_of(model: PreTrainedModel) -> dict[str, Any]:
    """A copy of a model's weights."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def scores_of(*logp: float, tokens: float = 4.0) -> SequenceLogps:
    """What a forward pass might have said of so many completions, their mean logits being 0, 1, 2, …"""
    count = len(logp)
    return SequenceLogps(torch.tensor(logp), torch.full((count,), tokens), torch.arange(count, dtype=torch.float32))
