"""Answers of a given form keep to it, whatever the model would rather say, alone and in company."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from tiebreak.errors import InputError
from tiebreak.generation.decoding import Decoding, decode_step, end_tokens, prompt_ids
from tiebreak.generation.detokenize import Detokenizer
from tiebreak.generation.grammar import ANY_OBJECT, Grammars
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.steps import SequentialSteps
from tiebreak.models.load import load_model, load_tokenizer

SCHEMA = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "Rome"]}, "sure": {"type": "boolean"}},
    "required": ["city", "sure"],
    "additionalProperties": False,
}
needed = pytest.mark.skipif(
    importlib.util.find_spec("llguidance") is None, reason="needs the extra json: pip install 'tiebreak[json]'"
)


class Bundled:
    """The bundled model, and answers of a form."""

    def __init__(self) -> None:
        self.model, self.tokenizer = load_model("bundled:base"), load_tokenizer("bundled:base")
        self.end = end_tokens(self.model, self.tokenizer)
        self.grammars = Grammars(self.tokenizer, int(self.model.config.vocab_size), self.end)

    def begun(self, schema: Any, seed: int, longest: int = 60) -> Decoding:
        from tiebreak.data.preference import Message

        return Decoding(
            prompt_ids(self.tokenizer, [Message("user", "What is the capital of France?")], "chat"),
            sampling=Sampling(1.0, max_new_tokens=longest, seed=seed),
            end_tokens=self.end,
            text=Detokenizer(self.tokenizer, (), strip=True),
            constraint=self.grammars.json(schema),
        )


@pytest.fixture(scope="module")
def bundled() -> Bundled:
    return Bundled()


@needed
def test_answers_are_of_the_schema_alone_and_in_company(bundled: Bundled) -> None:
    steps = SequentialSteps(bundled.model, 4)

    def answered(*decodings: Decoding) -> list[str]:
        texts = [one.prefill(steps) for one in decodings]
        while growing := [i for i, one in enumerate(decodings) if one.finish_reason is None]:
            for i, text in zip(growing, decode_step(steps, [decodings[i] for i in growing]), strict=True):
                texts[i] += text
        assert [one.finish_reason for one in decodings] == ["stop"] * len(decodings)
        return texts

    together = answered(*[bundled.begun(SCHEMA, seed) for seed in range(4)])
    assert together == [answered(bundled.begun(SCHEMA, seed))[0] for seed in range(4)]
    for text in together:
        found = json.loads(text)
        assert set(found) == {"city", "sure"}
        assert found["city"] in ("Paris", "Rome")


@needed
def test_any_object_begins_as_one(bundled: Bundled) -> None:
    steps = SequentialSteps(bundled.model, 1)
    decoding = bundled.begun(ANY_OBJECT, 1, longest=20)
    text = decoding.prefill(steps)
    while decoding.finish_reason is None:
        text += decode_step(steps, [decoding])[0]
    assert text.startswith("{")
    if decoding.finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


@needed
@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"type": "string", "pattern": "("}, {"$ref": "#/nowhere"}])
def test_a_schema_that_cannot_be_followed_is_refused(schema: dict[str, Any], bundled: Bundled) -> None:
    with pytest.raises(InputError, match="schema cannot be followed"):
        bundled.grammars.json(schema)


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="not installed") as refused:
        Grammars(None, 5, frozenset()).json({})  # type: ignore[arg-type]
    assert "tiebreak[json]" in str(refused.value.fix)
