"""A conversation with a model, and with the model that it started from beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tiebreak.data.preference import Message
from tiebreak.data.preparing.templates import Template, choose_template
from tiebreak.errors import InputError
from tiebreak.generation.generate import stream_answer
from tiebreak.generation.sampling import Sampling
from tiebreak.models.gguf import gguf_note
from tiebreak.models.load import load_model, load_tokenizer
from tiebreak.models.precision import choose_device
from tiebreak.recipe import ModelSection
from tiebreak.runs import RunFolder


@dataclass
class Speaker:
    """A model that takes part, with its own memory of what was said.

    Attributes:
        note: what is worth knowing of its weights.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    template: Template
    turns: list[Message] = field(default_factory=list)
    note: str | None = None


@dataclass
class Conversation:
    """What was said so far, to one model or two.

    Attributes:
        speakers: the models; with two, each answers in its own conversation.
        sampling: how tokens are drawn.
        system: a system message, or None.
    """

    speakers: list[Speaker]
    sampling: Sampling
    system: str | None = None

    def restart(self) -> None:
        """Forget what was said."""
        for speaker in self.speakers:
            speaker.turns = [Message("system", self.system)] if self.system else []

    def answers(self, text: str) -> Iterator[tuple[str, Iterator[str]]]:
        """Each model's answer to the next message, as a stream.

        Yields:
            The model's name (empty where there is only one) and the pieces of its answer, to be read in turn.
        """
        for speaker in self.speakers:
            yield (speaker.name if len(self.speakers) > 1 else ""), self._answer(speaker, text)

    def _answer(self, speaker: Speaker, text: str) -> Iterator[str]:
        turns = [*speaker.turns, Message("user", text)]
        said: list[str] = []
        pieces = stream_answer(speaker.model, speaker.tokenizer, turns, self.sampling, template=speaker.template)
        try:
            for piece in pieces:
                said.append(piece)
                yield piece
        finally:
            speaker.turns = [*turns, Message("assistant", "".join(said))]


def open_conversation(
    name: str, *, base: bool = False, system: str | None = None, sampling: Sampling | None = None
) -> Conversation:
    """Load what is needed to talk.

    Args:
        name: run folder, Hub id, folder, GGUF file, or `bundled:base`.
        base: let the model that a run started from answer as well, first.
        system: a system message before the conversation.
        sampling: how tokens are drawn.
    Raises:
        InputError: there is no such model, or the base is asked for and this is no run.
    """
    run = RunFolder(Path(name))
    recipe = run.recipe() if run.recipe_path.is_file() else None
    setting = recipe.data.template if recipe is not None else "auto"
    trusted = recipe is not None and recipe.model.trust_remote_code
    own = ModelSection(name=name, trust_remote_code=trusted)
    speakers = [_speaker("tuned" if recipe is not None else name, own, setting)]
    if base:
        if recipe is None:
            raise InputError(
                f"'{name}' is not a run, so it is not known which model it started from.",
                where="--base",
                fix="name a run folder, or chat with the two models one after the other",
            )
        speakers.insert(0, _speaker("base ", recipe.model, setting))
    conversation = Conversation(speakers, sampling or Sampling(), system)
    conversation.restart()
    return conversation


def _speaker(name: str, section: ModelSection, template: str) -> Speaker:
    model = load_model(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    model.to(choose_device())  # type: ignore[arg-type]
    tokenizer = load_tokenizer(section.name, revision=section.revision, trust_remote_code=section.trust_remote_code)
    return Speaker(name, model, tokenizer, choose_template(tokenizer, template), note=gguf_note(section.name))
