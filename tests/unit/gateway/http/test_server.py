"""The server on a real socket, with clients that misbehave."""

import asyncio
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http import lingering_close
from gateway.http.server import MAX_HEAD_BYTES, ProblemProtocol
from tests.unit.gateway.doubles import (
    FORM_TYPE,
    TorchServeDouble,
    application,
    form,
    mask_response,
    part,
    serving,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a gateway with an upload deadline of half a second."""
    app = application(TorchServeDouble(), upload_deadline_s=0.5, max_image_bytes=2**20)
    with serving(app) as bound_port:
        yield bound_port


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an application that returns the requests that reached it."""

    async def respond(request: Request) -> Response:
        body = await request.body()
        names = " ".join(request.headers)  # read late: trailers would be there by now
        shown = body if len(body) < 100 else str(len(body)).encode()
        return Response(f"[{request.method} {request.url.path}|{names}|".encode() + shown + b"]")

    with serving(
        Starlette(routes=[Route("/{path:path}", respond, methods=["GET", "POST"])])
    ) as bound_port:
        yield bound_port


def talk(port: int, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces and return all data until the server closes; TimeoutError if it does not."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for piece in sent:
            connection.sendall(piece)
            time.sleep(pause_s)  # otherwise pieces may arrive as one
        return _all(connection)


def first_response(port: int, sent: bytes) -> bytes:
    """Send data and return the first response, while the server may still read."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        with connection.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
            _, headers, _ = parsed(head)
            return head + stream.read(int(headers["content-length"]))


def _all(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def post(body: bytes, length: int | None = None, path: str = "/segmentation") -> bytes:
    """A complete request with a form."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM_TYPE}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


def parsed(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a response."""
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def problem(response: bytes) -> tuple[int, str]:
    """Status and code of a response, which must be a problem document with a request id."""
    status, headers, body = parsed(response)
    document = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == document["request_id"].lower()
    assert headers["x-content-type-options"] == "nosniff"
    assert document["status"] == status
    return status, document["code"]


def test_a_form_on_a_real_socket_is_answered(port: int) -> None:
    """An ordinary form, as curl sends it, gets an image."""
    status, headers, body = parsed(talk(port, post(form(part(b"a photo")))))
    assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: \x01\x00\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nxx",
        b"CONNECT x HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_problem_document_too(port: int, sent: bytes) -> None:
    """Bytes that are not HTTP are a 400 with a request id, never a 500."""
    assert problem(talk(port, sent)) == (400, "malformed_http")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (404, "not_found")),
        (b"BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (400, "malformed_http")),
        (
            b"TRACE /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            (405, "method_not_allowed"),
        ),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (404, "not_found")),
        (
            b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\n\r\n",
            (404, "not_found"),
        ),
        (
            b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"X: " + b"x" * 10_000 + b"\r\n\r\n",
            (404, "not_found"),
        ),
        (b"GET /nope?" + b"x" * 10_000 + b" HTTP/1.0\r\n\r\n", (404, "not_found")),
        (post(b"", length=0), (422, "invalid_request")),
        (post(b"x" * 100), (422, "invalid_request")),
    ],
)
def test_an_odd_request_has_its_4xx(port: int, sent: bytes, expected: tuple[int, str]) -> None:
    """A valid but unusual request gets the status that it deserves."""
    assert problem(talk(port, sent)) == expected


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_headers_without_end_are_cut_off(port: int, start: bytes) -> None:
    """Endless headers are refused, because the parser would buffer them all."""
    assert problem(talk(port, start, *[b"x" * 8192] * 8, b"x")) == (431, "headers_too_large")


def test_a_later_head_without_end_is_cut_off_as_the_first(port: int) -> None:
    """The limit applies to every head of a connection, from its first byte."""
    first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    start = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    sent = first, start + b"x" * (MAX_HEAD_BYTES - len(start)), b"x"
    responses = talk(port, *sent, pause_s=0.05)
    assert problem(responses[responses.rindex(b"HTTP/1.1 ") :]) == (431, "headers_too_large")


def test_a_body_that_breaks_its_chunks_is_refused(port: int) -> None:
    """Malformed chunked encoding is a 400 without a traceback."""
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert problem(talk(port, head, b"5\r\nhello\r\nzz\r\n")) == (400, "malformed_http")


def test_a_slow_upload_ends_at_its_deadline(port: int) -> None:
    """A client that stalls in the middle of an upload gets a 504."""
    body = form(part(b"a photo"))
    assert problem(first_response(port, post(body[:50], len(body)))) == (504, "deadline_exceeded")


def test_a_large_upload_is_answered_before_it_was_sent(port: int) -> None:
    """The 413 arrives while the client has most of its bytes to send."""
    head = post(b"", length=10 * 2**20)
    assert problem(first_response(port, head)) == (413, "image_too_large")


def test_a_client_that_never_reads_on_still_gets_the_refusal(port: int) -> None:
    """A client that sends its whole body before it reads gets the 413: the body is drained."""
    body = form(part(bytes(10 * 2**20)))
    assert problem(talk(port, post(body))) == (413, "image_too_large")


def test_curl_gets_the_refusal_before_it_sends(port: int) -> None:
    """Expect: 100-continue is answered with the refusal, not with 100 Continue."""
    head = post(b"", length=10 * 2**20).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    assert problem(first_response(port, head)) == (413, "image_too_large")


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_client_that_leaves_writes_no_traceback(
    port: int, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A disconnect in the middle of an upload is logged as 499, not as an error."""
    with caplog.at_level(logging.INFO):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(post(b"x" * 10, length=1000).replace(b"x" * 10, form()[:20]))
        if reset:
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        threading.Event().wait(0.05)
        connection.close()
        deadline = time.monotonic() + 5
        while " 499 " not in caplog.text and time.monotonic() < deadline:
            threading.Event().wait(0.02)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
    assert "/segmentation 499 " in caplog.text


def test_a_connection_serves_many_requests(port: int) -> None:
    """A connection is kept alive after an error of the application."""
    bad = post(form()).replace(b"Connection: close\r\n", b"")
    good = post(form(part(b"a photo")))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(bad)
        assert b" 422 " in connection.recv(65536)
        connection.sendall(good)
        assert b" 200 " in _all(connection)


def test_an_early_refusal_ends_the_connection(port: int) -> None:
    """The response to an unread body announces that the connection will be closed."""
    head = post(b"", length=10 * 2**20).replace(b"Connection: close\r\n", b"")
    _, headers, _ = parsed(first_response(port, head))
    assert headers["connection"] == "close"


def wait_for_metrics(port: int, *lines: str) -> None:
    """Wait until GET /metrics has these lines."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text.splitlines()
        if set(lines) <= set(metrics):
            return
        time.sleep(0.01)
    raise TimeoutError(f"the metrics lack one of {lines}")


def test_a_client_that_left_the_queue_costs_no_prediction() -> None:
    """A request whose client left while it waited for a slot is not sent to TorchServe."""
    torchserve, release = TorchServeDouble(), threading.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        while not release.is_set():
            await asyncio.sleep(0.01)
        return mask_response()

    torchserve.predict = slow
    body = post(form(part(b"a photo")))
    with (
        serving(application(torchserve, max_concurrency=1)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as patient,
    ):
        patient.sendall(body)
        wait_for_metrics(port, "segserve_turns 1.0", "segserve_queue_length 0.0")
        with socket.create_connection(("127.0.0.1", port), timeout=5) as impatient:
            impatient.sendall(body)
            wait_for_metrics(port, "segserve_turns 1.0", "segserve_queue_length 1.0")
        time.sleep(0.3)  # longer than a wait after which the gateway checks for a disconnect
        release.set()
        assert parsed(_all(patient))[0] == 200
        assert parsed(talk(port, body))[0] == 200
    assert len(torchserve.predictions) == 2


@pytest.mark.parametrize(
    "sent",
    [
        (),
        (b"POST /segm",),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHo"),
    ],
    ids=["silent", "half a head", "an empty line after an answer", "half a head after an answer"],
)
def test_a_connection_without_a_head_is_closed(
    port: int, sent: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent clients cannot exhaust the gateway's file descriptors."""
    monkeypatch.setattr(ProblemProtocol, "max_head_s", 0.3)
    # Less than uvicorn's keep-alive timeout, which would close the connection too.
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        for piece in sent:
            connection.sendall(piece)
            time.sleep(0.1)  # for the response to what was sent
        _all(connection)  # TimeoutError if it stays open


def test_a_long_upload_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time limit of a head does not apply to a body."""
    monkeypatch.setattr(ProblemProtocol, "max_head_s", 0.2)
    request = post(form(part(b"photo")))
    with (
        serving(application(TorchServeDouble())) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(request[:-20])
        time.sleep(0.5)  # longer than a head may take
        connection.sendall(request[-20:])
        assert parsed(_all(connection))[0] == 200


UPGRADE = (
    b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABk\r\n"
)
SMUGGLED = b"GET /x HTTP/1.0\r\n\r\n"
SIZED = b"POST /a HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 19\r\n\r\n" + SMUGGLED
CHUNKED = (
    b"POST /a HTTP/1.1\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n"
    b"4\r\n" + SMUGGLED[:4] + b"\r\nf\r\n" + SMUGGLED[4:] + b"\r\n0\r\n\r\n"
)
LAST = b"GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
NAMES = b"host connection http2-settings "


@pytest.mark.parametrize(
    ("mark", "after"),
    [
        (b"POST", 0),
        (b"\r\n\r\n", 4),
        (b"\r\n\r\n", 3),
        (b"grade: h2c", 0),
        (b"h2c", 1),
        (b"GET", 2),
    ],
    ids=["whole", "head, body", "last byte of the head", "name", "value", "middle of the body"],
)
@pytest.mark.parametrize(
    ("sent", "framing"),
    [(SIZED, b"content-length"), (CHUNKED, b"transfer-encoding")],
    ids=["sized", "chunked"],
)
@pytest.mark.parametrize("pipelined", [True, False], ids=["pipelined", "kept alive"])
def test_an_upgrade_costs_no_body(
    echo: int, sent: bytes, framing: bytes, mark: bytes, after: int, pipelined: bool
) -> None:
    """Upgrade, which Java's HttpClient sends with every request, is ignored; the body is kept."""
    at = sent.index(mark) + after
    rest = (sent[at:] + LAST,) if pipelined else (sent[at:], LAST)
    response = talk(echo, sent[:at], *rest, pause_s=0.03)
    expected = b"[POST /a|" + NAMES + framing + b"|" + SMUGGLED + b"]"
    assert expected in response
    assert response.endswith(b"[GET /b|host connection|]")
    assert response.count(b"HTTP/1.1 200 OK") == 2


def test_many_pipelined_upgrades_are_all_ignored(echo: int) -> None:
    """1200 pipelined requests with Upgrade do not exhaust the stack."""
    request = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    response = talk(echo, request * 1200 + LAST)
    assert response.count(b"[GET /a|host connection|]") == 1200
    assert response.endswith(b"[GET /b|host connection|]")


def test_a_large_head_with_an_upgrade_is_limited_like_any_other(port: int) -> None:
    """A head that is parsed again without Upgrade counts once."""
    head = b"GET /nope HTTP/1.1\r\n" + UPGRADE.replace(b"Upgrade,", b"Upgrade, close,")
    filler = b"X: " + b"x" * (MAX_HEAD_BYTES - len(head) - 7)
    assert problem(talk(port, head, filler + b"\r\n\r\n")) == (404, "not_found")
    assert problem(talk(port, head, filler + b"xxxxx")) == (431, "headers_too_large")


def test_nothing_is_served_after_connect(port: int) -> None:
    """Data after CONNECT is not parsed as a request."""
    response = talk(port, b"CONNECT /x HTTP/1.1\r\nHost: x\r\n\r\n", SMUGGLED, pause_s=0.03)
    status, headers, _ = parsed(response)
    assert (status, headers["connection"]) == (404, "close")
    assert response.count(b"HTTP/1.1 ") == 1


def chunked(body: bytes) -> bytes:
    """The head and one chunk of a form without its end."""
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return head + b"%x\r\n%b\r\n" % (len(body), body)


# Exactly one byte too many: closing with unread bytes may lose the response.
ENDLESS = [
    (start + unit * MAX_HEAD_BYTES)[: MAX_HEAD_BYTES + 1]
    for start, unit in [
        (b"0\r\n", b"a:b\r\n"),
        (b"0\r\na:", b"b"),
        (b"3;a", b"b"),
        (b"0", b"0"),
    ]
]
ENDLESS_IDS = ["trailers", "a trailer", "an extension", "the size of a chunk"]


@pytest.mark.parametrize("sent", ENDLESS, ids=ENDLESS_IDS)
def test_what_is_neither_head_nor_body_is_limited_too(port: int, sent: bytes) -> None:
    """Trailers and chunk headers are limited, because the server would buffer them."""
    response = talk(port, chunked(form()[:20]), sent, pause_s=0.1)
    assert problem(response) == (431, "headers_too_large")


@pytest.mark.parametrize("sent", [*ENDLESS, b"zz\r\n"], ids=[*ENDLESS_IDS, "no chunk"])
def test_a_response_that_has_started_is_not_mixed_with_another(
    port: int, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a response has started, a malformed request only closes the connection."""
    monkeypatch.setattr(lingering_close, "IDLE_S", 60.0)  # the drain alone would not end
    response = talk(port, chunked(b"no form"), sent, pause_s=0.1)
    assert problem(response) == (422, "invalid_request")


def test_trailers_are_no_headers(echo: int) -> None:
    """Trailers never appear among the headers."""
    sent = chunked(b"abc") + b"0\r\n", b"authorization: x\r\n" * 3000 + b"\r\n"
    names = b"host connection content-type transfer-encoding"
    response = talk(echo, *sent, pause_s=0.03)
    assert response.endswith(b"[POST /segmentation|" + names + b"|abc]")


@pytest.mark.parametrize(
    ("sent", "size"),
    [
        (post(bytes(30 * 2**20)), 30 * 2**20),
        (chunked(bytes(30 * 2**20)) + b"0\r\n\r\n", 30 * 2**20),
        (chunked(b"x") + b"1\r\nx\r\n" * 99_999 + b"0\r\n\r\n", 100_000),
        (chunked(b"x") + b"1;a=b\r\nx\r\n" * 99_999 + b"0\r\n\r\n", 100_000),
    ],
    ids=["one piece", "one chunk", "chunks of one byte", "chunks with an extension each"],
)
def test_a_body_is_not_taken_for_a_head(echo: int, sent: bytes, size: int) -> None:
    """A body is not limited like a head, however large it is and however it is chunked."""
    assert talk(echo, sent).endswith(b"|%d]" % size)
