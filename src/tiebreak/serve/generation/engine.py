"""What pages and API ask of whatever generates text: the models there are, an answer in pieces, and how busy it is.

Knows no model, no HTTP and no page; the engines themselves are in `local.py` and `remote.py`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from tiebreak.data.preference import Message
from tiebreak.errors import InputError, RunError
from tiebreak.generation.detokenize import FinishReason


@dataclass(frozen=True)
class ServedModel:
    """A model that can be asked.

    Attributes:
        name: what requests call it; unique among the served models, and never a path of the machine.
        title: for people.
        fingerprint: of its weights; of a remote one, of its address and name, which is all that is known.
        license: as far as it is known.
        base: name of the served model that it was trained from, if that is served too.
        created: when its weights were written, in seconds since 1970; 0 is unknown.
        context: longest prompt and answer together, in tokens, where that is known.
        run: folder of the run that made it; for the pages, never for a client.
    """

    name: str
    title: str
    fingerprint: str
    license: str | None = None
    base: str | None = None
    created: int = 0
    context: int | None = None
    run: str | None = None


@dataclass(frozen=True)
class GenerationRequest:
    """What is asked of a model: a conversation, or a text to go on with.

    Attributes:
        model: name of a served model.
        turns: the conversation; where its last turn is the assistant's, the answer goes on with it. Empty where
            `prompt` or `prompt_ids` is given.
        prompt: a text to be continued as it stands, without any template; None where `turns` are given.
        prompt_ids: the same as token ids.
        system: a system message before the turns.
        temperature: 0 is greedy.
        top_p: share of the probability that is drawn from.
        max_tokens: longest answer, in tokens.
        seed: of the draws; None is a new one each time.
        stop: strings before which the answer ends.
        stream: whether pieces are wanted as they come; else the answer is one piece, which costs less.
        top_k, min_p, presence_penalty, frequency_penalty, repetition_penalty: as in `generation.sampling.Sampling`.
        logit_bias: number added to the logit of a token, by its id.
        logprobs: say how likely each token was, beside so many of the likeliest; None says nothing.
        echo: begin with the prompt.
        response_format: form of the answer as OpenAI's API has it; None is any.
        messages: the conversation as OpenAI's API has it, for an engine that passes it on; it stands for `turns` then.
        tools, tool_choice, parallel_tool_calls: as OpenAI's API has them.
        extra: fields of the request that only another server may understand.
    """

    model: str
    turns: tuple[Message, ...] = ()
    prompt: str | None = None
    system: str | None = None
    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = True
    prompt_ids: tuple[int, ...] | None = None
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    logprobs: int | None = None
    echo: bool = False
    response_format: Mapping[str, Any] | None = None
    messages: tuple[Mapping[str, Any], ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_chat(self) -> bool:
        """Whether it is a conversation, else a text to go on with."""
        return self.prompt is None and self.prompt_ids is None

    @property
    def where(self) -> str:
        """The field of the request that holds what is answered."""
        return "messages" if self.is_chat else "prompt"


@dataclass(frozen=True)
class LikelyToken:
    """A token that could have stood in a place.

    Attributes:
        text: signs stand for bytes that are no whole character.
        data: its bytes, where they are known.
        logp: its log-prob, in nats; None for the first token of a text.
    """

    text: str
    data: bytes | None
    logp: float | None


@dataclass(frozen=True)
class ScoredToken:
    """A token of an answer, and the likeliest ones in its place, the likeliest first."""

    token: LikelyToken
    top: tuple[LikelyToken, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A part of an answer.

    Attributes:
        text: to be joined to the text before, without anything between.
        finish_reason: in the last piece, and only there: `stop` where the answer ended, `length` where it was cut.
        prompt_tokens, completion_tokens: of the whole, in the last piece.
        seed: that the draws had, in the last piece; None where it is not known.
        tokens: whose text is in this piece, or begins in it, where `logprobs` are asked for.
        tool_calls: parts of calls of tools, as the events of OpenAI's API have them.
    """

    text: str
    finish_reason: FinishReason | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seed: int | None = None
    tokens: tuple[ScoredToken, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Load:
    """How busy an engine is: requests that wait, and requests that are being answered."""

    waiting: int
    running: int


class Engine(Protocol):
    """Whatever generates text."""

    def models(self) -> Sequence[ServedModel]:
        """The models there are, in the order they were named."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        """An answer, piece by piece; closing the generator (`aclose`) ends the work on it.

        Raises:
            UnknownModel, UnfitRequest: the request cannot be answered as it is.
            EngineBusy: too many requests wait.
            UpstreamFailed: the server that generates could not be reached, or failed.
        """
        ...

    def load(self) -> Load:
        """How busy the engine is."""
        ...

    async def close(self) -> None:
        """End all work and let go of what the engine holds."""
        ...


@runtime_checkable
class PassingOn(Protocol):
    """An engine that hands on what only the server behind it may understand; what it does not, that server refuses."""

    passes_on: Literal[True]


class UnknownModel(InputError):
    """A request names a model that is not served."""

    def __init__(self, name: str, served: Sequence[str]) -> None:
        super().__init__(f"There is no model '{name}' here.", where="model", fix=f"one of: {', '.join(served)}")


class UnfitRequest(InputError):
    """A request cannot be answered as it is.

    Args:
        what: one sentence: what is wrong.
        where: the field.
        code: the word that clients know this case by, if there is one.
    """

    def __init__(self, what: str, *, where: str | None = None, code: str | None = None) -> None:
        super().__init__(what, where=where)
        self.code = code


class EngineBusy(RunError):
    """Too many requests wait.

    Args:
        retry_after: seconds after which it is worth trying again.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many requests are waiting.", fix=f"try again in {retry_after} s")
        self.retry_after = retry_after


class UpstreamFailed(RunError):
    """The server that generates could not be reached, or failed."""


class EngineClosed(RunError):
    """The engine is being shut down."""

    def __init__(self) -> None:
        super().__init__("The server is being stopped.")


def find_model(models: Sequence[ServedModel], name: str) -> ServedModel:
    """The served model of a name.

    Raises:
        UnknownModel: there is none.
    """
    for model in models:
        if model.name == name:
            return model
    raise UnknownModel(name, [model.name for model in models])
