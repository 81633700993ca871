"""What templates do to rows: nothing with most, and what is doubled or missing with some."""

from __future__ import annotations

from typing import Any

import pytest
from datasets import Dataset

from tests.data.preparing.chat_templates import ALL, GEMMA, MISTRAL, QWEN3, R1, SMOLLM, tokenizer_for, with_template
from tiebreak.data.load_report import Tally
from tiebreak.data.preference import Message, Preference
from tiebreak.data.preparing.templates import Renderer, SpecialTokens, Template
from tiebreak.data.preparing.tokenize import Limits, tokenize_preferences
from tiebreak.data.profile.template import TemplateTraits, template_traits

ASKED = Message("user", "What is it?")
BRIEF = Message("system", "Be brief, and answer in English.")
THOUGHT = "<think>It is said often.</think>It is that."
OWN_SYSTEM = SMOLLM.replace("messages[0].role != 'system'", "true")
DROPPING = SMOLLM.replace("m.content", "m.content.split('</think>')[-1]")
WITHOUT_SYSTEM = SMOLLM.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
START = "{{ bos_token }}{% for m in messages %}{{ m.content + '</s>' }}{% endfor %}"


def nothing(rows: int, **seen: Any) -> TemplateTraits:
    plain: dict[str, Any] = dict.fromkeys(
        ("doubled_start", "doubled_system", "lost_completions", "lost_turns"), Tally()
    )
    return TemplateTraits(
        **{**plain, "without_end": {}, "looked_at": rows, "systems": 0, "completion_thoughts": 0, "turn_thoughts": 0}
        | seen
    )


def found(
    tokenizer: Any,
    *rows: Preference,
    special_tokens: SpecialTokens = "text",
    transcript: bool = False,
    limits: Limits | None = None,
    most: int = 500,
) -> TemplateTraits:
    template: Template = "transcript" if transcript else "chat"
    dataset = Dataset.from_list([row.to_row() for row in rows])
    made = tokenize_preferences(
        dataset,
        tokenizer,
        template=template,
        special_tokens=special_tokens,
        limits=limits,
    )
    kept = dataset.select(made.dataset["row"])
    renderer = Renderer(tokenizer, template, special_tokens)
    return template_traits(kept, made.dataset, ("chosen", "rejected"), renderer, most=most)


def pair(*prompt: Message, chosen: str = "It is that.", rejected: str = "Who knows.", **more: Any) -> Preference:
    return Preference(prompt or (ASKED,), chosen, rejected, **more)


@pytest.mark.parametrize("name", ALL)
def test_plain_rows_come_through_every_template(name: str) -> None:
    several = (ASKED, Message("assistant", "A thing,\nand no more."), ASKED)
    typed = Message("user", "What are <|im_start|>system, [INST] and <system>?<|im_start|>system")
    rows = (pair(), pair(*several), pair(typed), pair(chosen="  It is <b>that</b>.\n"))
    assert found(tokenizer_for(ALL[name]), *rows) == nothing(4)
    assert found(tokenizer_for(ALL[name]), *rows, transcript=True) == nothing(4)


@pytest.mark.parametrize("name", [name for name in ALL if ALL[name] not in (MISTRAL, GEMMA, R1)])
def test_a_system_turn_is_written_once(name: str) -> None:
    quoting = Message("user", f"You were told: {BRIEF.content} Why?")
    assert found(tokenizer_for(ALL[name]), pair(BRIEF, ASKED), pair(BRIEF, quoting), pair()) == nothing(3, systems=2)


def test_a_template_with_a_system_turn_of_its_own_beside_the_one_given() -> None:
    traits = found(with_template(SMOLLM, OWN_SYSTEM), pair(), pair(BRIEF, ASKED, id="told"))
    assert traits == nothing(2, systems=1, doubled_system=Tally(1, ("told",)))


def test_a_template_that_writes_the_one_given_twice() -> None:
    twice = "{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}" + SMOLLM
    assert found(with_template(SMOLLM, twice), pair(BRIEF, ASKED), pair()).doubled_system == Tally(1, ("row 1",))


def test_rows_with_two_system_turns() -> None:
    twice = (BRIEF, Message("system", "Be kind."), ASKED)
    assert found(tokenizer_for(SMOLLM), pair(), pair(*twice)).doubled_system == Tally(1, ("row 2",))


def test_a_template_that_drops_the_system_turn() -> None:
    traits = found(with_template(SMOLLM, WITHOUT_SYSTEM), pair(), pair(BRIEF, ASKED))
    assert (traits.systems, traits.lost_turns, traits.turn_thoughts) == (1, Tally(1, ("row 2",)), 0)


def test_a_start_token_that_is_typed_and_parsed_is_there_twice() -> None:
    tokenizer, typed = with_template(MISTRAL, START), pair(Message("user", "<s>What is it?"))
    assert found(tokenizer, pair(), typed, special_tokens="parse").doubled_start == Tally(1, ("row 2",))
    assert found(tokenizer, pair(), typed).doubled_start == Tally()


def test_a_template_that_writes_two_start_tokens() -> None:
    rows = [pair(chosen=f"It is {number}.") for number in range(7)]
    traits = found(with_template(MISTRAL, "{{ bos_token }}" + START), *rows, most=3)
    assert (traits.looked_at, traits.doubled_start.count) == (3, 7)  # start tokens are counted in all rows
    assert found(with_template(MISTRAL, START), *rows).doubled_start == Tally()


def test_a_template_that_drops_the_thoughts_of_completions() -> None:
    rows = (pair(), pair(chosen=THOUGHT, rejected="<think>Hm.</think>Who knows."))
    traits = found(with_template(SMOLLM, DROPPING), *rows)
    assert traits == nothing(2, lost_completions=Tally(1, ("row 2",)), completion_thoughts=1)
    for keeps in (SMOLLM, R1, QWEN3):  # the cue of R1 opens the thought
        assert found(tokenizer_for(keeps), *rows) == nothing(2)


def test_thoughts_of_earlier_answers_are_counted_apart() -> None:
    earlier = pair(ASKED, Message("assistant", THOUGHT), ASKED)
    assert found(tokenizer_for(QWEN3), earlier) == nothing(1, lost_turns=Tally(1, ("row 1",)), turn_thoughts=1)
    assert found(tokenizer_for(SMOLLM), earlier) == nothing(1)


def test_a_template_that_shortens_completions() -> None:
    shortens = SMOLLM.replace("m.content", "m.content[:12]")
    traits = found(with_template(SMOLLM, shortens), pair(chosen=THOUGHT))
    assert (traits.lost_completions.count, traits.completion_thoughts) == (1, 0)


@pytest.mark.parametrize("name", ALL)
def test_a_limit_cuts_the_end_token_of_the_side_that_is_too_long(name: str) -> None:
    rows = (pair(chosen="It is that, and that, and that, and that again, and this one."), pair())
    cut = Limits(completion=40, too_long="trim_completion")
    assert found(tokenizer_for(ALL[name]), *rows, limits=cut).without_end == {"chosen": Tally(1, ("row 1",))}
    assert found(tokenizer_for(ALL[name]), *rows).without_end == {}


def test_only_so_many_are_rendered() -> None:
    rows = [pair(chosen=f"It is {number}.") for number in range(20)]
    assert found(tokenizer_for(SMOLLM), *rows, most=5) == nothing(5)
