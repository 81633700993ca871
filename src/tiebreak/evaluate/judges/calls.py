"""Calls of an endpoint that speaks OpenAI's API, through the `openai` package: repeated where that may help.

Knows what a server may answer to a request, how long to wait then, and what to say where waiting is no use. A key is
read from its environment variable, sent, and never shown.
"""

from __future__ import annotations

import email.utils
import os
import random
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tiebreak.errors import InputError, RunError
from tiebreak.evaluate.judges.verdict import SCHEMA, choice_in
from tiebreak.recipe.judge import OPENAI, OpenAISection

_LONGEST_WAIT = 600.0  # seconds that a server may ask to wait
_SLOWEST = 30.0  # seconds between two tries, at most, where the server says nothing
_AGAIN = (408, 409, 429)
_NONSENSE = 10  # replies without a verdict, and none with one: it will not get better
_TRIES = 2  # of a request whose reply says nothing
# Forms of a request, the better first: a server that refuses one is asked in the next.
_FORMS: tuple[tuple[bool, str, bool], ...] = (  # by schema, name of the length limit, with a temperature
    (True, "max_tokens", True),
    (False, "max_tokens", True),
    (True, "max_completion_tokens", False),
    (False, "max_completion_tokens", False),
)
_TOO_LONG = ("context_length", "context length", "maximum context", "too long", "too many tokens")


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        choice: A, B or tie; None where the judge gave none.
        why: the reason where there is no verdict.
        keep: whether asking again would give the same.
    """

    choice: str | None
    why: str = ""
    keep: bool = True


def check_endpoint(settings: OpenAISection, where: str) -> str:
    """The key for an endpoint, before the first call; a placeholder where it needs none.

    Raises:
        InputError: the package is missing, or the variable of the key is not set.
    """
    if find_spec("openai") is None:
        raise InputError(
            "A judge behind an endpoint needs openai, which is not installed.",
            where=where,
            fix='pip install "tiebreak[judge]"',
        )
    # A key is for one server: without being told so, OpenAI's goes nowhere else.
    variable = settings.api_key_env or ("OPENAI_API_KEY" if settings.base_url == OPENAI else None)
    if variable is None:
        return "none"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(
            f"The environment variable {variable} is not set.",
            where=f"{where}.openai.api_key_env",
            fix=f"export {variable}=… with the key of {settings.base_url}",
        )
    return key


class Endpoint:
    """A server that gives verdicts; may be asked from several threads.

    Args:
        settings: which, and how it is asked.
        where: what names it, for errors.
    """

    def __init__(self, settings: OpenAISection, where: str) -> None:
        self._settings, self._where = settings, where
        self._key = check_endpoint(settings, where)
        from openai import OpenAI

        self._client = OpenAI(base_url=settings.base_url, api_key=self._key, timeout=settings.timeout, max_retries=0)
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._form = 0
        self._understood = False  # a request of this form was answered once
        self._not_before = 0.0
        self._good = self._bad = 0

    def stop(self) -> None:
        """Let every thread that waits end."""
        self._stopped.set()
        self._client.close()

    def ask(self, messages: list[dict[str, str]]) -> Reply:
        """One verdict.

        Raises:
            InputError: the server refuses the key, the model, or every form of the request.
            RunError: it does not answer, or answers nothing that could be used.
        """
        for _ in range(_TRIES):
            reply = self._answered(messages)
            if reply.choice is not None or reply.keep:
                break
        with self._lock:
            self._good += reply.choice is not None
            self._bad += reply.choice is None
            if not self._good and self._bad >= _NONSENSE:
                raise self._error(f"The judge gave no verdict in its first {self._bad} replies: {reply.why}.", _OTHER)
        return reply

    def _answered(self, messages: list[dict[str, str]]) -> Reply:
        import openai

        failures = 0
        while True:
            self._wait()
            if self._stopped.is_set():
                raise self._error("The evaluation was stopped.", _AGAIN_LATER)
            form = self._form
            try:
                answer = self._client.chat.completions.create(**self._request(messages, form))
                self._understood = True
                return self._read(answer)
            except ValueError as error:  # what should be JSON is none
                failures += 1
                if failures > self._settings.retries:
                    raise self._down(error, failures) from None
                self._back_off(failures, error)
            except (openai.APIConnectionError, openai.APIStatusError, openai.APIResponseValidationError) as error:
                if self._stopped.is_set():
                    raise self._error("The evaluation was stopped.", _AGAIN_LATER) from None
                status = getattr(error, "status_code", None)
                if isinstance(error, openai.APIStatusError) and not self._may_help(error):
                    if status in (400, 413, 422) and any(mark in str(error).lower() for mark in _TOO_LONG):
                        return Reply(None, "the answers are longer than the judge takes")
                    if status in (400, 422, 501) and self._next_form(form):
                        continue
                    if status in (400, 422) and self._understood:
                        return Reply(None, f"the server refuses them: {self._said(error)}")
                    raise self._refused(error) from None
                failures += 1
                if failures > self._settings.retries:
                    raise self._down(error, failures) from None
                self._back_off(failures, error)

    def _request(self, messages: list[dict[str, str]], form: int) -> dict[str, Any]:
        schema, limit, temperature = _FORMS[form]
        return {
            "model": self._settings.model,
            "messages": messages,
            limit: self._settings.max_tokens,
            **({"temperature": self._settings.temperature} if temperature else {}),
            **({"response_format": SCHEMA} if schema else {}),
        }

    def _next_form(self, refused: int) -> bool:
        """Go on to the next form of a request; False where there is none, or this one was understood before."""
        with self._lock:
            if self._form > refused:
                return True  # another thread did
            if self._understood or refused + 1 == len(_FORMS):
                return False
            self._form = refused + 1
            return True

    def _read(self, answer: Any) -> Reply:
        choices = getattr(answer, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message, ended = getattr(choice, "message", None), getattr(choice, "finish_reason", None)
        if getattr(message, "refusal", None) or ended == "content_filter":
            return Reply(None, "the judge refuses to compare them")
        text = getattr(message, "content", None)
        if not isinstance(text, str):
            return Reply(None, "the reply is empty", keep=False)
        found = choice_in(text)
        if found is None:
            cut = ", cut at max_tokens" if ended == "length" else ""
            return Reply(None, f"the reply is no verdict{cut}", keep=False)
        return Reply(found)

    def _may_help(self, error: Any) -> bool:
        """Whether another try may go better. Money that is used up does not come back by waiting."""
        if getattr(error, "code", None) == "insufficient_quota":
            return False
        return error.status_code in _AGAIN or (error.status_code >= 500 and error.status_code != 501)

    def _wait(self) -> None:
        while (left := self._not_before - time.monotonic()) > 0 and not self._stopped.wait(min(left, 1.0)):
            pass

    def _back_off(self, failures: int, error: Any) -> None:
        """Wait, longer each time, or as long as the server says; a rate limit is one for all threads."""
        response = getattr(error, "response", None)
        asked = None if response is None else _retry_after(response.headers)
        if asked is not None and asked > _LONGEST_WAIT:
            raise self._error(f"The judge's server asks to wait {asked:,.0f} seconds.", _AGAIN_LATER) from None
        seconds = asked if asked is not None else min(_SLOWEST, 0.5 * 2 ** (failures - 1)) * random.uniform(0.75, 1.25)
        if getattr(error, "status_code", None) == 429:
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + seconds)
        else:
            self._stopped.wait(seconds)

    def _refused(self, error: Any) -> InputError | RunError:
        status, said = error.status_code, self._said(error)
        at = f"{self._where}: {self._settings.base_url}"
        if status in (401, 403):
            variable = self._settings.api_key_env or "OPENAI_API_KEY"
            fix = f"check the key in {variable}" if self._key != "none" else "name the variable of its key: api_key_env"
            return InputError(f"The judge's server refuses the key ({status}): {said}.", where=at, fix=fix)
        if status == 404:
            fix = "check the model's name, and that base_url ends where the API begins, mostly in /v1"
            return InputError(f"The judge's server does not know '{self._settings.model}': {said}.", where=at, fix=fix)
        if getattr(error, "code", None) == "insufficient_quota":
            return self._error(f"The account of the judge's server is used up: {said}.", _AGAIN_LATER)
        return InputError(f"The judge's server refuses the request ({status}): {said}.", where=at, fix=_OTHER)

    def _down(self, error: Any, tries: int) -> RunError:
        import openai

        if isinstance(error, openai.APITimeoutError):
            what = f"did not answer within {self._settings.timeout:g} seconds"
            return self._error(f"The judge's server {what}, {tries} times.", f"raise timeout; {_AGAIN_LATER}")
        status = getattr(error, "status_code", None)
        if status == 429:
            return self._error(
                f"The judge's server limits its rate, {tries} times.", f"lower concurrency; {_AGAIN_LATER}"
            )
        told = (
            f"answers {status}" if status else "gives no JSON" if isinstance(error, ValueError) else "cannot be reached"
        )
        return self._error(f"The judge's server {told}, {tries} times: {self._said(error)}.", _AGAIN_LATER)

    def _said(self, error: Any) -> str:
        """What a server said, on one line, short, and without the key."""
        body = getattr(error, "body", None)
        text = body.get("message") if isinstance(body, dict) and body.get("message") else str(error)
        text = " ".join(str(text).replace(self._key, "***" if self._key != "none" else "none").split())
        return text[:200].rstrip(".")

    def _error(self, what: str, fix: str) -> RunError:
        return RunError(what, where=f"{self._where}: {self._settings.base_url}", fix=fix)


_AGAIN_LATER = "start the same command again later: verdicts so far are kept, and nothing is asked twice"
_OTHER = "try another model, a larger max_tokens, or another server"


def _retry_after(headers: Any) -> float | None:
    """The seconds that a server asks to wait, as a number or as a date; None where it does not say."""
    told = headers.get("retry-after-ms")
    try:
        if told is not None:
            return max(0.0, float(told) / 1000)
        told = headers.get("retry-after")
        return None if told is None else max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(str(told)).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
