"""The forms that public data and other programs write: made-up rows of each, and exactly the pairs that they make."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.files import load, preferences, write
from tests.data.forms.cases import TURNS, USER, said
from tiebreak.data.load import LoadedPreferences
from tiebreak.data.preference import Message, Preference

PLAIN = Preference((USER,), "4", "5")
WHOLE_A, WHOLE_B = TURNS + said("4"), TURNS + said("5")
PARTS_A = [
    {"role": "user", "content": [{"type": "text", "text": "2+", "image": None}, {"type": "text", "text": "2?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "4", "image": None}]},
]
PARTS_B = [PARTS_A[0], {"role": "assistant", "content": [{"type": "text", "text": "5", "image": None}]}]
CHATML = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"
BRIEF = (Message("system", "Be brief."), USER)
HH = "\n\nHuman: 2+2?\n\nAssistant:"


def _values(*parts: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "value": part} for part in parts]


def _lf(answer: str) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": _values("2+2?"), "loss_weight": 0.0},
        {"role": "assistant", "content": _values(answer), "loss_weight": 1.0},
    ]


CASES: dict[str, tuple[str, dict[str, Any], list[Preference]]] = {
    **{
        f"text with the prompt under {name}": ("question", {name: "2+2?", "chosen": "4", "rejected": "5"}, [PLAIN])
        for name in ("question", "input", "query", "context", "trajectory")
    },
    "Intel/orca_dpo_pairs": (
        "question",
        {"system": "Be brief.", "question": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference(BRIEF, "4", "5")],
    ),
    "the same with an empty system": (
        "question",
        {"system": "", "question": "2+2?", "chosen": "4", "rejected": "5"},
        [PLAIN],
    ),
    "distilabel's orca pairs": (
        "question",
        {
            "system": "Be brief.",
            "input": "2+2?",
            "chosen": "4",
            "rejected": "5",
            "generations": ["4", "5"],
            "order": ["chosen", "rejected"],
            "rating": [9.0, 2.0],
            "status": "unchanged",
        },
        [Preference(BRIEF, "4", "5", chosen_score=9, rejected_score=2)],
    ),
    "distilabel's orca pairs, the other order": (
        "question",
        {"input": "2+2?", "chosen": "4", "rejected": "5", "order": ["rejected", "chosen"], "rating": [2.0, 9.0]},
        [Preference((USER,), "4", "5", chosen_score=9, rejected_score=2)],
    ),
    "UltraInteract": (
        "question",
        {"trajectory": [{"from": "user", "value": "2+2?"}], "chosen": "4", "rejected": "5", "id": "x"},
        [Preference((USER,), "4", "5", "x")],
    ),
    "other capitals": ("text", {"Prompt": "2+2?", "Chosen": "4", "Rejected": "5"}, [PLAIN]),
    "capitals and a blank": ("question", {"Question": "2+2?", "CHOSEN": "4", "Rejected": "5"}, [PLAIN]),
    "several rejected": (
        "question",
        {"prompt": "2+2?", "chosen": "4", "rejected": ["5", "6"], "id": "a"},
        [Preference((USER,), "4", "5", "a#0"), Preference((USER,), "4", "6", "a#1")],
    ),
    "rejected as a list of one": ("question", {"prompt": "2+2?", "chosen": "4", "rejected": ["5"]}, [PLAIN]),
    "instruction with an input and completions of messages": (
        "question",
        {"instruction": "Add.", "input": "2 and 2", "chosen": said("4"), "rejected": said("5")},
        [Preference((Message("user", "Add.\n2 and 2"),), "4", "5")],
    ),
    "OpenAI": (
        "openai",
        {
            "input": {"messages": TURNS, "tools": [], "parallel_tool_calls": True},
            "preferred_output": said("4"),
            "non_preferred_output": said("5"),
        },
        [PLAIN],
    ),
    "Arena": (
        "arena",
        {
            "question_id": "q",
            "model_a": "m",
            "model_b": "n",
            "winner": "model_b",
            "conversation_a": WHOLE_B,
            "conversation_b": WHOLE_A,
            "turn": 1,
        },
        [Preference((USER,), "4", "5", "q")],
    ),
    "human judgments of the first of two turns": (
        "arena",
        {
            "conversation_a": [*WHOLE_A, *TURNS, *said("four")],
            "conversation_b": [*WHOLE_B, *TURNS, *said("five")],
            "winner": "model_a",
            "turn": 1,
        },
        [PLAIN],
    ),
    "Arena with parts of content": (
        "arena",
        {"conversation_a": PARTS_A, "conversation_b": PARTS_B, "winner": "model_a", "language": "en"},
        [dataclasses.replace(PLAIN, category="en")],
    ),
    "Arena with the model's name": (
        "arena",
        {"conversation_a": WHOLE_A, "conversation_b": WHOLE_B, "model_a": "m", "model_b": "n", "winner": "m"},
        [PLAIN],
    ),
    "webgpt": (
        "scored",
        {
            "question": {"full_text": "2+2?", "dataset": "eli5", "id": "z"},
            "answer_0": "5",
            "answer_1": "4",
            "score_0": -0.5,
            "score_1": 0.5,
        },
        [Preference((USER,), "4", "5", chosen_score=0.5, rejected_score=-0.5)],
    ),
    "HelpSteer2, the first": (
        "helpsteer",
        {"prompt": "2+2?", "response_1": "4", "response_2": "5", "preference_strength": -2},
        [PLAIN],
    ),
    "HelpSteer2, the second": (
        "helpsteer",
        {"prompt": "2+2?", "response_1": "5", "response_2": "4", "preference_strength": 1},
        [PLAIN],
    ),
    "HelpSteer3": (
        "helpsteer",
        {"domain": "code", "context": TURNS, "response1": "4", "response2": "5", "overall_preference": -3},
        [dataclasses.replace(PLAIN, category="code")],
    ),
    "AlpacaEval": (
        "alpaca-eval",
        {
            "instruction": "2+2?",
            "output_1": "5",
            "output_2": "4",
            "generator_1": "m",
            "generator_2": "n",
            "preference": 1.98,
        },
        [PLAIN],
    ),
    "AlpacaEval, the first": (
        "alpaca-eval",
        {
            "instruction": "2+2?",
            "output_1": "4",
            "output_2": "5",
            "generator_1": "m",
            "generator_2": "n",
            "preference": 1.02,
        },
        [PLAIN],
    ),
    "stanfordnlp/SHP, A": (
        "shp",
        {
            "post_id": "p",
            "history": "2+2?",
            "human_ref_A": "4",
            "human_ref_B": "5",
            "labels": 1,
            "score_A": 9,
            "score_B": 3,
        },
        [Preference((USER,), "4", "5", "p", chosen_score=9, rejected_score=3)],
    ),
    "stanfordnlp/SHP, B": (
        "shp",
        {"history": "2+2?", "human_ref_A": "5", "human_ref_B": "4", "labels": 0},
        [PLAIN],
    ),
    "PKU": (
        "labelled",
        {"prompt": "2+2?", "response_0": "5", "response_1": "4", "better_response_id": 1, "safer_response_id": 0},
        [PLAIN],
    ),
    "HALOs": (
        "halos",
        {
            "prompt": TURNS,
            "output_A": said("4"),
            "output_B": said("5"),
            "label": 1,
            "reward_A": 1,
            "reward_B": -1,
            "type": "pairwise_feedback",
        },
        [Preference((USER,), "4", "5", chosen_score=1, rejected_score=-1)],
    ),
    "a winner by side": (
        "labelled",
        {"prompt": "2+2?", "response_a": "5", "response_b": "4", "winner": "right"},
        [PLAIN],
    ),
    "openai/summarize_from_feedback": (
        "summarize",
        {
            "info": {"id": "t", "post": "A post.", "title": "A title", "subreddit": "r"},
            "summaries": [{"text": "bad", "policy": "p", "note": None}, {"text": "good", "policy": "q", "note": None}],
            "choice": 1,
            "worker": "w",
        },
        [Preference((Message("user", "A title\n\nA post."),), "good", "bad", "t")],
    ),
    "openai/summarize_from_feedback, an article": (
        "summarize",
        {
            "info": {"id": "t", "post": None, "title": None, "article": "News."},
            "summaries": [{"text": "good"}, {"text": "bad"}],
            "choice": 0,
        },
        [Preference((Message("user", "News."),), "good", "bad", "t")],
    ),
    "stack-exchange-preferences": (
        "ranked",
        {
            "qid": 1,
            "question": "2+2?",
            "answers": [
                {"answer_id": 1, "text": "5", "pm_score": 0, "selected": False},
                {"answer_id": 2, "text": "4", "pm_score": 4, "selected": True},
            ],
        },
        [Preference((USER,), "4", "5", "row-1#1>0", chosen_score=4, rejected_score=0)],
    ),
    "answers of which one is selected": (
        "ranked",
        {"question": "2+2?", "answers": [{"text": "4", "selected": True}, {"text": "5", "selected": False}]},
        [Preference((USER,), "4", "5", "row-1#0>1", chosen_score=1, rejected_score=0)],
    ),
    "berkeley-nest/Nectar": (
        "ranked",
        {
            "prompt": f"{HH} ",
            "answers": [{"answer": "5", "model": "m", "rank": 2.0}, {"answer": "4", "model": "n", "rank": 1.0}],
            "turns": 1,
        },
        [Preference((USER,), "4", "5", "row-1#1>0")],
    ),
    "rankings": (
        "ranked",
        {"prompt": "2+2?", "completions": ["5", "4"], "rankings": [2, 1]},
        [Preference((USER,), "4", "5", "row-1#1>0")],
    ),
    "ranked by order": (
        "ordered",
        {"prompt": "2+2?", "ranked_responses": ["4", "5"]},
        [Preference((USER,), "4", "5", "row-1#0>1")],
    ),
    "LLaMA-Factory's output": (
        "ordered",
        {"instruction": "2+2?", "input": "", "output": ["4", "5"]},
        [Preference((USER,), "4", "5", "row-1#0>1")],
    ),
    "LLaMA-Factory's v1": ("llama-factory", {"chosen_messages": _lf("4"), "rejected_messages": _lf("5")}, [PLAIN]),
    "ms-swift": ("swift", {"messages": WHOLE_A, "rejected_response": "5"}, [PLAIN]),
    "ms-swift with messages": ("swift", {"messages": WHOLE_A, "rejected_messages": WHOLE_B}, [PLAIN]),
    "ms-swift with the answer alone": ("swift", {"messages": WHOLE_A, "rejected_messages": said("5")}, [PLAIN]),
    "ms-swift's query": (
        "swift",
        {"system": "Be brief.", "query": "2+2?", "response": "4", "rejected_response": "5", "history": [["a", "b"]]},
        [Preference((BRIEF[0], Message("user", "a"), Message("assistant", "b"), USER), "4", "5")],
    ),
    "Axolotl": (
        "axolotl",
        {"messages": TURNS, "chosen": said("4")[0], "rejected": said("5")[0]},
        [PLAIN],
    ),
    "Axolotl's chosen_response": (
        "chosen-response",
        {"instruction": "2+2?", "chosen_response": "4", "rejected_response": "5"},
        [PLAIN],
    ),
    "Label Studio": (
        "label-studio",
        {
            "id": 3,
            "data": {"prompt": "2+2?", "answer1": "5", "answer2": "4"},
            "annotations": [
                {"result": [{"type": "pairwise", "value": {"selected": "right"}}]},
                {"result": [{"type": "pairwise", "value": {"selected": "right"}}]},
                {"result": [{"type": "pairwise", "value": {"selected": "left"}}]},
            ],
        },
        [Preference((USER,), "4", "5", "3")],
    ),
    "Label Studio, one was cancelled": (
        "label-studio",
        {
            "data": {"question": "2+2?", "text1": "4", "text2": "5"},
            "annotations": [
                {"was_cancelled": True, "result": [{"type": "pairwise", "value": {"selected": "right"}}]},
                {
                    "was_cancelled": False,
                    "result": [
                        {"type": "textarea", "value": {"text": ["clear"]}},
                        {"type": "pairwise", "value": {"selected": "left"}},
                    ],
                },
            ],
        },
        [PLAIN],
    ),
    "Label Studio's plain export": (
        "label-studio",
        {"prompt": "2+2?", "answer1": "5", "answer2": "4", "id": 1, "comparison": "right", "lead_time": 1.5},
        [Preference((USER,), "4", "5", "1")],
    ),
    "Label Studio's plain export, an object": (
        "label-studio",
        {"prompt": "2+2?", "answer1": "4", "answer2": "5", "pw": {"type": "pairwise", "selected": "left"}},
        [PLAIN],
    ),
    "Argilla 1, one was discarded": (
        "argilla",
        {
            "fields": {"prompt": "2+2?", "response1": "5", "response2": "4"},
            "responses": [
                {"values": {"preference": {"value": "response1"}}, "status": "discarded"},
                {"values": {"preference": {"value": "response2"}}, "status": "submitted"},
            ],
        },
        [PLAIN],
    ),
    "Argilla 1 on the Hub": (
        "argilla",
        {
            "prompt": "2+2?",
            "response-1": "5",
            "response-2": "4",
            "choose-best": [
                {"user_id": "u", "value": "response-1", "status": "draft"},
                {"user_id": "v", "value": "response-2", "status": "submitted"},
            ],
        },
        [PLAIN],
    ),
    "Argilla 2 on the Hub": (
        "argilla",
        {
            "id": "r",
            "prompt": "2+2?",
            "response1": "5",
            "response2": "4",
            "preference.responses": ["response1", "response2"],
            "preference.responses.users": ["u", "v"],
            "preference.responses.status": ["discarded", "submitted"],
        },
        [Preference((USER,), "4", "5", "r")],
    ),
    "names in camel case": (
        "chosen-response",
        {"systemPrompt": "Be brief.", "question": "2+2?", "chosenResponse": "4", "rejectedResponse": "5"},
        [Preference(BRIEF, "4", "5")],
    ),
    "a system message in other capitals beside the usual columns": (
        "text",
        {"System Message": "Be brief.", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference(BRIEF, "4", "5")],
    ),
    "history of objects": (
        "text",
        {"prompt": "2+2?", "history": [{"question": "a", "answer": "b"}], "chosen": "4", "rejected": "5"},
        [Preference((Message("user", "a"), Message("assistant", "b"), USER), "4", "5")],
    ),
    "history that ends with what is asked": (
        "text",
        {"prompt": "2+2?", "chat_history": TURNS, "chosen": "4", "rejected": "5"},
        [PLAIN],
    ),
    "Argilla 1": (
        "argilla",
        {
            "fields": {"prompt": "2+2?", "response-1": "4", "response-2": "5"},
            "responses": [{"values": {"preference": {"value": "response-1"}}, "status": "submitted"}],
        },
        [PLAIN],
    ),
    "Argilla 1 with a ranking": (
        "argilla",
        {
            "fields": {"prompt": "2+2?", "response-1": "5", "response-2": "4"},
            "responses": [
                {
                    "values": {
                        "ranking": {
                            "value": [{"value": "response-1", "rank": 2}, {"value": "response-2", "rank": 1}],
                        }
                    }
                }
            ],
        },
        [PLAIN],
    ),
    "Argilla 2 with a ranking": (
        "argilla",
        {
            "fields": {"instruction": "2+2?", "response_a": "5", "response_b": "4"},
            "responses": {"ranking": [{"value": ["response_b", "response_a"], "user_id": "u"}]},
        },
        [PLAIN],
    ),
    "Argilla 2": (
        "argilla",
        {
            "id": "r",
            "status": "completed",
            "fields": {"prompt": "2+2?", "response1": "5", "response2": "4"},
            "responses": {"preference": [{"value": "response2", "user_id": "u"}]},
        },
        [Preference((USER,), "4", "5", "r")],
    ),
    "ChatML as text": (
        "text",
        {"prompt": CHATML, "chosen": "4<|im_end|>\n", "rejected": "5<|im_end|>"},
        [Preference(BRIEF, "4", "5")],
    ),
    "ChatML as text in a labelled form": (
        "labelled",
        {"prompt": CHATML, "response_0": "5", "response_1": "4", "better_response_id": 1},
        [Preference(BRIEF, "4", "5")],
    ),
    "a transcript in a labelled form, repeated": (
        "labelled",
        {"prompt": HH, "response_0": f"{HH} 5", "response_1": f"{HH} 4", "better_response_id": 1},
        [PLAIN],
    ),
    "content as parts": (
        "messages",
        {
            "prompt": [{"role": "user", "content": [{"type": "text", "text": "2+2?"}]}],
            "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "4"}]}],
            "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "5"}]}],
        },
        [PLAIN],
    ),
    "a system beside messages": (
        "implicit",
        {"system": "Be brief.", "chosen": WHOLE_A, "rejected": WHOLE_B},
        [Preference(BRIEF, "4", "5")],
    ),
    "history beside text": (
        "text",
        {"prompt": "2+2?", "history": [["hi", "hello"]], "chosen": "4", "rejected": "5"},
        [Preference((Message("user", "hi"), Message("assistant", "hello"), USER), "4", "5")],
    ),
    **{
        f"scores under {high}": (
            "text",
            {"prompt": "2+2?", "chosen": "4", "rejected": "5", high: 8, low: 2},
            [Preference((USER,), "4", "5", chosen_score=8, rejected_score=2)],
        )
        for high, low in (
            ("chosen_score", "rejected_score"),
            ("score_chosen", "score_rejected"),
            ("chosen_rating", "rejected_rating"),
            ("rating_chosen", "rating_rejected"),
        )
    },
    "both scores in a list": (
        "text",
        {"prompt": "2+2?", "chosen": "4", "rejected": "5", "rating": [9, 2]},
        [Preference((USER,), "4", "5", chosen_score=9, rejected_score=2)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_public_form_makes_exactly_its_pairs(tmp_path: Path, case: str) -> None:
    schema, row, expected = CASES[case]
    for name in ("data.jsonl", "data.parquet"):
        loaded = load(write(tmp_path / name, [row]))
        assert loaded.recognition.schema == schema, name
        assert preferences(loaded) == expected, name
    assert preferences(load(tmp_path / "data.jsonl", schema=schema)) == expected


DROPPED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Arena's tie": ("a tie", CASES["Arena"][1], {"winner": "tie (bothbad)"}),
    "Arena's newer tie": ("a tie", CASES["Arena"][1], {"winner": "both_bad"}),
    "human judgments of the second turn": (
        "the conversations differ before the last answer",
        CASES["human judgments of the first of two turns"][1],
        {"turn": 2},
    ),
    "webgpt's tie": ("a tie", CASES["webgpt"][1], {"score_0": 0.5}),
    "HelpSteer2's tie": ("a tie", CASES["HelpSteer2, the first"][1], {"preference_strength": 0}),
    "HelpSteer3's tie": ("a tie", CASES["HelpSteer3"][1], {"overall_preference": 0}),
    "AlpacaEval's tie": ("a tie", CASES["AlpacaEval"][1], {"preference": 1.5}),
    "AlpacaEval's older tie": ("a tie", CASES["AlpacaEval"][1], {"preference": 0}),
    "AlpacaEval without a verdict": ("no verdict", CASES["AlpacaEval"][1], {"preference": float("nan")}),
    "equal ranks": ("a tie", CASES["rankings"][1], {"rankings": [1, 1]}),
    "no verdict": ("no verdict", CASES["PKU"][1], {"better_response_id": None}),
}


@pytest.mark.parametrize("case", DROPPED)
def test_ties_and_differing_contexts_are_dropped_by_name(tmp_path: Path, case: str) -> None:
    reason, row, change = DROPPED[case]
    loaded = load(write(tmp_path / "data.jsonl", [row, {**row, **change}, row]))
    assert {name: tally.count for name, tally in loaded.report.dropped.items()} == {reason: 1}
    assert len(loaded.dataset) == 2


def _unused(path: Path) -> LoadedPreferences:
    return load(path)


def test_what_a_form_does_not_use_is_listed_with_how_many_rows_have_it(tmp_path: Path) -> None:
    rows = [
        {
            "prompt": "2+2?",
            "chosen": [{"role": "assistant", "content": "4", "mood": "calm"}],
            "rejected": said("5"),
            "origin": "s",
            "note": None if index else "n",
            "empty": [],
        }
        for index in range(3)
    ]
    assert load(write(tmp_path / "data.jsonl", rows)).report.unused == {"origin": 3, "chosen[*].mood": 3, "note": 1}
    openai = {**CASES["OpenAI"][1], "metadata": {"a": 1}}
    assert load(write(tmp_path / "o.jsonl", [openai])).report.unused == {"input.parallel_tool_calls": 1, "metadata": 1}
    nectar = CASES["berkeley-nest/Nectar"][1]
    assert load(write(tmp_path / "n.jsonl", [nectar])).report.unused == {"turns": 1, "answers[*].model": 1}
    assert load(write(tmp_path / "p.jsonl", [CASES["PKU"][1]])).report.unused == {"safer_response_id": 1}


def test_a_second_system_turn_is_not_lost(tmp_path: Path) -> None:
    spoken = [{"role": "system", "content": "Be long."}, *TURNS]
    row = {"prompt": spoken, "chosen": said("4"), "rejected": said("5"), "system": "Be brief."}
    same = {**row, "system": "Be long."}
    loaded = load(write(tmp_path / "data.jsonl", [row, same]))
    assert list(loaded.report.dropped) == ["a system turn in the conversation and another one beside it"]
    assert preferences(loaded)[0].prompt == (Message("system", "Be long."), USER)


def test_lists_of_messages_that_pandas_wrote_into_a_csv_are_read(tmp_path: Path) -> None:
    joined = str(WHOLE_A)
    numpys = "[" + "\n ".join(str(turn) for turn in WHOLE_B) + "]"
    loaded = load(write(tmp_path / "data.csv", [{"chosen": joined, "rejected": numpys}]))
    assert (loaded.recognition.schema, preferences(loaded)) == ("implicit", [PLAIN])
    cells = {"prompt": "2+2?", "chosen": json.dumps(said("4")), "rejected": str(said("5"))}
    assert preferences(load(write(tmp_path / "other.csv", [cells]))) == [PLAIN]


def test_text_that_only_looks_like_a_list_is_kept(tmp_path: Path) -> None:
    row = {"prompt": "a list?", "chosen": "[1, 2]", "rejected": '["a"]'}
    assert preferences(load(write(tmp_path / "data.jsonl", [row]))) == [
        Preference((Message("user", "a list?"),), "[1, 2]", '["a"]')
    ]
