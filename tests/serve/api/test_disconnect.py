"""A client that goes away ends the work on its answer, at once and wherever it stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from tiebreak.serve.api.disconnect import ClientGone, EventStream, while_connected

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": [], "asgi": {"spec_version": "2.4"}}


def request(messages: Iterable[Message]) -> Request:
    """A request from a client that sends these messages, and then waits."""
    waiting = iter(messages)

    async def receive() -> Message:
        await asyncio.sleep(0)
        for message in waiting:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    return Request(SCOPE, receive)


GONE: Message = {"type": "http.disconnect"}
MORE: Message = {"type": "http.request", "body": b"", "more_body": False}


def test_work_is_done_for_a_client_that_waits() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert asyncio.run(while_connected(request([MORE]), work())) == 7


def test_a_failure_of_the_work_is_the_work_s() -> None:
    async def work() -> int:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        asyncio.run(while_connected(request([]), work()))


def test_work_for_nobody_is_cancelled_before_the_caller_goes_on() -> None:
    ended: list[str] = []

    async def work() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("work")
        return 7

    async def serve() -> None:
        try:
            await while_connected(request([MORE, GONE]), work())
        except ClientGone:
            ended.append("answer")

    asyncio.run(serve())
    assert ended == ["work", "answer"]


def test_an_answer_that_is_there_counts_though_the_client_has_gone() -> None:
    async def work() -> int:
        return 7

    assert asyncio.run(while_connected(request([GONE]), work())) == 7


@pytest.mark.parametrize("leaves_after", [1, 3, None])
def test_the_source_of_a_stream_is_closed_however_it_ends(leaves_after: int | None) -> None:
    closed: list[bool] = []
    sent: list[Message] = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            for number in range(5):
                yield f"data: {number}\n\n".encode()
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if leaves_after is not None and len(sent) > leaves_after:
            raise OSError("the connection is gone")

    async def serve() -> None:
        try:
            await EventStream(events())(dict(SCOPE), receive, send)
        except ClientDisconnect:
            assert leaves_after is not None

    asyncio.run(serve())
    assert closed == [True]
    if leaves_after is None:
        assert b"".join(message.get("body", b"") for message in sent).count(b"data: ") == 5
        headers = dict(sent[0]["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream")
        assert headers[b"cache-control"] == b"no-store"
