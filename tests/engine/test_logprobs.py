"""Log-probs of completions: by trees they are those of one plain forward pass a sequence, and so are their gradients.

Other sums over a completion's tokens too: length-desensitized ones, and the policy's confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from tests.architectures import ARCHITECTURES, GROUPED, made
from tests.engine.gradients import assert_alike, gradients
from tests.engine.groups import BY_TREE, GROUPS, PAIRS, plain_logps
from tiebreak.engine.batch import Batch, ScoredGroup, group_of
from tiebreak.engine.layout import build_padded, build_tree, lengthened
from tiebreak.engine.logprobs import Measures, sequence_logps


@pytest.mark.parametrize("name", sorted(BY_TREE))
def test_trees_agree_with_plain_forward_passes(name: str) -> None:
    model = ARCHITECTURES[name]()
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(model, build_tree(GROUPS)).logp, plain_logps(model, GROUPS), rtol=1e-6, atol=2e-5
        )


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2", "mistral_window", "gpt_neox", "gemma2_capped", "gpt_oss"])
def test_gradients_agree_with_plain_forward_passes(name: str) -> None:
    model = ARCHITECTURES[name]()
    weights = torch.linspace(-1, 1, sum(len(group.completions) for group in GROUPS))

    plain = gradients(model, (weights * plain_logps(model, GROUPS)).sum())
    trees = gradients(model, (weights * sequence_logps(model, build_tree(GROUPS)).logp).sum())
    # A bias of keys moves all scores of a query alike: its gradient is zero but for rounding.
    assert_alike(trees, plain, 1e-4)


_COMPLETIONS = st.lists(st.lists(st.integers(3, 6), min_size=1, max_size=6), min_size=1, max_size=8)
_MODEL = ARCHITECTURES["qwen2"]()


@settings(max_examples=60, deadline=None)
@given(prompt=st.lists(st.integers(3, 6), min_size=1, max_size=6), completions=_COMPLETIONS, share=st.booleans())
def test_any_tree_of_up_to_eight_sequences_agrees(prompt: list[int], completions: list[list[int]], share: bool) -> None:
    group = group_of(prompt, completions)
    with torch.no_grad():
        torch.testing.assert_close(
            sequence_logps(_MODEL, build_tree([group], share=share)).logp,
            plain_logps(_MODEL, [group]),
            rtol=1e-6,
            atol=2e-5,
        )


def test_lengthening_changes_no_number() -> None:
    model, batch = ARCHITECTURES["qwen2"](), build_tree(GROUPS)
    longer = lengthened(batch, 256)
    assert longer.tokens == 256
    torch.testing.assert_close(sequence_logps(model, longer).logp, sequence_logps(model, batch).logp)


# Other sums.


def _token_logps(model: PreTrainedModel, prompt: tuple[int, ...], completion: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Log-prob of each token of a completion, and the log of the sum of squared probabilities there, in float64."""
    with torch.no_grad():
        logits = model(torch.tensor([prompt + completion])).logits[0].double()
    logp = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
    return logp.gather(1, torch.tensor(completion)[:, None])[:, 0], torch.logsumexp(2 * logp, -1)


BATCHES: dict[str, Callable[[Sequence[ScoredGroup]], Batch]] = {"tree": build_tree, "padded": build_padded}
CAPPED = made("Gemma3TextConfig", **GROUPED, head_dim=8, final_logit_softcapping=2.0)


@pytest.mark.parametrize("path", ["tree", "padded"])
@pytest.mark.parametrize("make", [ARCHITECTURES["gpt2"], ARCHITECTURES["qwen2"], CAPPED])
def test_measures_are_what_the_papers_sum(make: Callable[[], PreTrainedModel], path: str) -> None:
    policy, batch = make(), BATCHES[path](PAIRS)
    found = sequence_logps(policy, batch, measures=Measures(length_alpha=0.3, confidence=True))
    assert found.confidence is not None
    for i, pair in enumerate(PAIRS):
        shorter = min(map(len, pair.completions))
        for side, completion in enumerate(pair.completions):
            logp, collision = _token_logps(policy, pair.prompt, completion)
            expected = logp[:shorter].sum() + 0.3 * logp[shorter:].sum()
            assert found.logp[2 * i + side].item() == pytest.approx(expected.item(), abs=2e-5)
            assert found.confidence[2 * i + side].item() == pytest.approx((logp - collision).mean().item(), abs=2e-5)
            assert found.tokens[2 * i + side] == len(completion)


def test_the_gradient_is_that_of_the_weighted_sum() -> None:
    slopes = {}
    for path, build in BATCHES.items():
        model = ARCHITECTURES["llama"]()
        logps = sequence_logps(model, build(PAIRS), measures=Measures(0.3, confidence=True)).logp
        slopes[path] = gradients(model, logps.sum())
    assert_alike(slopes["tree"], slopes["padded"], 1e-4)


def test_confidence_has_no_gradient_and_is_dropped_when_not_asked_for() -> None:
    model = ARCHITECTURES["llama"]()
    asked = sequence_logps(model, build_tree(PAIRS), measures=Measures(confidence=True))
    plain = sequence_logps(model, build_tree(PAIRS))
    assert asked.confidence is not None
    assert not asked.confidence.requires_grad
    assert plain.confidence is None
    assert torch.equal(asked.logp, plain.logp)


def test_only_marked_tokens_are_summed_by_both_paths() -> None:
    model = ARCHITECTURES["qwen2"]()
    groups = [group_of([5, 6, 7], [[8, 9, 10, 11, 12], [8, 9, 13]], 0, [[1, 1, 0, 0, 1], [1, 0, 1]])]
    tree, padded = (sequence_logps(model, batch) for batch in (build_tree(groups), build_padded(groups)))
    expected = []
    for number, completion in enumerate(groups[0].completions):
        logps, _ = _token_logps(model, groups[0].prompt, completion)
        expected.append(logps[list(groups[0].targets(number))].sum().float())
    assert tree.tokens.tolist() == padded.tokens.tolist() == [3, 2]
    torch.testing.assert_close(tree.logp, torch.stack(expected), atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.logp, torch.stack(expected), atol=1e-5, rtol=0)
