"""Generation by another server that speaks OpenAI's API (vLLM, llama.cpp, Ollama), behind the same interface.

The key for that server goes into one header and nowhere else: into no message, no log and no answer. What that server
says when it fails goes into the log of this one, and to no client.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal

import httpx

from tiebreak.errors import InputError, RunError
from tiebreak.generation.detokenize import FinishReason
from tiebreak.serve.generation.engine import (
    EngineBusy,
    GenerationRequest,
    Load,
    Piece,
    ServedModel,
    UnfitRequest,
    UpstreamFailed,
    find_model,
)
from tiebreak.serve.generation.wire import Event, read_event, refused_field, request_body

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 120.0
_RETRY_AFTER = 2
_LONGEST_LINE = 1 << 20
_SHOWN = 300


class RemoteEngine:
    """The models of another server.

    Args:
        base_url: address of its API, for example `http://127.0.0.1:8000/v1`.
        names: models that are served on; empty is all of them.
        api_key: key for that server.
        in_flight: requests that may be on their way at once; more wait.
        queue: requests that may wait.
    Raises:
        InputError: the address is none, or the server does not have a model that is named.
        RunError: the server cannot be reached, or does not speak the API.
    """

    def __init__(
        self,
        base_url: str,
        names: Sequence[str] = (),
        *,
        api_key: str | None = None,
        in_flight: int = 64,
        queue: int = 64,
    ) -> None:
        self._url = _checked(base_url)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._key = api_key
        self._models = self._listed(names)
        self._free = asyncio.Semaphore(in_flight)
        self._queue, self._waiting, self._running = queue, 0, 0
        timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        self._client = httpx.AsyncClient(headers=self._headers, timeout=timeout, limits=limits)

    passes_on: Literal[True] = True
    """As in `PassingOn`."""

    def models(self) -> Sequence[ServedModel]:
        """As in `Engine`."""
        return self._models

    def load(self) -> Load:
        """As in `Engine`."""
        return Load(self._waiting, self._running)

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        """As in `Engine`."""
        find_model(self._models, request.model)
        if self._free.locked() and self._waiting >= self._queue:
            raise EngineBusy(_RETRY_AFTER)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self._running += 1
        try:
            async for piece in self._stream(request):
                yield piece
        except httpx.HTTPError as error:
            raise UpstreamFailed(f"The server behind this one failed: {_kind(error)}.") from None
        finally:
            self._running -= 1
            self._free.release()

    async def close(self) -> None:
        """As in `Engine`."""
        await self._client.aclose()

    async def _stream(self, request: GenerationRequest) -> AsyncGenerator[Piece, None]:
        path = "/chat/completions" if request.is_chat else "/completions"
        sent = request_body(request)
        async with self._client.stream("POST", self._url + path, json=sent) as answer:
            if answer.status_code != 200:
                raise self._refused(answer.status_code, await _beginning(answer), sent)
            reason: FinishReason | None = None
            usage: Mapping[str, Any] = {}
            begun = False
            async for line in answer.aiter_lines():
                if len(line) > _LONGEST_LINE:
                    raise UpstreamFailed("The server behind this one sent a line without end.")
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if not data:
                    continue
                if data == "[DONE]":
                    break
                event = self._read(data)
                begun = True
                reason, usage = event.reason or reason, event.usage or usage
                if event.text or event.tokens or event.tool_calls:
                    yield Piece(event.text, tokens=event.tokens, tool_calls=event.tool_calls)
            if not begun or reason is None:
                raise UpstreamFailed("The server behind this one broke its answer off.")
            yield Piece("", reason, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), request.seed)

    def _read(self, data: str) -> Event:
        try:
            return read_event(data)
        except UpstreamFailed:
            logger.warning("the server behind said: %s", self._shown(data))
            raise

    def _refused(self, status: int, body: bytes, sent: Mapping[str, Any]) -> Exception:
        """What a status that is not 200 means for whoever asked; the words of the other server go to the log alone."""
        logger.warning(
            "the server behind answered with status %d: %s", status, self._shown(body.decode(errors="replace"))
        )
        if status in (400, 404, 413, 422):
            where, code = refused_field(body, sent)
            named = "" if where is None else f" for its field '{where}'"
            return UnfitRequest(f"The server behind this one refuses the request{named}.", where=where, code=code)
        if status == 429:
            return EngineBusy(_RETRY_AFTER)
        if status in (401, 403):
            return UpstreamFailed("The server behind this one does not take our key.")
        return UpstreamFailed(f"The server behind this one answered with status {status}.")

    def _shown(self, text: str) -> str:
        """What the other server said, for the log: short, printable, and without our key, which it may repeat."""
        safe = text.replace(self._key, "…") if self._key else text
        return "".join(c for c in safe if c.isprintable())[:_SHOWN]

    def _listed(self, names: Sequence[str]) -> list[ServedModel]:
        try:
            answer = httpx.get(self._url + "/models", headers=self._headers, timeout=_CONNECT_SECONDS)
            answer.raise_for_status()
            entries = answer.json()["data"]
            there = {str(entry["id"]): entry for entry in entries}
        except httpx.HTTPStatusError as error:
            raise RunError(
                f"The server answers with status {error.response.status_code}.",
                where=self._url,
                fix="check --base-url, and the key in OPENAI_API_KEY",
            ) from None
        except httpx.HTTPError as error:
            raise RunError(
                f"The server cannot be reached: {_kind(error)}.", where=self._url, fix="start it, or check --base-url"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise RunError("The server does not speak OpenAI's API.", where=self._url, fix="check --base-url") from None
        missing = [name for name in names if name not in there]
        if missing or not there:
            raise InputError(
                f"The server has no model '{missing[0]}'." if missing else "The server has no model.",
                where=self._url,
                fix=f"it has: {', '.join(sorted(there)[:10])}" if there else None,
            )
        return [_served(self._url, name, there[name]) for name in (names or there)]


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(
            f"'{base_url}' is no address.", where="--base-url", fix="for example: http://127.0.0.1:8000/v1"
        )
    if url.userinfo:
        raise InputError("The address has a password in it.", where="--base-url", fix="use OPENAI_API_KEY instead")
    return str(url).rstrip("/")


def _served(url: str, name: str, entry: Any) -> ServedModel:
    """A model of the other server; what is known of its weights is where it is and what it is called."""
    created = entry.get("created") if isinstance(entry, dict) else None
    context = entry.get("max_model_len") if isinstance(entry, dict) else None
    fingerprint = hashlib.sha256(f"{url}\0{name}\0{created}".encode()).hexdigest()
    return ServedModel(
        name,
        name,
        fingerprint,
        created=created if isinstance(created, int) and created >= 0 else 0,
        context=context if isinstance(context, int) and context > 0 else None,
    )


async def _beginning(answer: httpx.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > 1 << 16:
            break
    return body


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _kind(error: httpx.HTTPError) -> str:
    """What happened, without addresses or headers."""
    names: dict[type[httpx.HTTPError], str] = {
        httpx.ConnectError: "no connection",
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.RemoteProtocolError: "it broke off",
        httpx.ReadError: "it broke off",
    }
    return names.get(type(error), type(error).__name__)
