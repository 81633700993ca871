"""The scores of tokens are the log-probs of the model itself, whichever way its steps are computed."""

from __future__ import annotations

import pytest
import torch

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tiebreak.generation import token_scores
from tiebreak.generation.decoding import Decoding, decode_step
from tiebreak.generation.detokenize import Detokenizer
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.steps import BatchedSteps, SequentialSteps, Steps
from tiebreak.generation.token_scores import score_prompt, score_tokens

TOKENIZER = word_tokenizer()
IDS = [3, 9, 4, 4, 7, 5]


def _steps(kind: str) -> Steps:
    model = ARCHITECTURES["qwen2"]()
    return BatchedSteps(model, 3) if kind == "together" else SequentialSteps(model, 3)


def _logps(steps: Steps, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        plain = ARCHITECTURES["qwen2"]()
        plain.load_state_dict(steps.model.state_dict())
        return torch.log_softmax(plain(torch.tensor([ids])).logits[0].float(), -1)


@pytest.mark.parametrize("kind", ["together", "one by one"])
@pytest.mark.parametrize("block", [1, 64 << 20])
def test_a_prompt_is_scored_as_the_model_does_however_few_logits_are_in_memory(
    kind: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_scores, "_BLOCK_BYTES", block)
    steps = _steps(kind)
    scores, logps = score_prompt(steps, IDS, 2), _logps(steps, IDS)
    assert [score.token for score in scores] == IDS
    assert (scores[0].logp, scores[0].top) == (None, ())
    for at, score in enumerate(scores[1:]):
        assert score.logp == pytest.approx(float(logps[at, IDS[at + 1]]), abs=1e-4)
        best = torch.topk(logps[at], 2)
        assert [token for token, _ in score.top] == best.indices.tolist()
        assert [logp for _, logp in score.top] == pytest.approx(best.values.tolist(), abs=1e-4)
    assert score_prompt(steps, [3], 2) == scores[:1]


def test_scores_of_an_answer_are_the_models_own_whatever_the_draw_is_changed_by() -> None:
    steps = _steps("together")
    settings = Sampling(1.5, 0.9, 6, 1, top_k=9, repetition_penalty=1.4, logit_bias=((5, 3.0),))
    text = Detokenizer(TOKENIZER, (), strip=True)
    decoding = Decoding([3, 9], sampling=settings, end_tokens=frozenset(), text=text, top=1)
    decoding.prefill(steps)
    while decoding.finish_reason is None:
        decode_step(steps, [decoding])
    logps = _logps(steps, [3, 9, *decoding.tokens])
    assert [score.token for score in decoding.scored] == decoding.tokens
    for at, score in enumerate(decoding.scored):
        assert score.logp == pytest.approx(float(logps[at + 1, score.token]), abs=1e-4)
        assert score.top[0][1] == pytest.approx(float(logps[at + 1].max()), abs=1e-4)


def test_nothing_is_drawn_where_no_answer_is_wanted() -> None:
    settings = Sampling(max_new_tokens=0)
    text = Detokenizer(TOKENIZER, (), strip=False)
    decoding = Decoding(IDS, sampling=settings, end_tokens=frozenset(), text=text, top=0, prompt_too=True)
    assert decoding.prefill(_steps("together")) == ""
    assert (decoding.finish_reason, decoding.tokens, len(decoding.prompt_scores)) == ("length", [], len(IDS))


def test_a_token_that_ends_an_answer_has_a_score_where_it_is_asked_and_those_of_a_stop_string_have_none() -> None:
    steps = _steps("one by one")

    def answered(*stops: str, end: frozenset[int] = frozenset(), end_too: bool = False) -> Decoding:
        text, settings = Detokenizer(TOKENIZER, stops, strip=True), Sampling(1.0, max_new_tokens=6, seed=1)
        one = Decoding([3], sampling=settings, end_tokens=end, text=text, top=0, end_too=end_too)
        one.prefill(steps)
        while one.finish_reason is None:
            decode_step(steps, [one])
        return one

    whole = answered()
    third = whole.tokens[2]
    assert third not in whole.tokens[:2]
    assert [score.token for score in answered(end=frozenset({third})).scored] == whole.tokens[:2]
    assert [score.token for score in answered(end=frozenset({third}), end_too=True).scored] == whole.tokens[:3]
    stop = " " + str(TOKENIZER.decode([third])).strip()
    assert [score.token for score in answered(stop).scored] == whole.tokens[:2]


def test_fewer_tokens_than_are_asked_for_are_named() -> None:
    (score,) = score_tokens(torch.tensor([[0.0, 1.0]]), [0], 5)
    assert [token for token, _ in score.top] == [1, 0]
