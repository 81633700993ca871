"""One answer on its way: it ends where it must, and its draws do not depend on what shares its steps."""

from __future__ import annotations

import pytest

from tests.architectures import ARCHITECTURES
from tests.training.small import word_tokenizer
from tiebreak.generation.decoding import Decoding, decode_step, end_tokens
from tiebreak.generation.detokenize import Detokenizer
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.steps import BatchedSteps, SequentialSteps, Steps

TOKENIZER = word_tokenizer()


def _decoding(ids: list[int], sampling: Sampling, end: frozenset[int] = frozenset(), *stops: str) -> Decoding:
    return Decoding(ids, sampling=sampling, end_tokens=end, text=Detokenizer(TOKENIZER, stops, strip=True))


def _whole(steps: Steps, decoding: Decoding) -> str:
    text = decoding.prefill(steps)
    while decoding.finish_reason is None:
        text += decode_step(steps, [decoding])[0]
    return text


def test_an_answer_as_long_as_it_may_be_is_cut_there() -> None:
    decoding = _decoding([3, 4, 5], Sampling(1.0, max_new_tokens=6, seed=1))
    text = _whole(SequentialSteps(ARCHITECTURES["qwen2"](), 1), decoding)
    assert (decoding.finish_reason, len(decoding.tokens)) == ("length", 6)
    assert text == str(TOKENIZER.decode(decoding.tokens, skip_special_tokens=True)).strip()


def test_a_token_and_a_string_end_an_answer_and_are_no_text_of_it() -> None:
    steps = SequentialSteps(ARCHITECTURES["qwen2"](), 1)
    settings = Sampling(1.0, max_new_tokens=6, seed=1)
    whole = _decoding([3, 4, 5], settings)
    words = _whole(steps, whole).split()
    assert len(set(words[:3])) == 3
    by_token = _decoding([3, 4, 5], settings, frozenset({whole.tokens[2]}))
    assert _whole(steps, by_token).split() == words[:2]
    assert (by_token.finish_reason, by_token.tokens) == ("stop", whole.tokens[:3])
    by_string = _decoding([3, 4, 5], settings, frozenset(), words[2])
    assert _whole(steps, by_string).split() == words[:2]
    assert by_string.finish_reason == "stop"


def test_the_end_of_an_answer_may_be_its_first_token() -> None:
    steps = SequentialSteps(ARCHITECTURES["qwen2"](), 1)
    settings = Sampling(0.0, max_new_tokens=6)
    first = _decoding([3], settings)
    first.prefill(steps)
    decoding = _decoding([3], settings, frozenset(first.tokens))
    assert decoding.prefill(steps) == ""
    assert decoding.finish_reason == "stop"


def test_answers_that_share_their_steps_are_those_that_each_gets_alone() -> None:
    steps = BatchedSteps(ARCHITECTURES["qwen2"](), 4)
    prompts = [[3, 9, 4], [7] * 12, [5, 6, 7]]

    def begun() -> list[Decoding]:
        return [_decoding(ids, Sampling(1.0, 0.9, 8 + i, i)) for i, ids in enumerate(prompts)]

    alone = [_whole(steps, one) for one in begun()]
    together = begun()
    texts = [one.prefill(steps) for one in together]
    while growing := [i for i, one in enumerate(together) if one.finish_reason is None]:
        for i, text in zip(growing, decode_step(steps, [together[i] for i in growing]), strict=True):
            texts[i] += text
    assert texts == alone


def test_a_step_before_the_prompt_is_refused() -> None:
    decoding = _decoding([3], Sampling())
    decoding.tokens.append(3)
    with pytest.raises(ValueError, match="not been read"):
        decode_step(SequentialSteps(ARCHITECTURES["qwen2"](), 1), [decoding])


def test_the_models_own_end_tokens_end_an_answer_as_well() -> None:
    model = ARCHITECTURES["qwen2"]()
    assert model.generation_config is not None
    model.generation_config.eos_token_id = [7, 9]
    assert end_tokens(model, TOKENIZER) == {7, 9, TOKENIZER.eos_token_id}
