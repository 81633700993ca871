"""One model at work: a request becomes an answer that can be drawn token by token, or is refused for what it asks.

Knows the model, its tokenizer and its template; who waits and who is next is in `batching.py`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence

from tiebreak.data.preference import Message
from tiebreak.data.preparing.encode import encode_prompts
from tiebreak.errors import InputError
from tiebreak.generation.choose_steps import choose_steps
from tiebreak.generation.decoding import Decoding, end_tokens, goes_on, prompt_ids, stop_strings
from tiebreak.generation.detokenize import Detokenizer
from tiebreak.generation.grammar import ANY_OBJECT, Constraint, Grammars
from tiebreak.generation.sampling import Sampling
from tiebreak.generation.token_scores import TokenScore
from tiebreak.generation.token_text import TokenTexts
from tiebreak.serve.generation.batching import Batcher, Delivery, Job
from tiebreak.serve.generation.calling import ToolUse
from tiebreak.serve.generation.engine import GenerationRequest, LikelyToken, ScoredToken, UnfitRequest
from tiebreak.serve.generation.loading import LoadedModel

_SEEDS = 2**31


class Worker:
    """One model at work.

    Args:
        loaded: the model.
        rows: requests that are answered together.
        queue: requests that may wait besides.
        max_prompt_tokens: longest prompt.
        flush: called after each round of deliveries, in the thread that works.
    """

    def __init__(
        self, loaded: LoadedModel, *, rows: int, queue: int, max_prompt_tokens: int, flush: Callable[[], None]
    ) -> None:
        chosen = choose_steps(loaded.model, rows)
        self.loaded = loaded
        self.reason = chosen.reason
        self.batcher = Batcher(chosen.steps, queue=queue, flush=flush)
        self._max_prompt_tokens = max_prompt_tokens
        self._end_tokens = end_tokens(loaded.model, loaded.tokenizer)
        self._vocabulary = int(loaded.model.config.get_text_config().vocab_size)
        self._texts = TokenTexts(loaded.tokenizer)
        self._grammars = Grammars(loaded.tokenizer, self._vocabulary, self._end_tokens)
        self._tools = ToolUse(loaded, self._grammars)
        self._tokenizing = threading.Lock()  # tokenizers are not made for several threads

    def job(self, request: GenerationRequest, receive: Callable[[Delivery], None]) -> Job:
        """A request as a job for the batcher; takes the time of tokenizing.

        Args:
            request: to this model.
            receive: takes what is new, in the thread that works.
        Raises:
            UnfitRequest: the request cannot be answered as it is.
        """
        loaded = self.loaded
        with self._tokenizing:
            calling = self._tools.calling(request, _turns(request)) if request.tools else None
            ids = self._ids(request) if calling is None else calling.ids
            longest = self._longest_answer(request, ids)
            constraint = self._constraint(request) if calling is None else calling.constraint
            echo = self._echo(request, ids)
        own = stop_strings(loaded.template) if request.is_chat else ()
        decoding = Decoding(
            ids,
            sampling=self._sampling(request, longest),
            end_tokens=self._end_tokens,
            text=Detokenizer(
                loaded.tokenizer,
                (*own, *request.stop),
                strip=request.is_chat,
                as_it_grows=request.stream or request.logprobs is not None or calling is not None,
                begun=goes_on(request.turns),
                marks=() if calling is None else calling.marks,
            ),
            top=request.logprobs,
            prompt_too=request.echo,
            # Programs that measure log-probs count on a score for every token that is drawn after a text.
            end_too=not request.is_chat,
            constraint=constraint,
        )
        told = None if request.logprobs is None else self._told
        return Job(decoding, request.stream, receive, echo, told, None if calling is None else calling.reader)

    def _ids(self, request: GenerationRequest) -> list[int]:
        """The tokens that the answer continues."""
        loaded = self.loaded
        if request.prompt_ids is not None:
            if any(not 0 <= token < self._vocabulary for token in request.prompt_ids):
                raise UnfitRequest(f"Token ids go from 0 to {self._vocabulary - 1}.", where="prompt")
            return list(request.prompt_ids)
        if request.prompt is not None:
            return encode_prompts(loaded.tokenizer, [request.prompt], "transcript")[0]
        try:
            return prompt_ids(loaded.tokenizer, _turns(request), loaded.template)
        except InputError as error:
            raise UnfitRequest(error.what, where="messages") from error

    def _longest_answer(self, request: GenerationRequest, ids: Sequence[int]) -> int:
        """How long the answer can be: what was asked for, or what the model has room for."""
        if not ids:
            raise UnfitRequest("The prompt is empty.", where=request.where)
        context, longest = self.loaded.served.context, self._max_prompt_tokens
        if context is not None:
            longest = min(longest, context - (1 if request.max_tokens else 0))
        if len(ids) > longest:
            raise UnfitRequest(
                f"The prompt has {len(ids)} tokens; at most {longest} are taken.",
                where=request.where,
                code="context_length_exceeded",
            )
        return request.max_tokens if context is None else min(request.max_tokens, context - len(ids))

    def _sampling(self, request: GenerationRequest, longest: int) -> Sampling:
        if any(not 0 <= token < self._vocabulary for token, _ in request.logit_bias):
            raise UnfitRequest(f"Token ids go from 0 to {self._vocabulary - 1}.", where="logit_bias")
        return Sampling(
            request.temperature,
            request.top_p,
            longest,
            secrets.randbelow(_SEEDS) if request.seed is None else request.seed,
            request.top_k,
            request.min_p,
            request.presence_penalty,
            request.frequency_penalty,
            request.repetition_penalty,
            request.logit_bias,
        )

    def _constraint(self, request: GenerationRequest) -> Constraint | None:
        form = request.response_format
        if form is None or form["type"] == "text":
            return None
        schema = ANY_OBJECT if form["type"] == "json_object" else form["json_schema"]["schema"]
        try:
            return self._grammars.json(schema)
        except InputError as error:
            fix = "" if error.fix is None else f" What to do there: {error.fix}"
            raise UnfitRequest(error.what + fix, where="response_format") from error

    def _echo(self, request: GenerationRequest, ids: Sequence[int]) -> str:
        if not request.echo:
            return ""
        return request.prompt if request.prompt is not None else str(self.loaded.tokenizer.decode(list(ids)))

    def _told(self, score: TokenScore) -> ScoredToken:
        return ScoredToken(
            self._likely(score.token, score.logp), tuple(self._likely(token, logp) for token, logp in score.top)
        )

    def _likely(self, token: int, logp: float | None) -> LikelyToken:
        return LikelyToken(self._texts.text(token), self._texts.data(token), logp)


def _turns(request: GenerationRequest) -> list[Message]:
    """The conversation with its system message."""
    system = (Message("system", request.system),) if request.system else ()
    return [*system, *request.turns]
