"""The forms that are recognised, each a few lines in the language of `roles`: what public data and programs write.

The narrower form stands before the wider, since the first that a row looks like wins. A role with a kind after a colon
must be there; what is looked for under its usual name in every form (system, history, id, scores, …) is not repeated.
"""

from __future__ import annotations

from typing import Any

from tiebreak.data.forms import naming
from tiebreak.data.forms.form import Form, declared, found, one_of
from tiebreak.data.forms.labels import LABELS, label_column

_ANSWER = "completion|response|answer|output"

PAIRS: tuple[Form[Any], ...] = (
    declared(
        "tiebreak",
        "prompt (messages), chosen, rejected (text)",
        {
            "prompt": "prompt:turns",
            "chosen": "chosen_turns|chosen:there",
            "rejected": "rejected_turns|rejected:there",
            "ignore": "chosen|rejected",
        },
        further=lambda values: isinstance(values.get("chosen"), str) and isinstance(values.get("rejected"), str),
    ),
    declared(
        "openai",
        "input.messages, preferred_output, non_preferred_output",
        {
            "prompt": "input.messages:turns",
            "chosen": "preferred_output:turns",
            "rejected": "non_preferred_output:turns",
            "tools": "input.tools",
        },
    ),
    declared(
        "transcript",
        "chosen, rejected (Human/Assistant transcripts)",
        {"chosen": "chosen:transcript", "rejected": "rejected:transcript"},
        absent="prompt",
    ),
    declared(
        "sharegpt",
        "conversations (messages), chosen, rejected",
        {"prompt": "conversations|conversation:turns", "chosen": "chosen:there", "rejected": "rejected:there"},
    ),
    declared(
        "axolotl",
        "messages, chosen, rejected (one message each)",
        {"prompt": "messages:asking", "chosen": "chosen:answer", "rejected": "rejected:answer"},
        absent="prompt",
    ),
    declared(
        "messages",
        "prompt, chosen, rejected (messages)",
        {"prompt": "prompt:turns", "chosen": "chosen:turns", "rejected": "rejected:turns"},
    ),
    declared(
        "ultrafeedback",
        "prompt (text), chosen, rejected (messages)",
        {"prompt": "prompt:text", "chosen": "chosen:turns", "rejected": "rejected:turns"},
    ),
    declared(
        "implicit",
        "chosen, rejected (messages that begin alike)",
        {"chosen": "chosen:whole", "rejected": "rejected:turns"},
        absent="prompt",
    ),
    declared(
        "llama-factory",
        "chosen_messages, rejected_messages",
        {"chosen": "chosen_messages:turns", "rejected": "rejected_messages:turns"},
    ),
    one_of(
        declared(
            "swift",
            "messages, rejected_response (or rejected_messages); query, response, rejected_response",
            {"chosen": "messages:turns", "rejected": "rejected_response|rejected_messages:there"},
        ),
        declared(
            "swift",
            "query, response, rejected_response",
            {
                "prompt": "query|prompt|instruction:there",
                "chosen": "response:there",
                "rejected": "rejected_response:there",
            },
        ),
    ),
    found("chosen-response", "prompt, chosen_response, rejected_response", naming.chosen_response),
    declared(
        "alpaca",
        "instruction, input, chosen, rejected (text)",
        {"prompt": "{instruction}\n{input}", "chosen": "chosen:text", "rejected": "rejected:text"},
        has="instruction",
    ),
    declared(
        "system",
        "system, prompt, chosen, rejected (text)",
        {"system": "system:text", "prompt": "prompt:text", "chosen": "chosen:text", "rejected": "rejected:text"},
    ),
    declared(
        "text",
        "prompt, chosen, rejected (text)",
        {"prompt": "prompt:text", "chosen": "chosen:text", "rejected": "rejected:text"},
    ),
    found(
        "question",
        "question (or input, query, context, trajectory), chosen, rejected (text or a list of texts)",
        naming.question,
    ),
    declared(
        "halos",
        "prompt, output_A, output_B, label, type (pairwise_feedback)",
        {"prompt": "prompt:there", "a": "output_A:there", "b": "output_B:there", "choice": "label:there"}
        | {"first": "1", "second": "0", "score_a": "reward_A", "score_b": "reward_B"},
        has="type",
        further=lambda values: values.get("type") == "pairwise_feedback",
    ),
    declared(
        "shp",
        "history, human_ref_A, human_ref_B, labels",
        {"prompt": "history:there", "a": "human_ref_A:there", "b": "human_ref_B:there", "choice": "labels:there"}
        | {"first": "1", "second": "0", "score_a": "score_A", "score_b": "score_B", "id": "post_id|id"},
    ),
    declared(
        "helpsteer",
        "prompt (or context), response_1, response_2, preference_strength (or overall_preference)",
        {
            "prompt": "prompt|context:there",
            "a": "response_1|response1:there",
            "b": "response_2|response2:there",
            "choice": "preference_strength|overall_preference:there",
            "first": "<0",
            "second": ">0",
            "tie": "0",
        },
    ),
    declared(
        "alpaca-eval",
        "instruction, output_1, output_2, preference, generator_1, generator_2",
        {"prompt": "{instruction}\n{input}", "a": "output_1:there", "b": "output_2:there", "choice": "preference:there"}
        | {"first": "<1.5", "second": ">1.5", "tie": "1.5|<1"},
        has="instruction generator_2",
    ),
    declared(
        "summarize",
        "info.post, info.title, summaries, choice",
        {
            "prompt": "{info.title}\n\n{info.post|info.article}",
            "a": "summaries[0].text:there",
            "b": "summaries[1].text:there",
            "choice": "choice:there",
            "first": "0",
            "second": "1",
            "id": "info.id|id",
        },
        has="info",
    ),
    declared(
        "arena",
        "conversation_a, conversation_b, winner",
        {
            "a": "conversation_a:turns",
            "b": "conversation_b:turns",
            "choice": "winner:there",
            "turn": "turn",
            "id": "id|question_id",
        },
    ),
    found("labelled", "prompt, response_0, response_1, better_response_id (or choice, winner, …)", naming.labelled),
    found("scored", "prompt (or question.full_text), answer_0, answer_1, score_0, score_1", naming.scored),
    found("ranked", "prompt, answers, scores (or ranks)", naming.ranked),
    one_of(
        declared(
            "ordered",
            "instruction, input, output (a list, the better one first)",
            {"prompt": "{instruction}\n{input}", "answers": "output:texts", "better": "first"},
            has="instruction",
        ),
        found("ordered", "prompt, ranked_responses (a list, the best first)", naming.ranked_names),
    ),
    found("label-studio", "data (prompt, answer1, answer2), annotations; or the columns alone", naming.label_studio),
    found("argilla", "fields (prompt, response1, response2), responses", naming.argilla),
)

