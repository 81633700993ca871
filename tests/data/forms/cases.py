"""Rows in every form that can be read, and what each is in the canonical form."""

from __future__ import annotations

from typing import Any

from tiebreak.data.preference import Demonstration, Message, Preference

USER, BOT = Message("user", "2+2?"), Message("assistant", "4")
TURNS = [{"role": "user", "content": "2+2?"}]
PLAIN = Preference((USER,), "4", "5")
SYSTEM = Message("system", "Be brief.")


def said(text: str) -> list[dict[str, str]]:
    """A completion as messages."""
    return [{"role": "assistant", "content": text}]


PAIRS_AS: dict[str, tuple[str, dict[str, Any], list[Preference]]] = {
    "canonical": ("tiebreak", PLAIN.to_row(), [PLAIN]),
    "canonical by hand": ("tiebreak", {"prompt": TURNS, "chosen": "4", "rejected": "5"}, [PLAIN]),
    "transcript": (
        "transcript",
        {"chosen": "\n\nHuman: 2+2?\n\nAssistant: 4", "rejected": "\n\nHuman: 2+2?\n\nAssistant: 5"},
        [PLAIN],
    ),
    "transcript of turns": (
        "transcript",
        {
            "chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: 2+2?\n\nAssistant: 4",
            "rejected": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: 2+2?\n\nAssistant: 5",
        },
        [Preference((Message("user", "hi"), Message("assistant", "hello"), USER), "4", "5")],
    ),
    "text": ("text", {"prompt": "2+2?", "chosen": "4", "rejected": "5"}, [PLAIN]),
    "text, byte for byte": (
        "text",
        {"prompt": " 2+2?\n", "chosen": "    4\n", "rejected": "\t5 "},
        [Preference((Message("user", " 2+2?\n"),), "    4\n", "\t5 ")],
    ),
    "transcript, byte for byte": (
        "transcript",
        {"chosen": "\n\nHuman:  2+2? \n\nAssistant:  4\n", "rejected": "\n\nHuman:  2+2? \n\nAssistant:\n 5 "},
        [Preference((Message("user", " 2+2? "),), " 4\n", "\n 5 ")],
    ),
    "text with a transcript as prompt": (
        "text",
        {"prompt": "\n\nHuman: 2+2?\n\nAssistant:", "response": " 4", "chosen": " 4", "rejected": " 5"},
        [PLAIN],
    ),
    "system": (
        "system",
        {"id": "x1", "source": "s", "system": "Be brief.", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference((SYSTEM, USER), "4", "5", id="x1", source="s")],
    ),
    "empty system": (
        "system",
        {"id": 7, "source": "s", "system": "", "prompt": "2+2?", "chosen": "4", "rejected": "5"},
        [Preference((USER,), "4", "5", id="7", source="s")],
    ),
    "ultrafeedback": (
        "ultrafeedback",
        {
            "prompt": "2+2?",
            "prompt_id": "abc",
            "chosen": TURNS + said("4"),
            "rejected": TURNS + said("5"),
            "messages": TURNS + said("4"),
            "score_chosen": 8.5,
            "score_rejected": 3.0,
        },
        [Preference((USER,), "4", "5", id="abc", chosen_score=8.5, rejected_score=3.0)],
    ),
    "messages": ("messages", {"prompt": TURNS, "chosen": said("4"), "rejected": said("5")}, [PLAIN]),
    "messages that repeat the prompt": (
        "messages",
        {"prompt": TURNS, "chosen": TURNS + said("4"), "rejected": TURNS + said("5")},
        [PLAIN],
    ),
    "implicit": ("implicit", {"chosen": TURNS + said("4"), "rejected": TURNS + said("5")}, [PLAIN]),
    "alpaca": (
        "alpaca",
        {"instruction": "Add.", "input": "2 and 2", "chosen": "4", "rejected": "5"},
        [Preference((Message("user", "Add.\n2 and 2"),), "4", "5")],
    ),
    "alpaca with history": (
        "alpaca",
        {
            "instruction": "2+2?",
            "input": "",
            "system": "Be brief.",
            "history": [["hi", "hello"]],
            "chosen": "4",
            "rejected": "5",
        },
        [Preference((SYSTEM, Message("user", "hi"), Message("assistant", "hello"), USER), "4", "5")],
    ),
    "sharegpt": (
        "sharegpt",
        {
            "conversations": [{"from": "human", "value": "2+2?"}],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        },
        [PLAIN],
    ),
    "safe rlhf": (
        "labelled",
        {"prompt": "2+2?", "response_0": "5", "response_1": "4", "better_response_id": 1, "safer_response_id": 0},
        [PLAIN],
    ),
    "choice by letter": ("labelled", {"prompt": "2+2?", "answer_a": "4", "answer_b": "5", "choice": "A"}, [PLAIN]),
    "choice by number": ("labelled", {"prompt": "2+2?", "answer_0": "5", "answer_1": "4", "choice": 1}, [PLAIN]),
    "choice counted from one": (
        "labelled",
        {"instruction": "2+2?", "output_1": "5", "output_2": "4", "preference": 2},
        [PLAIN],
    ),
    "arena": (
        "labelled",
        {
            "prompt": '["2+2?"]',
            "response_a": '["4"]',
            "response_b": '["5"]',
            "winner_model_a": 1,
            "winner_model_b": 0,
            "winner_tie": 0,
        },
        [PLAIN],
    ),
    "scores": (
        "ranked",
        {"prompt": "2+2?", "answers": ["4", "5", "6", "four"], "scores": [3, 1, 1, 3]},
        [
            Preference((USER,), "4", "5", id="row-1#0>1", chosen_score=3, rejected_score=1),
            Preference((USER,), "4", "6", id="row-1#0>2", chosen_score=3, rejected_score=1),
            Preference((USER,), "four", "5", id="row-1#3>1", chosen_score=3, rejected_score=1),
            Preference((USER,), "four", "6", id="row-1#3>2", chosen_score=3, rejected_score=1),
        ],
    ),
    "ranks": (
        "ranked",
        {"id": "q", "prompt": "2+2?", "responses": ["5", "4"], "ranks": [2, 1]},
        [Preference((USER,), "4", "5", id="q#1>0")],
    ),
    "scores inside": (
        "ranked",
        {"instruction": "2+2?", "completions": [{"response": "4", "score": 9}, {"response": "5", "score": 1}]},
        [Preference((USER,), "4", "5", id="row-1#0>1", chosen_score=9, rejected_score=1)],
    ),
}
DROPPED: dict[str, tuple[str, dict[str, Any]]] = {
    "a tie": ("a tie", {"prompt": "p", "answer_a": "x", "answer_b": "y", "choice": "tie"}),
    "another way earlier": (
        "the transcripts differ before the last answer",
        {"chosen": "\n\nHuman: a\n\nAssistant: x", "rejected": "\n\nHuman: b\n\nAssistant: y"},
    ),
    "another conversation": (
        "the conversations differ before the last answer",
        {"chosen": TURNS + said("4"), "rejected": [{"role": "user", "content": "3+3?"}, *said("6")]},
    ),
    "a picture": (
        "a turn with an image or another thing that is not text",
        {
            "prompt": [{"role": "user", "content": [{"type": "image", "image": "x"}, {"type": "text", "text": "?"}]}],
            "chosen": said("4"),
            "rejected": said("5"),
        },
    ),
    "a picture beside the text": (
        "a picture, a film or a sound, which is not trained on",
        {"prompt": "<image>2+2?", "images": ["x.png"], "chosen": "4", "rejected": "5"},
    ),
}
DEMONSTRATION = Demonstration((USER,), "4")
SUPERVISED: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("conversation", {"messages": TURNS + said("4")}),
    "prompt and completion": ("prompt-completion", {"prompt": "2+2?", "completion": "4"}),
    "prompt and response": ("prompt-completion", {"prompt": "2+2?", "response": "4"}),
    "prompt and completion as messages": ("prompt-completion", {"prompt": TURNS, "completion": said("4")}),
    "instruction": ("instruction", {"instruction": "2+2?", "input": "", "output": "4"}),
    "conversations": (
        "conversations",
        {"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}]},
    ),
    "canonical": ("demonstration", DEMONSTRATION.to_row()),
    "a preference": ("text", {"prompt": "2+2?", "chosen": "4", "rejected": "5"}),
    "an ultrafeedback row": ("ultrafeedback", PAIRS_AS["ultrafeedback"][1]),
}
