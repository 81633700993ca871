"""Answers a second of `tiebreak serve`: one client after the other, and many at once, the answers being the same.

Starts a server as a user would, asks it held-out prompts of the bundled preferences, each with a seed of its own, and
fails if any request fails or any answer differs: between one client and many, whole and as a stream, and from what
`tiebreak chat` draws with that seed.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from tiebreak.bundled import preferences_path


@dataclass(frozen=True)
class Round:
    """One way of asking all there is to ask.

    Attributes:
        name: of the way.
        clients: at once.
        seconds: from the first request to the last answer.
        requests_per_second, tokens_per_second: tokens are those of the answers.
        first_p50, first_p95: seconds to the first text (of a stream) or to the answer (of a whole one).
    """

    name: str
    clients: int
    seconds: float
    requests_per_second: float
    tokens_per_second: float
    first_p50: float
    first_p95: float


def prompts(count: int) -> list[list[dict[str, str]]]:
    """Conversations of the held-out preferences, again from the start when they are used up."""
    with gzip.open(preferences_path("held_out"), "rt", encoding="utf-8") as rows:
        found = [json.loads(row)["prompt"] for row in rows]
    return [found[i % len(found)] for i in range(count)]


async def ask(client: httpx.AsyncClient, body: dict[str, Any]) -> tuple[str, int, float]:
    """Text, tokens, and seconds to the first of it."""
    began = time.perf_counter()
    if not body.get("stream"):
        answer = await client.post("/v1/chat/completions", json=body)
        answer.raise_for_status()
        done = answer.json()
        text = done["choices"][0]["message"]["content"]
        return text, done["usage"]["completion_tokens"], time.perf_counter() - began
    texts: list[str] = []
    first, tokens = 0.0, 0
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                raise RuntimeError(event["error"]["message"])
            if event["choices"] and (text := event["choices"][0]["delta"].get("content")):
                texts.append(text)
                first = first or time.perf_counter() - began
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
    return "".join(texts), tokens, first or time.perf_counter() - began


async def ask_all(address: str, name: str, bodies: Sequence[dict[str, Any]], clients: int) -> tuple[Round, list[str]]:
    """Ask everything with so many clients, each with one request on its way."""
    results: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(bodies)
    left = iter(range(len(bodies)))

    async def work(client: httpx.AsyncClient) -> None:
        for i in left:
            results[i] = await ask(client, bodies[i])

    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=600, limits=limits) as client:
        began = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(clients)))
        seconds = time.perf_counter() - began
    firsts = sorted(first for _, _, first in results)
    found = Round(
        name,
        clients,
        seconds,
        len(bodies) / seconds,
        sum(tokens for _, tokens, _ in results) / seconds,
        statistics.median(firsts),
        firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))],
    )
    return found, [text for text, _, _ in results]


def chat_answers(model: str, asked: Sequence[dict[str, Any]]) -> tuple[Round, list[str]]:
    """The same answers one after the other, without any server."""
    from tiebreak.data.preference import messages_from
    from tiebreak.generation.generate import Sampling, stream_answer
    from tiebreak.models.load import load_model, load_tokenizer

    loaded, tokenizer = load_model(model), load_tokenizer(model)
    texts, firsts = [], []
    began = time.perf_counter()
    for body in asked:
        start = time.perf_counter()
        sampling = Sampling(body["temperature"], body["top_p"], body["max_tokens"], body["seed"])
        pieces = stream_answer(loaded, tokenizer, messages_from(body["messages"]), sampling)
        first = next(pieces, "")
        firsts.append(time.perf_counter() - start)
        texts.append(first + "".join(pieces))
    seconds = time.perf_counter() - began
    tokens = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) + 1 for text in texts)
    firsts.sort()
    p95 = firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))]
    found = Round("generate", 1, seconds, len(asked) / seconds, tokens / seconds, statistics.median(firsts), p95)
    return found, texts


def start(model: str, batch: int) -> tuple[subprocess.Popen[str], str]:
    """A server on a free port, and its address."""
    command = [sys.executable, "-m", "tiebreak", "serve", model, "--port", "0", "--batch", str(batch)]
    server = subprocess.Popen([*command, "--requests-per-minute", "0"], stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    said = ""
    for line in server.stderr:
        said += line
        if found := re.search(r"http://\S+", line):
            return server, found[0]
    raise SystemExit(f"the server did not start:\n{said}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled:base")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    bodies: list[dict[str, Any]] = [
        {
            "model": chosen.model,
            "messages": turns,
            "seed": i,
            "temperature": chosen.temperature,
            "top_p": chosen.top_p,
            "max_tokens": chosen.max_tokens,
        }
        for i, turns in enumerate(prompts(chosen.requests))
    ]
    streams = [{**body, "stream": True, "stream_options": {"include_usage": True}} for body in bodies]
    server, address = start(chosen.model, chosen.batch)
    try:
        asyncio.run(ask_all(address, "warm-up", bodies[: chosen.clients], chosen.clients))
        one, alone = asyncio.run(ask_all(address, "one client", bodies, 1))
        many, together = asyncio.run(ask_all(address, f"{chosen.clients} clients", bodies, chosen.clients))
        live, streamed = asyncio.run(ask_all(address, f"{chosen.clients} streams", streams, chosen.clients))
        lone, _ = asyncio.run(ask_all(address, "one stream", streams[:100], 1))
    finally:
        server.terminate()
        server.wait()
    plain, spoken = chat_answers(chosen.model, bodies)
    wrong = {
        "many clients": sum(a != b for a, b in zip(alone, together, strict=True)),
        "streams": sum(a != b for a, b in zip(alone, streamed, strict=True)),
        "generate": sum(a != b for a, b in zip(alone, spoken, strict=True)),
    }
    rounds = [plain, one, many, lone, live]
    ratio = many.requests_per_second / one.requests_per_second
    if chosen.json:
        print(json.dumps({"rounds": [asdict(r) for r in rounds], "ratio": ratio, "wrong": wrong}, indent=2))
    else:
        print("| way | requests/s | tokens/s | first text p50, ms | p95, ms |\n|---|---|---|---|---|")
        for r in rounds:
            speed = f"{r.requests_per_second:.1f} | {r.tokens_per_second:.0f}"
            print(f"| {r.name} | {speed} | {1000 * r.first_p50:.0f} | {1000 * r.first_p95:.0f} |")
        print(f"\n{chosen.requests} requests, no error; {chosen.clients} clients against one: {ratio:.2f} times.")
        print(f"Answers that differ from those of one client: {wrong}")
    if any(wrong.values()):
        raise SystemExit("answers differ")


if __name__ == "__main__":
    main()
