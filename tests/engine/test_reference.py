"""The cache of reference log-probs: a hit is what computing gives, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES
from tests.engine.groups import PAIRS
from tiebreak.engine.batch import group_of
from tiebreak.engine.logprobs import Measures
from tiebreak.engine.reference import ReferenceCache, fingerprint_weights, reference_scores
from tiebreak.engine.score import Scorer
from tiebreak.errors import RunError
from tiebreak.models.adapters import add_adapter
from tiebreak.recipe import AdapterSection


def test_cached_reference_scores_of_other_sums_are_not_mixed(tmp_path: Path) -> None:
    model, cache = ARCHITECTURES["llama"](), ReferenceCache(tmp_path)
    plain = reference_scores(model, PAIRS, Scorer(), fingerprint="x", cache=cache)
    other = Scorer(measures=Measures(0.5))
    desensitized = reference_scores(model, PAIRS, other, fingerprint="x", cache=cache)
    assert desensitized[1] == 0
    assert (desensitized[0].logp != plain[0].logp)[:2].any(axis=1).all()
    again = reference_scores(model, PAIRS, other, fingerprint="x", cache=cache)
    assert again[1] == len(PAIRS)
    assert (again[0].logp == desensitized[0].logp).all()


def test_a_hit_is_to_the_bit_what_was_computed(tmp_path: Path) -> None:
    model, cache, done = ARCHITECTURES["gpt2"](), ReferenceCache(tmp_path), list[int]()
    computed, found = reference_scores(model, PAIRS, Scorer(), fingerprint="x", cache=cache)
    assert found == 0
    kept, found = reference_scores(model, PAIRS, Scorer(), fingerprint="x", cache=cache, on_progress=done.append)
    assert (found, done) == (len(PAIRS), [len(PAIRS)])
    for name in ("logp", "tokens", "mean_logit"):
        assert (getattr(kept, name) == getattr(computed, name)).all()


def test_other_weights_have_another_fingerprint(tmp_path: Path) -> None:
    model = ARCHITECTURES["gpt2"]()
    before = fingerprint_weights(model)
    assert fingerprint_weights(ARCHITECTURES["gpt2"]()) == before
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1
    assert fingerprint_weights(model) != before


def test_a_cache_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "reference.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(RunError, match="cache of reference log-probs cannot be used"):
        ReferenceCache(tmp_path)


def _adapted(**settings: Any) -> PreTrainedModel:
    model = ARCHITECTURES["qwen2"]()
    add_adapter(model, AdapterSection(**{"rank": 4, "alpha": 8.0, **settings}), base="somewhere", seed=0)
    return model


@pytest.mark.parametrize("settings", [{"alpha": 64.0}, {"alpha": 9.0}, {"kind": "rslora"}])
def test_an_adapters_scale_is_part_of_the_fingerprint(settings: dict[str, Any]) -> None:
    plain, other = _adapted(), _adapted(**settings)
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), other.state_dict().values(), strict=True))
    assert fingerprint_weights(plain) != fingerprint_weights(other)


def test_where_an_adapter_comes_from_is_not_part_of_the_fingerprint() -> None:
    here, there = _adapted(), _adapted()
    there.peft_config["default"].base_model_name_or_path = "elsewhere"
    there.peft_config["default"].inference_mode = True
    assert fingerprint_weights(here) == fingerprint_weights(there) == fingerprint_weights(_adapted())


def test_a_weight_without_dimensions_has_a_fingerprint() -> None:
    model = ARCHITECTURES["gpt2"]()
    alone = torch.nn.Parameter(torch.tensor(2.0))
    model.register_parameter("alone", alone)
    before = fingerprint_weights(model)
    with torch.no_grad():
        alone.fill_(3.0)
    assert fingerprint_weights(model) != before


def test_scores_of_other_marks_are_not_mixed(tmp_path: Path) -> None:
    model, cache = ARCHITECTURES["llama"](), ReferenceCache(tmp_path)
    for marks in ((), ((1, 0), ()), ((0, 1), ()), ((), (0, 1))):
        groups = [group_of([5, 6], [[7, 8], [9, 9]], 0, marks)]
        scores, hits = reference_scores(model, groups, Scorer(), fingerprint="x", cache=cache)
        assert hits == 0
        assert scores.tokens[0].tolist() == [sum(each) if each else 2 for each in marks or ((), ())]
