"""Other sums over an ending's tokens: length-desensitized ones, and the policy's confidence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, _make
from tiebreak.engine.logprobs import Batch, Measures, sequence_logps
from tiebreak.engine.padded import build_padded
from tiebreak.engine.reference import ReferenceCache, reference_scores
from tiebreak.engine.score import Scorer
from tiebreak.engine.sequences import ScoredGroup
from tiebreak.engine.tree import build_tree

PAIRS = [
    ScoredGroup((5, 6, 7), ((8, 9, 10, 11, 2), (8, 12, 2)), 0),
    ScoredGroup((5, 6), ((20, 2), (20, 21, 22, 23, 24, 2)), 1),
    ScoredGroup((30, 31, 32, 33), ((34, 2), (35, 2)), 2),
]


def _token_logps(model: PreTrainedModel, prompt: tuple[int, ...], ending: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Log-prob of each token of an ending, and the log of the sum of squared probabilities at its place, in float64."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + ending])).logits[0].double()
    logp = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    return logp.gather(1, torch.tensor(ending)[:, None])[:, 0], torch.logsumexp(2 * logp, -1)


BATCHES = {"tree": build_tree, "padded": build_padded}
CAPPED = _make("Gemma3TextConfig", **GROUPED, head_dim=8, final_logit_softcapping=2.0)


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("model", [ARCHITECTURES["gpt2"], ARCHITECTURES["qwen2"], CAPPED])
def test_measures_are_what_the_papers_sum(model: object, path: str) -> None:
    policy: PreTrainedModel = model()  # type: ignore[operator]
    batch: Batch = BATCHES[path](PAIRS)
    found = sequence_logps(policy, batch, measures=Measures(length_alpha=0.3, confidence=True))
    assert found.confidence is not None
    for i, pair in enumerate(PAIRS):
        shorter = min(map(len, pair.endings))
        for side, ending in enumerate(pair.endings):
            logp, collision = _token_logps(policy, pair.prompt, ending)
            expected = logp[:shorter].sum() + 0.3 * logp[shorter:].sum()
            assert found.logp[2 * i + side].item() == pytest.approx(expected.item(), abs=2e-5)
            assert found.confidence[2 * i + side].item() == pytest.approx((logp - collision).mean().item(), abs=2e-5)
            assert found.tokens[2 * i + side] == len(ending)


def test_the_gradient_is_that_of_the_weighted_sum() -> None:
    slopes = {}
    for path, build in BATCHES.items():
        model = ARCHITECTURES["llama"]()
        sequence_logps(model, build(PAIRS), measures=Measures(0.3, confidence=True)).logp.sum().backward()
        slopes[path] = {name: p.grad for name, p in model.named_parameters()}
    for name, slope in slopes["tree"].items():
        torch.testing.assert_close(slope, slopes["padded"][name], rtol=1e-4, atol=1e-4)


def test_confidence_has_no_gradient_and_is_left_out_when_not_asked_for() -> None:
    model = ARCHITECTURES["llama"]()
    asked = sequence_logps(model, build_tree(PAIRS), measures=Measures(confidence=True))
    plain = sequence_logps(model, build_tree(PAIRS))
    assert asked.confidence is not None
    assert not asked.confidence.requires_grad
    assert plain.confidence is None
    assert torch.equal(asked.logp, plain.logp)


def test_cached_reference_scores_of_other_sums_are_not_mixed(tmp_path: object) -> None:
    model, cache = ARCHITECTURES["llama"](), ReferenceCache(tmp_path)  # type: ignore[arg-type]
    plain = reference_scores(model, PAIRS, Scorer(), fingerprint="x", cache=cache)
    other = Scorer(measures=Measures(0.5))
    desensitized = reference_scores(model, PAIRS, other, fingerprint="x", cache=cache)
    assert desensitized[1] == 0
    assert (desensitized[0].logp != plain[0].logp)[:2].any(axis=1).all()
    again = reference_scores(model, PAIRS, other, fingerprint="x", cache=cache)
    assert again[1] == len(PAIRS)
    assert (again[0].logp == desensitized[0].logp).all()
