"""The commands' reading of the gateway's responses."""

import httpx
import pytest

from scripts.prediction.gateway import refusal, retry_after


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("3600", 10.0), ("-1", 0.0), ("soon", 1.0), (None, 1.0)],
)
def test_the_pause_is_what_the_gateway_asks_for(header: str | None, seconds: float) -> None:
    """Retry-After within bounds; one second if it is malformed."""
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
def test_a_refusal_has_the_gateways_explanation(content: bytes, words: str) -> None:
    """Also if another server answered."""
    assert refusal(httpx.Response(413, content=content)) == words
