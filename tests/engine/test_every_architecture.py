"""Every causal language model of `transformers`: by the path that Tiebreak chooses, the numbers are the plain ones."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.causal_models import (
    BY_TREE,
    CHANGED_BY_LOADING,
    NAMES,
    NOT_MADE,
    NOT_READ_AGAIN,
    REFUSED,
    VOCABULARY,
    causal_model,
)
from tests.conftest import REPOSITORY
from tests.engine.gradients import gradients
from tests.engine.groups import GROUPS, plain_logps
from tests.training.small import preference_trainer, tokenized_pairs, weights_of
from tiebreak.engine.batch import ScoredGroup
from tiebreak.engine.flops import flops_of
from tiebreak.engine.logprobs import computing, sequence_logps
from tiebreak.engine.microbatch import BatchPath, build_batch
from tiebreak.engine.rope import rope_lengths
from tiebreak.engine.score import Scorer
from tiebreak.engine.self_check import check_causal, look_back_windows, self_check
from tiebreak.errors import InputError
from tiebreak.models.load import check_readable_again, load_model
from tiebreak.models.save import save_weights

PAIRS = [group for group in GROUPS if len(group.completions) == 2]
STEPS = 3
DECODERS = {"bert", "big_bird", "electra", "megatron-bert", "roberta", "roformer", "xlm-roberta"}


def path_of(model: PreTrainedModel) -> BatchPath:
    """The path that a run on this model would take."""
    check_causal(model, PAIRS)
    windows = look_back_windows(model.config.get_text_config())
    longest = max(PAIRS, key=lambda group: group.longest)
    return self_check(model, PAIRS, autocast=None, windows=windows, longest=longest).path


def compare(model: PreTrainedModel, groups: list[ScoredGroup], path: BatchPath) -> None:
    """Log-probs and gradients against one plain, unpadded forward pass a sequence."""
    batch = build_batch(groups, path, torch.device("cpu"), rope_lengths(model))
    signs = torch.linspace(-1, 1, batch.sequences)
    found = sequence_logps(model, batch).logp
    expected = plain_logps(model, groups)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=5e-5)
    with computing(model, batch):
        by_path = gradients(model, (signs * found).sum())
    plain = gradients(model, (signs * expected).sum())
    assert by_path.keys() == plain.keys()
    scale = _norm(list(plain.values()))
    for name, gradient in plain.items():
        difference = _norm([by_path[name] - gradient])
        assert difference <= 2e-4 * scale, f"{name}: {difference / scale:.1e} of the gradient"


def _norm(tensors: list[Tensor]) -> float:
    return math.sqrt(sum(float(tensor.double().square().sum()) for tensor in tensors))


def train(model: PreTrainedModel, path: BatchPath, folder: Path) -> None:
    """A few steps, in micro-batches."""
    before = weights_of(model)
    flops_of(model)
    pairs = tokenized_pairs(4 * STEPS, vocabulary=VOCABULARY)
    trainer = preference_trainer(
        model, pairs, folder, scorer=Scorer(path, budget=96), batch_size=4, epochs=1, learning_rate=1e-3
    )
    trainer.train()
    assert trainer.state.global_step == STEPS
    assert all(math.isfinite(row["loss"]) for row in trainer.state.log_history if "loss" in row)
    after = weights_of(model)
    assert any(not torch.equal(after[name], before[name]) for name in before)


def read_again(model: PreTrainedModel, folder: Path) -> None:
    """The model is written, read, and gives the same log-probs."""
    save_weights(model, folder)
    again = load_model(str(folder))
    with torch.no_grad():
        torch.testing.assert_close(plain_logps(again, PAIRS), plain_logps(model, PAIRS), rtol=1e-6, atol=1e-6)


@pytest.mark.journey
@pytest.mark.parametrize("name", NAMES)
def test_by_the_chosen_path_a_model_computes_and_learns_as_plainly(name: str, tmp_path: Path) -> None:
    if name in NOT_MADE:
        pytest.skip(NOT_MADE[name])
    model = causal_model(name)
    if name in REFUSED:
        with pytest.raises(InputError):
            check_causal(model, PAIRS)
        return
    path = path_of(model)
    compare(model, GROUPS, path)
    if name in NOT_READ_AGAIN:
        with pytest.raises(InputError):
            check_readable_again(model)
        return
    check_readable_again(model)
    assert path == ("tree" if name in BY_TREE else "padded")
    train(model, path, tmp_path)
    if name not in CHANGED_BY_LOADING:
        read_again(model, tmp_path)


@pytest.mark.journey
@pytest.mark.parametrize("name", sorted(REFUSED & DECODERS))
def test_an_encoder_that_is_made_a_decoder_is_trained(name: str) -> None:
    model = causal_model(name, is_decoder=True)
    compare(model, GROUPS, path_of(model))


# A transformer, two whose layers go on in place, one of several parts, one with sinks, one with a state, one capped.
@pytest.mark.parametrize("name", ["gemma2", "gemma3n_text", "llama4", "got_ocr2", "gpt_oss", "jamba", "falcon"])
def test_by_the_chosen_path_a_few_compute_as_plainly(name: str) -> None:
    model = causal_model(name)
    path = path_of(model)
    assert path == ("tree" if name in BY_TREE else "padded")
    compare(model, PAIRS, path)


def test_the_page_of_models_names_each_where_it_belongs() -> None:
    page = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    padded = set(NAMES) - BY_TREE - REFUSED - NOT_READ_AGAIN - NOT_MADE.keys()
    for title, names in (("By trees", BY_TREE), ("By padded batches", padded), ("Not trained", REFUSED)):
        listed = set(re.findall(r"`([a-z0-9_-]+)`", sections[title]))
        assert names <= listed, f"'{title}' lacks {sorted(names - listed)}"
        assert not listed & set(NAMES) - names, f"'{title}' has {sorted(listed & set(NAMES) - names)} too much"