# Single completions to imitate.
DEMONSTRATIONS: tuple[Form[Any], ...] = (
    declared(
        "demonstration",
        "prompt (messages), completion (text)",
        {"prompt": "prompt:turns", "completion": "completion_turns|completion:there", "ignore": "completion"},
        further=lambda values: isinstance(values.get("completion"), str),
    ),
    declared(
        "prompt-completion",
        "prompt, completion",
        {"prompt": "prompt:there", "completion": f"{_ANSWER}:there"},
        further=lambda values: isinstance(values.get("prompt"), str | list),
    ),
    declared(
        "instruction",
        "instruction, input, output",
        {"prompt": "{instruction}\n{input}", "completion": "output:text"},
        has="instruction",
        further=lambda values: isinstance(values.get("instruction"), str),
    ),
    declared("conversation", "messages", {"conversation": "messages:turns"}),
    declared("conversations", "conversations (from, value)", {"conversation": "conversations|conversation:turns"}),
)

# The same with a label: completions that are called good or bad.
UNPAIRED: tuple[Form[Any], ...] = (
    declared(
        "unpaired",
        "prompt (messages), completion (text), label",
        {
            "prompt": "prompt:turns",
            "completion": "completion_turns|completion:there",
            "label": LABELS,
            "ignore": "completion",
        },
        further=lambda values: label_column(values) is not None and isinstance(values.get("completion"), str),
    ),
    declared(
        "unpaired-completion",
        "prompt, completion (text or messages), label",
        {"prompt": "prompt:there", "completion": f"{_ANSWER}:there", "label": LABELS},
        further=lambda values: label_column(values) is not None and isinstance(values.get("prompt"), str | list),
    ),
    declared(
        "unpaired-instruction",
        "instruction, input, output, label",
        {"prompt": "{instruction}\n{input}", "completion": "output:text", "label": LABELS},
        has="instruction",
        further=lambda values: label_column(values) is not None and isinstance(values.get("instruction"), str),
    ),
    declared(
        "unpaired-messages",
        "messages, label",
        {"conversation": "messages:turns", "label": LABELS},
        further=lambda values: label_column(values) is not None,
    ),
    declared(
        "unpaired-conversations",
        "conversations (from, value), label",
        {"conversation": "conversations|conversation:turns", "label": LABELS},
        further=lambda values: label_column(values) is not None,
    ),
)
