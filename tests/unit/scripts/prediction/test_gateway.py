"""The gateway's answers are understood in one place."""

import httpx
import pytest

from scripts.prediction.gateway import refusal, retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("3600", 10.0), ("-1", 0.0), ("soon", 1.0), (None, 1.0)],
)
def test_the_pause_is_what_the_gateway_asks_for(header: str | None, seconds: float) -> None:
    """Within bounds; nonsense is a second."""
    headers = {} if header is None else {"Retry-After": header}
    assert retry_after(httpx.Response(503, headers=headers), most=10.0) == seconds


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"detail": "Too large."}', "the gateway answered 413: Too large."),
        (b"a proxy's page", "the gateway answered 413: a proxy's page"),
        (b"[]", "the gateway answered 413: []"),
    ],
)
def test_a_refusal_is_told_in_its_own_words(content: bytes, words: str) -> None:
    """Also where something else answered in its place."""
    assert refusal(httpx.Response(413, content=content)) == words
