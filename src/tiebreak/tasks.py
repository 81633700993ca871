"""The tasks: what a run may learn from. One table; adding a task is one entry here and the parts that it names.

Knows names and words only. The parts that need torch are named as `module:attribute` and loaded when a run needs them,
so that every room may read this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

TaskName = Literal["preference", "unpaired", "supervised"]


@dataclass(frozen=True)
class Words:
    """What is said of a task in messages, reports and cards.

    Attributes:
        example, examples: what one of its rows is called, and several.
        found: what rows are that suit this task and not the one that was asked for.
        lacking: what rows have not that do not suit it, after what they are.
        use: what to do with rows that suit it.
        give: how to make rows suit it.
        training: how a model came about, in a card; `{data}` is where the rows come from.
        rows: what a set of them is called.
        lesson: what a model learns from the rows.
        limit: what the held-out metrics do not say; empty where nothing has to be said.
    """

    example: str
    examples: str
    found: str
    lacking: str
    use: str
    give: str
    training: str
    rows: str
    lesson: str
    limit: str = ""


@dataclass(frozen=True)
class Task:
    """What a run learns from, and the parts that are made for it.

    Attributes:
        name: in manifests and in messages.
        row: the class of its canonical rows, in `data.preference`.
        forms: the forms of data rows that can serve it, in `data.forms.registry`.
        text_columns: columns of a canonical row that hold a completion's text, one or two; of two the first is better.
        has_label: whether the column `label` of a canonical row says that its completion is good.
        completions: what the tokenized completions of an example are called, in order; `NAME_ids` are their columns.
        encoder: from canonical rows to token ids.
        trainer: the trainer's class.
        fixed_objective: what a recipe calls the objective that the trainer has itself; None is one of `objectives`.
        compares: whether rewards are measured: completions are compared, with one another or with a reference.
        table: where its metrics before and after are listed (see `metrics`).
        card: where those of a model card's head are.
        words: what is said of it.
        command: of the command line that trains it.
        tags: by which the Hub finds its models, besides the objective's name.
        learning_rate: where the recipe says `auto` and the whole model is trained.
        adapter_learning_rate: where it says `auto` and an adapter is.
    Source:
        Learning rates: see docs/recipes.md.
    """

    name: TaskName
    row: str
    forms: str
    text_columns: tuple[str, ...]
    has_label: bool
    completions: tuple[str, ...]
    encoder: str
    trainer: str
    fixed_objective: str | None
    compares: bool
    table: str
    card: str
    words: Words
    command: Literal["train", "sft"]
    tags: tuple[str, ...]
    learning_rate: float
    adapter_learning_rate: float

    @property
    def pairs(self) -> bool:
        """Whether a row has two completions, a better and a worse one."""
        return len(self.text_columns) == 2

    @property
    def borrows(self) -> bool:
        """Whether an example has a mismatched completion, which is another row's and no column of its own."""
        return "mismatched" in self.completions

    @property
    def example(self) -> str:
        """What one of its rows is called."""
        return self.words.example

    @property
    def examples(self) -> str:
        """What several of its rows are called."""
        return self.words.examples


_PREFERENCE = Task(
    name="preference",
    row="tiebreak.data.preference:Preference",
    forms="tiebreak.data.forms.registry:FOR_PREFERENCE",
    text_columns=("chosen", "rejected"),
    has_label=False,
    completions=("chosen", "rejected"),
    encoder="tiebreak.data.preparing.tokenize:tokenize_preferences",
    trainer="tiebreak.training.preference:PreferenceTrainer",
    fixed_objective=None,
    compares=True,
    table="preference table",
    card="card",
    words=Words(
        example="pair",
        examples="pairs",
        found="pairs of a better and a worse answer",
        lacking="one answer each, and nothing that it is better or worse than",
        use="train on them with `tiebreak train`",
        give="give columns 'chosen' and 'rejected'",
        training="trained on the comparisons of {data} with preference optimization",
        rows="preferences",
        lesson="the preferences",
        limit="Held-out accuracy says that the model tells the better of two given answers, "
        "not that its own answers are good or true.",
    ),
    command="train",
    tags=("preference", "dpo"),
    learning_rate=1e-6,
    adapter_learning_rate=1e-5,  # an adapter has few weights, which have far to go
)

_UNPAIRED = Task(
    name="unpaired",
    row="tiebreak.data.preference:UnpairedCompletion",
    forms="tiebreak.data.forms.registry:FOR_UNPAIRED",
    text_columns=("completion",),
    has_label=True,
    completions=("completion", "mismatched"),
    encoder="tiebreak.data.preparing.tokenize:tokenize_unpaired",
    trainer="tiebreak.training.unpaired:UnpairedTrainer",
    fixed_objective=None,
    compares=True,
    table="unpaired table",
    card="card",
    words=Words(
        example="unpaired completion",
        examples="unpaired completions",
        found="single answers with a label",
        lacking="nothing says whether an answer is good",
        use="train on them with objective.name=kto",
        give="add a column 'label' of true and false",
        training="trained on the answers of {data}, each called good or bad by itself, with preference optimization",
        rows="unpaired completions",
        lesson="which answers are called good",
        limit="Held-out rewards say that the model tells given answers that are called good from those called bad, "
        "not that its own answers are good or true.",
    ),
    command="train",
    tags=("preference",),
    learning_rate=1e-6,
    adapter_learning_rate=1e-5,
)

_SUPERVISED = Task(
    name="supervised",
    row="tiebreak.data.preference:Demonstration",
    forms="tiebreak.data.forms.registry:FOR_SUPERVISED",
    text_columns=("completion",),
    has_label=False,
    completions=("completion",),
    encoder="tiebreak.data.preparing.tokenize:tokenize_demonstrations",
    trainer="tiebreak.training.supervised:SupervisedTrainer",
    fixed_objective="supervised",
    compares=False,
    table="supervised table",
    card="supervised card",
    words=Words(
        example="demonstration",
        examples="demonstrations",
        found="demonstrations",
        lacking="there is no answer to imitate",
        use="imitate them with `tiebreak sft`",
        give="give columns 'prompt' and 'completion'",
        training="trained to imitate the demonstrations of {data}",
        rows="demonstrations",
        lesson="the demonstrations",
    ),
    command="sft",
    tags=("sft",),
    learning_rate=2e-5,  # the first step towards a model that answers is larger than the correction preferences are
    adapter_learning_rate=2e-4,
)

TASKS: Mapping[TaskName, Task] = {task.name: task for task in (_PREFERENCE, _UNPAIRED, _SUPERVISED)}


def load_part(reference: str) -> Any:
    """What `module:attribute` names.

    Raises:
        ImportError, AttributeError: there is no such module or attribute.
    """
    module, _, attribute = reference.partition(":")
    return getattr(import_module(module), attribute)
