"""Strict request heads: anything that two servers could read in two ways is refused."""

from collections.abc import Iterator

import pytest

from gateway.http.server import MAX_HEAD_BYTES
from tests.unit.gateway.doubles import TorchServeDouble, application, serving
from tests.unit.gateway.http.test_server import parsed, problem, talk

pytestmark = pytest.mark.slow

GET = b"GET /nope HTTP/1.1\r\n"
CLOSE = b"Connection: close\r\n"
OWN = b"Host: x\r\n" + CLOSE


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a gateway."""
    with serving(application(TorchServeDouble(), hosts="*")) as bound_port:
        yield bound_port


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"example.org",
        b"example.org:8000",
        b"under_score.test:",
        b"127.0.0.1:8000",
        b"[::1]:8000",
        b"[fe80::1%25eth0]",
    ],
)
def test_a_host_is_taken(port: int, host: bytes) -> None:
    """Names, addresses, ports, and the empty host of RFC 9110 are hosts."""
    sent = GET + b"Host: " + host + b"\r\n" + CLOSE + b"\r\n"
    assert problem(talk(port, sent)) == (404, "not_found")


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        (b"a", b"b"),
        (b"a", b"a"),
        (b"a", b""),
        (b"a b",),
        (b"a/b",),
        (b"user@a",),
        (b"a:80:80",),
        (b"a:x",),
        (b"http://a",),
        (b"[::1",),
        (b"a\xff",),
        (b"a?b",),
        (b"a#b",),
        (b"a\\b",),
    ],
)
def test_a_request_without_one_host_is_refused(port: int, hosts: tuple[bytes, ...]) -> None:
    """No Host, two of them, and what is no host are a 400."""
    lines = b"".join(b"Host: " + host + b"\r\n" for host in hosts)
    assert problem(talk(port, GET + lines + CLOSE + b"\r\n")) == (400, "malformed_http")


def test_an_old_client_needs_no_host(port: int) -> None:
    """HTTP/1.0 has no Host, but two of them are refused there too."""
    old = GET.replace(b"1.1", b"1.0")
    assert problem(talk(port, old + b"\r\n")) == (404, "not_found")
    assert problem(talk(port, old + b"Host: a\r\nHost: b\r\n\r\n")) == (400, "malformed_http")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((b"chunked",), (422, "invalid_request")),
        ((b"Chunked",), (422, "invalid_request")),
        ((b"gzip, chunked",), (501, "unsupported_transfer_coding")),
        ((b"gzip", b"chunked"), (501, "unsupported_transfer_coding")),
        ((b"identity, chunked",), (501, "unsupported_transfer_coding")),
        ((b"x, chunked",), (501, "unsupported_transfer_coding")),
        ((b'chunked;a="b", chunked',), (501, "unsupported_transfer_coding")),
        ((b"chunked, chunked",), (400, "malformed_http")),
        ((b"chunked", b"chunked"), (400, "malformed_http")),
        ((b"gzip",), (501, "unsupported_transfer_coding")),
        ((b"chunked, gzip",), (400, "malformed_http")),
        ((b"\x0bchunked",), (400, "malformed_http")),
    ],
)
def test_the_only_transfer_coding_is_chunked(
    port: int, lines: tuple[bytes, ...], expected: tuple[int, str]
) -> None:
    """A body in another coding is never read as if it were in none."""
    codings = b"".join(b"Transfer-Encoding: " + line + b"\r\n" for line in lines)
    sent = b"POST /segmentation HTTP/1.1\r\n" + OWN + codings + b"\r\n0\r\n\r\n"
    assert problem(talk(port, sent)) == expected


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\rHost: x\r\r",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(port: int, sent: bytes) -> None:
    """Ambiguous framing is a 400 and closes the connection."""
    assert problem(talk(port, sent)) == (400, "malformed_http")


def head_of(size: int, unit: bytes = b"x") -> bytes:
    """A head of exactly this size."""
    start, end = GET + OWN + b"X: ", b"\r\n\r\n"
    room = size - len(start) - len(end)
    units = unit * (room // len(unit))
    return start + units + b"z" * (room - len(units)) + end


@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("unit", [b"x", b"x\r\nA:b\r\nY:", b" "], ids=["long", "many", "spaces"])
def test_a_head_may_have_64_kib_and_not_a_byte_more(port: int, unit: bytes, pieces: int) -> None:
    """The limit is exact, however a head is cut into pieces and padded."""
    for size, expected in (
        (MAX_HEAD_BYTES, (404, "not_found")),
        (MAX_HEAD_BYTES + 1, (431, "headers_too_large")),
        (70 * 1024, (431, "headers_too_large")),
        (10 * MAX_HEAD_BYTES, (431, "headers_too_large")),
    ):
        head = head_of(size, unit)
        step = -(-len(head) // pieces)
        cut = [head[at : at + step] for at in range(0, len(head), step)]
        assert problem(talk(port, *cut, pause_s=0.01 * (pieces > 1))) == expected, size


def test_the_second_of_two_pipelined_heads_is_limited_too(port: int) -> None:
    """A large head right behind another request gets its 431."""
    first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = first + head_of(MAX_HEAD_BYTES + 1000)
    responses = talk(port, first, sent, pause_s=0.05)
    assert problem(responses[responses.rindex(b"HTTP/1.1 ") :]) == (431, "headers_too_large")


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", (400, "malformed_http")),
        (b"\x00\x00\r\n\r\n", (400, "malformed_http")),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", None),
        (head_of(MAX_HEAD_BYTES + 1000), (431, "headers_too_large")),
    ],
    ids=["no host", "no HTTP", "a coding", "a large head"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_requests_before_a_bad_one_have_their_responses_first(
    port: int, bad: bytes, expected: tuple[int, str] | None, count: int
) -> None:
    """Responses are in the order of the pipelined requests, the refusal is the last."""
    good = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    responses = talk(port, good * count + bad)
    assert responses.count(b"HTTP/1.1 200 OK") == count
    last = problem(responses[responses.rindex(b"HTTP/1.1 ") :])
    assert last == (expected or (501, "unsupported_transfer_coding"))


def test_a_client_that_sends_on_reads_its_refusal(port: int) -> None:
    """A refused client that has more to send gets the response, not a reset connection."""
    response = talk(port, b"GET / HTTP/1.1\r\nA: \x00\r\n", bytes(2**20), pause_s=0.05)
    assert problem(response) == (400, "malformed_http")
    assert parsed(response)[1]["connection"] == "close"
