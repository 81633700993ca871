"""What the server counts."""

from __future__ import annotations

from tests.serve.api.test_guard import ASKED, client_for


def test_the_metrics_say_what_happened() -> None:
    client = client_for()
    client.post("/v1/chat/completions", json=ASKED)
    list(client.post("/v1/chat/completions", json={**ASKED, "stream": True}).iter_lines())
    client.get("/some/path/of/theirs")
    text = client.get("/metrics").text
    assert 'tiebreak_requests_total{endpoint="/v1/chat/completions",status="200"} 2.0' in text
    assert 'tiebreak_requests_total{endpoint="other",status="404"} 1.0' in text
    assert 'tiebreak_tokens_total{kind="completion",model="parrot"} 4.0' in text
    assert 'tiebreak_first_token_seconds_count{model="parrot"} 1.0' in text
    assert "tiebreak_queue_length 0.0" in text
    assert "theirs" not in text
