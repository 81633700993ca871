"""Every format that can be read: the registry of each kind of rows.

Knows which schemas there are, in which order they are tried, and how rows of one kind serve as another; what each
format does stands in its own module.
Adding a format is one small module and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tiebreak.data.preference import Demonstration, Kind, LabelledCompletion, Preference
from tiebreak.data.problems import LeftOut
from tiebreak.data.schemas import answers, canonical, demonstrations, instructions, labelled, messages, transcript

Values = Mapping[str, Any]
Made = list[Preference] | list[Demonstration] | list[LabelledCompletion]


@dataclass(frozen=True)
class Schema:
    """One format of rows.

    Attributes:
        name: how the user names it.
        columns: the columns it reads, for people.
        matches: whether a row looks like it.
        convert: the canonical rows of one row; raises RowProblem or LeftOut.
    """

    name: str
    columns: str
    matches: Callable[[Values], bool]
    convert: Callable[[Values], Made]


# The first that matches a row wins, so the narrower form stands before the wider.
PREFERENCES: tuple[Schema, ...] = (
    Schema("tiebreak", "prompt (messages), chosen, rejected (text)", canonical.matches, canonical.convert),
    Schema("transcript", "chosen, rejected (Human/Assistant transcripts)", transcript.matches, transcript.convert),
    Schema(
        "sharegpt",
        "conversations (messages), chosen, rejected",
        instructions.matches_sharegpt,
        instructions.convert_sharegpt,
    ),
    Schema("messages", "prompt, chosen, rejected (messages)", messages.matches_lists, messages.convert_lists),
    Schema(
        "ultrafeedback",
        "prompt (text), chosen, rejected (messages)",
        messages.matches_text_prompt,
        messages.convert_text_prompt,
    ),
    Schema(
        "implicit", "chosen, rejected (messages that begin alike)", messages.matches_implicit, messages.convert_implicit
    ),
    Schema(
        "alpaca",
        "instruction, input, chosen, rejected (text)",
        instructions.matches_alpaca,
        instructions.convert_alpaca,
    ),
    Schema("system", "system, prompt, chosen, rejected (text)", transcript.matches_system, transcript.convert_text),
    Schema("text", "prompt, chosen, rejected (text)", transcript.matches_text, transcript.convert_text),
    Schema(
        "labelled",
        "prompt, response_0, response_1, better_response_id",
        answers.matches_labelled,
        answers.convert_labelled,
    ),
    Schema("ranked", "prompt, answers, scores (or ranks)", answers.matches_ranked, answers.convert_ranked),
)


# Single answers that are called good or bad; the forms are those of `SINGLE` with a label.
UNPAIRED: tuple[Schema, ...] = (
    Schema(
        "unpaired",
        "prompt (messages), completion (text), label",
        labelled.with_label(canonical.matches_demonstration),
        labelled.convert_canonical,
    ),
    Schema(
        "unpaired-completion",
        "prompt, completion (text or messages), label",
        labelled.with_label(demonstrations.matches_prompt_completion),
        labelled.convert_completion,
    ),
    Schema(
        "unpaired-instruction",
        "instruction, input, output, label",
        labelled.with_label(demonstrations.matches_instruction),
        labelled.convert_instruction,
    ),
    Schema(
        "unpaired-messages",
        "messages, label",
        labelled.with_label(demonstrations.matches_messages),
        labelled.convert_messages,
    ),
    Schema(
        "unpaired-conversations",
        "conversations (from, value), label",
        labelled.with_label(demonstrations.matches_conversations),
        labelled.convert_conversations,
    ),
)

# Single answers to imitate.
SINGLE: tuple[Schema, ...] = (
    Schema(
        "demonstration",
        "prompt (messages), completion (text)",
        canonical.matches_demonstration,
        canonical.convert_demonstration,
    ),
    Schema(
        "prompt-completion",
        "prompt, completion",
        demonstrations.matches_prompt_completion,
        demonstrations.convert_prompt_completion,
    ),
    Schema(
        "instruction",
        "instruction, input, output",
        demonstrations.matches_instruction,
        demonstrations.convert_instruction,
    ),
    Schema("conversation", "messages", demonstrations.matches_messages, demonstrations.convert_messages),
    Schema(
        "conversations",
        "conversations (from, value)",
        demonstrations.matches_conversations,
        demonstrations.convert_conversations,
    ),
)


def _imitating_chosen(schema: Schema) -> Schema:
    """A preference schema read for supervised training: its better ending is what to imitate."""

    def convert(values: Values) -> list[Demonstration]:
        best: dict[tuple[object, str], Demonstration] = {}
        for pair in schema.convert(values):
            assert isinstance(pair, Preference)
            name = pair.id.partition("#")[0] or None if schema.name == "ranked" and pair.id else pair.id
            best.setdefault((pair.prompt, pair.chosen), Demonstration(pair.prompt, pair.chosen, name, pair.weight))
        return list(best.values())

    return Schema(schema.name, schema.columns, schema.matches, convert)


def _imitating_good(schema: Schema) -> Schema:
    """A schema of labelled answers read for supervised training: the good ones are what to imitate."""

    def convert(values: Values) -> list[Demonstration]:
        made = [each for each in schema.convert(values) if isinstance(each, LabelledCompletion) and each.label]
        if not made:
            raise LeftOut("labelled as bad, so not imitated")
        return [Demonstration(each.prompt, each.completion, each.id, each.weight) for each in made]

    # A column named label may as well hold something else, which is no reason to refuse what can be imitated.
    return Schema(schema.name, schema.columns, lambda values: schema.matches(values) and labelled.says(values), convert)


def _split(schema: Schema) -> Schema:
    """A preference schema read as single answers: the chosen ending is good, the rejected one bad."""

    def convert(values: Values) -> list[LabelledCompletion]:
        made = []
        for pair in schema.convert(values):
            assert isinstance(pair, Preference)
            if pair.chosen == pair.rejected:
                raise LeftOut("equal endings")
            for ending, good in ((pair.chosen, True), (pair.rejected, False)):
                made.append(LabelledCompletion(pair.prompt, ending, good, pair.id, pair.weight))
        return made

    return Schema(schema.name, schema.columns, schema.matches, convert)


DEMONSTRATIONS: tuple[Schema, ...] = (
    *map(_imitating_chosen, PREFERENCES),
    *map(_imitating_good, UNPAIRED),
    *SINGLE,
)
LABELLED: tuple[Schema, ...] = (*map(_split, PREFERENCES), *UNPAIRED)
OF_KIND: Mapping[Kind, tuple[Schema, ...]] = {
    "preference": PREFERENCES,
    "supervised": DEMONSTRATIONS,
    "labelled": LABELLED,
}
