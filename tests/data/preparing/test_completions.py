"""Completions as text: what follows the prompt, what closes it, and which turns of several are scored."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.data.preparing.chat_templates import (
    ALL,
    EOS,
    GEMMA,
    LLAMA31,
    MISTRAL,
    QWEN3,
    QWEN25,
    R1,
    WITH_TOOLS,
    tokenizer_for,
    with_template,
)
from tiebreak.data.preference import Message
from tiebreak.data.preparing.completions import CompletionWriter, RenderedRow, ScoreTurns, completion_text
from tiebreak.data.preparing.templates import Refused, Renderer
from tiebreak.data.tools import calls_text, from_text, tools_text

ASKED = (Message("user", "Which colour?"),)
TOOLS = tools_text(
    [
        {
            "name": "sky",
            "description": "Colour.",
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
        }
    ]
)
CALL = Message(
    "assistant", "", tool_calls=calls_text([{"id": "a1b2c3d4e", "name": "sky", "arguments": '{"at": "noon"}'}])
)
RESULT = Message("tool", "blue", tool_call_id="a1b2c3d4e", name="sky")
SEVERAL = (Message("assistant", "Blue."), Message("user", "Sure?"), Message("assistant", "Quite."))


def written(
    template: str,
    prompt: Any,
    *completions: Any,
    tools: str | None = None,
    score: ScoreTurns = "all",
    parse: bool = False,
) -> RenderedRow:
    """A row by one of the templates."""
    renderer = Renderer(tokenizer_for(template), "chat", "parse" if parse else "text")
    made = [(Message("assistant", each),) if isinstance(each, str) else each for each in completions]
    return CompletionWriter(renderer, score).row(prompt, made, tools)


def library(template: str, turns: Any, tools: str | None = None, *, cue: bool = False) -> str:
    """What `transformers` makes of a conversation, as people write it for it."""
    said: list[dict[str, Any]] = [turn.to_row() for turn in turns]
    for turn in said:
        if "tool_calls" in turn:
            turn |= {"tool_calls": from_text(turn["tool_calls"]), "content": turn["content"] or None}
    tokenizer = tokenizer_for(template)
    options: Any = {"tools": from_text(tools), "tokenize": False, "add_generation_prompt": cue}
    if template == LLAMA31:  # the day that templates are given here
        options["chat_template"] = template.replace("strftime_now('%d %b %Y')", "'26 Jul 2024'")
    return str(tokenizer.apply_chat_template(said, **options))


def joined(row: RenderedRow, number: int = 0) -> str:
    return row.prompt + "".join(text for text, _ in row.completions[number])


def scored(row: RenderedRow, number: int = 0) -> list[str]:
    return [text for text, is_scored in row.completions[number] if is_scored]


def closed(template: str, text: str) -> str:
    """A whole conversation up to the end-of-sequence token that closes it."""
    return text.rstrip("\n").removesuffix(EOS[template]) if text.rstrip("\n").endswith(EOS[template]) else text


@pytest.mark.parametrize("template", ALL.values(), ids=ALL)
@pytest.mark.parametrize("said", [*"deina", "<", "|", "_", "im_end", "end", ">", "Blue.", "", "é"])
def test_a_short_answer_is_closed_once(template: str, said: str) -> None:
    row = written(template, ASKED, said, "Something else.")
    assert row.prompt == library(template, ASKED, cue=True) or template == R1
    whole = library(template, [*ASKED, Message("assistant", said)])
    assert joined(row) == closed(template, whole)
    assert row.completions[0][0][1]


@pytest.mark.parametrize(
    "said", [" Blue. ", "\n\nBlue.\n", "    indented", "a</think>b", "<think>\nSky.\n</think>\n\nBlue."]
)
@pytest.mark.parametrize(
    "template", [QWEN3, LLAMA31, MISTRAL, GEMMA, QWEN25], ids=["qwen3", "llama", "mistral", "gemma", "qwen2.5"]
)
def test_what_a_template_strips_or_changes_is_as_in_the_whole_conversation(template: str, said: str) -> None:
    row = written(template, ASKED, said)
    assert row.note is None
    assert row.prompt == library(template, ASKED, cue=True)
    assert joined(row) == closed(template, library(template, [*ASKED, Message("assistant", said)]))


def test_special_tokens_that_are_parsed_close_nothing_but_the_last_turn() -> None:
    said = "one<|im_end|>\n<|im_start|>assistant\ntwo"
    assert scored(written(QWEN25, ASKED, said, parse=True)) == [said]
    renderer = Renderer(tokenizer_for(QWEN25), "chat")
    assert completion_text(ASKED, said, renderer.tokenizer, "chat") == said


@pytest.mark.parametrize("template", WITH_TOOLS.values(), ids=WITH_TOOLS)
def test_a_conversation_with_tools_is_the_librarys(template: str) -> None:
    turns = (CALL, RESULT, Message("assistant", "Blue, at noon."))
    for prompt, completion in ((ASKED, turns), ((*ASKED, CALL, RESULT), turns[2:])):
        row = written(template, prompt, completion, "No.", tools=TOOLS)
        assert joined(row) == closed(template, library(template, [*prompt, *completion], TOOLS))
        assert row.prompt == library(template, prompt, TOOLS, cue=True)
        # Qwen3's writes an empty thought before a call while it is the last turn.
        assert (row.note is None) == (template != QWEN3 or len(completion) == 1)
        said = scored(row)
        assert len(said) == len(completion) - (len(completion) == 3)
        assert "blue" not in "".join(said)
        assert "Blue, at noon." in said[-1]
        assert "noon" in said[0]
    last = scored(written(template, ASKED, turns, tools=TOOLS, score="last"))
    assert last == scored(written(template, ASKED, turns, tools=TOOLS))[1:]


def test_calls_are_closed_by_what_the_model_writes() -> None:
    text, _ = scored(written(QWEN25, ASKED, (CALL, RESULT, Message("assistant", "Blue.")), tools=TOOLS))
    assert text == '<tool_call>\n"sky" {"at": "noon"}\n</tool_call><|im_end|>'


@pytest.mark.parametrize(
    ("name", "turns"), [("tools", ASKED), ("calls of tools", (*ASKED, CALL)), ("results of tools", (*ASKED, RESULT))]
)
def test_a_template_without_tools_is_refused_by_name(name: str, turns: Any) -> None:
    for template in (GEMMA, R1, ALL["smollm"]):
        with pytest.raises(Refused, match=f"the model's chat template has no {name}"):
            written(template, turns, "Blue.", tools=TOOLS if name == "tools" else None)
    with pytest.raises(Refused, match="transcript form has no tools"):
        Renderer(tokenizer_for(GEMMA), "transcript").prompt(turns, TOOLS)


def test_ids_of_calls_are_shortened_where_a_template_takes_no_longer_ones() -> None:
    call = Message("assistant", "", tool_calls=calls_text([{"id": "call_123456789", "name": "sky", "arguments": {}}]))
    row = written(MISTRAL, (*ASKED, call, Message("tool", "blue", tool_call_id="call_123456789")), "Blue.")
    calls, results = row.prompt.split("[TOOL_RESULTS]blue")
    name = results.removesuffix("[/TOOL_RESULTS]")
    assert len(name) == 9
    assert calls.endswith(name + "</s>")


@pytest.mark.parametrize("template", [QWEN25, QWEN3, LLAMA31, MISTRAL, ALL["smollm"], GEMMA, R1])
def test_the_assistants_turns_are_scored_and_no_others(template: str) -> None:
    row = written(template, ASKED, SEVERAL, (SEVERAL[0],))
    end = {GEMMA: "<end_of_turn>"}.get(template, EOS[template])
    lead = "<think>\n\n</think>\n\n" if template == QWEN3 else " " if template == MISTRAL else ""
    first, second = scored(row)
    assert first == (" " if template == MISTRAL else "") + "Blue." + end
    assert second.startswith(lead + "Quite.")
    assert joined(row) == closed(template, library(template, [*ASKED, *SEVERAL]))
    assert scored(written(template, ASKED, SEVERAL, score="last")) == [second]
    assert joined(row, 1) == closed(template, library(template, [*ASKED, SEVERAL[0]]))


def test_thoughts_of_past_turns_are_dropped_as_the_template_does() -> None:
    thought = Message("assistant", "<think>\nSky.\n</think>\n\nBlue.")
    prompt = (*ASKED, thought, Message("user", "Sure?"))
    row = written(QWEN3, prompt, "Quite.", "<think>\nHm.\n</think>\n\nNo.")
    assert (row.note, row.cut) == (None, 0)
    assert "Sky." not in row.prompt
    assert row.prompt == library(QWEN3, prompt, cue=True)
    assert scored(row) == ["<think>\n\n</think>\n\nQuite."]
    assert scored(row, 1) == ["<think>\nHm.\n</think>\n\nNo."]


def test_thoughts_inside_a_completion_are_dropped_before_its_later_turns() -> None:
    thought = Message("assistant", "<think>\nSky.\n</think>\n\nBlue.")
    row = written(QWEN3, ASKED, (thought, *SEVERAL[1:]))
    assert scored(row) == ["Blue.<|im_end|>", "<think>\n\n</think>\n\nQuite."]
    assert row.note is not None
    assert "rewrites earlier turns" in row.note
    assert joined(row) == closed(QWEN3, library(QWEN3, [*ASKED, thought, *SEVERAL[1:]]))


def test_a_prompt_that_is_rewritten_by_later_turns_is_taken_from_the_whole_conversation() -> None:
    step = Message("assistant", "<think>\nAsk.\n</think>\n\nLet me see.", tool_calls=CALL.tool_calls)
    prompt, later = (*ASKED, step, RESULT), SEVERAL
    row = written(QWEN3, prompt, later, tools=TOOLS)
    assert "Ask." in library(QWEN3, prompt, TOOLS, cue=True)
    assert "Ask." not in row.prompt
    assert row.cut is None
    assert row.note is not None
    assert joined(row) == closed(QWEN3, library(QWEN3, [*prompt, *later], TOOLS))
    assert scored(row) == ["Blue.<|im_end|>", "<think>\n\n</think>\n\nQuite."]
    with pytest.raises(Refused, match="otherwise for each completion"):
        written(
            QWEN3,
            prompt,
            later,
            (Message("assistant", "x"), *later, Message("user", "?"), *later[:1]),
            "No.",
            tools=TOOLS,
        )


def test_tools_that_a_template_writes_before_the_last_question_cannot_be_told_apart() -> None:
    with pytest.raises(Refused, match="cannot be told which are scored"):
        written(MISTRAL, ASKED, SEVERAL, tools=TOOLS)


def test_an_opened_thought_is_closed_off_or_gone_on_with() -> None:
    row = written(R1, ASKED, "Blue.", "Red.")
    assert row.prompt == "<s><|User|>Which colour?<|Assistant|>"
    assert (scored(row), scored(row, 1), row.cut) == (["Blue."], ["Red."], len("<think>\n"))
    assert row.note is not None
    assert "opens a thought" in row.note
    assert joined(row) == closed(R1, library(R1, [*ASKED, Message("assistant", "Blue.")]))

    for thought in ("<think>\nSky.\n</think>\n\nBlue.", "<think>Sky.\n</think>\n\nBlue."):
        both = written(R1, ASKED, thought, "<think>\n\n</think>\n\nRed.")
        assert both.prompt == library(R1, ASKED, cue=True)
        assert scored(both) == ["Sky.\n</think>\n\nBlue."]
        assert both.note is not None
        assert "as it would be generated" in both.note
        one = written(R1, ASKED, thought, "Red.")
        assert (one.prompt, scored(one), scored(one, 1)) == (row.prompt, ["<think>\nSky.\n</think>\n\nBlue."], ["Red."])


def test_a_template_that_writes_an_answered_prompt_otherwise_leaves_the_answer_as_it_is() -> None:
    cue = "{% if add_generation_prompt %}> {% endif %}"
    for said, text in (("(m.content | upper)", "BLUE.\n"), ("(m.content | length | string)", "Blue.")):
        odd = "{% for m in messages %}{{ m.role + ': ' + " + said + " + '\n' }}{% endfor %}" + cue
        row = CompletionWriter(Renderer(with_template(QWEN25, odd), "chat")).row(
            ASKED, [(Message("assistant", "Blue."),)]
        )
        assert row.prompt.endswith("\n> ")
        assert scored(row) == [text]
        assert row.note is not None
        assert "stands after it as generated" in row.note


@pytest.mark.parametrize("template", ALL.values(), ids=ALL)
@pytest.mark.parametrize("said", ["d", " Blue, I", "a<|im_end|>b", "x<end_of_turn>"])
def test_an_answer_that_has_begun_is_not_closed(template: str, said: str) -> None:
    writer = CompletionWriter(Renderer(tokenizer_for(template), "chat"))
    prompt, text = writer.begun(ASKED, Message("assistant", said))
    assert writer.renderer.shown(prompt + text).endswith(said.strip())
    assert prompt == writer.row(ASKED, [(Message("assistant", said),)]).prompt


@pytest.mark.parametrize(
    "text",
    [
        "สวัสดีครับ",
        "你好，世界",
        "السلام عليكم",
        "e\u0301 \u00e9 \ufb01",
        "👩\u200d👩\u200d👧 🏳️\u200d🌈",
        "\u200f\u202babc\u202c",
        "\ufdd0\ufdd1\ufdd2x",
    ],
)
@pytest.mark.parametrize("template", ALL.values(), ids=ALL)
def test_text_stays_byte_for_byte(template: str, text: str) -> None:
    row = written(template, (Message("user", text),), text, "no")
    renderer = Renderer(tokenizer_for(template), "chat")
    assert text in renderer.shown(row.prompt)
    lead = "<think>\n\n</think>\n\n" if template == QWEN3 else ""
    assert renderer.shown(scored(row)[0]).strip().removesuffix("<end_of_turn>") == lead + text


def test_combinations_of_turns_are_the_librarys() -> None:
    kinds = {"u": Message("user", "and?"), "a": Message("assistant", "Yes."), "c": CALL, "t": RESULT}
    for template, length in itertools.product((QWEN25, LLAMA31, QWEN3), (1, 3, 5)):
        for word in map("".join, itertools.product("aucut", repeat=length)):
            turns = tuple(kinds[each] for each in word.replace("cu", "ct"))
            if (
                word[0] not in "ac"
                or turns[-1].role != "assistant"
                or any(a.role == b.role for a, b in itertools.pairwise(turns))
            ):
                continue
            row = written(template, ASKED, turns)
            assert joined(row) == closed(template, library(template, [*ASKED, *turns])), word
            assert len(scored(row)) == sum(turn.role == "assistant" for turn in turns)
            assert not any("and?" in text or RESULT.content in text for text in scored(row))
