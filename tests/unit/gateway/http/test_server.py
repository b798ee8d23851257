"""A real server on a real socket, and clients that do not behave."""

import asyncio
import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.server import MAX_HEAD_BYTES, ProblemProtocol
from tests.unit.gateway.doubles import (
    FORM_TYPE,
    TorchServeDouble,
    application,
    form,
    mask_answer,
    part,
    serving,
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a gateway whose uploads may take half a second."""
    app = application(TorchServeDouble(), upload_deadline_s=0.5, max_image_bytes=2**20)
    with serving(app) as found:
        yield found


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of an application that says what reached it."""

    async def say(request: Request) -> Response:
        body = await request.body()
        names = " ".join(request.headers)  # read late: what comes after the body would be there
        shown = body if len(body) < 100 else str(len(body)).encode()
        return Response(f"[{request.method} {request.url.path}|{names}|".encode() + shown + b"]")

    with serving(Starlette(routes=[Route("/{path:path}", say, methods=["GET", "POST"])])) as found:
        yield found


def talk(port: int, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """Sends pieces, and gives all that comes back until the server closes or falls silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for piece in sent:
            connection.sendall(piece)
            time.sleep(pause_s)  # otherwise pieces may arrive as one
        connection.settimeout(1.5)
        return _all(connection)


def _all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionError):
        pass
    return received


def post(body: bytes, length: int | None = None, path: str = "/segmentation") -> bytes:
    """A whole request with a form."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {FORM_TYPE}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


def parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that must be a problem document with an id."""
    status, headers, body = parsed(answer)
    document = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == document["request_id"].lower()
    assert headers["x-content-type-options"] == "nosniff"
    assert document["status"] == status
    return status, document["code"]


def test_a_form_on_a_real_socket_is_answered(port: int) -> None:
    """The ordinary case, as curl sends it."""
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
    """Below the application as in it: 400 with an id, never a 500."""
    assert problem(talk(port, sent)) == (400, "malformed_http")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (404, "not_found")),
        (b"BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", (400, "malformed_http")),
        (b"TRACE /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", (405, "method_not_allowed")),
        (b"OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n", (404, "not_found")),
        (
            b"GET /nope HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\n\r\n",
            (404, "not_found"),
        ),
        (
            b"GET /nope HTTP/1.1\r\nConnection: close\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
            (404, "not_found"),
        ),
        (b"GET /nope?" + b"x" * 10_000 + b" HTTP/1.0\r\n\r\n", (404, "not_found")),
        (post(b"", length=0), (422, "invalid_request")),
        (post(b"x" * 100), (422, "invalid_request")),
    ],
)
def test_an_odd_request_has_its_4xx(port: int, sent: bytes, expected: tuple[int, str]) -> None:
    """Odd is not broken: each is answered for what it is."""
    assert problem(talk(port, sent)) == expected


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX: "])
def test_headers_without_end_are_cut_off(port: int, start: bytes) -> None:
    """The parser would keep them all in memory."""
    assert problem(talk(port, start, *[b"x" * 8192] * 8, b"x")) == (431, "headers_too_large")


def test_a_later_head_without_end_is_cut_off_as_the_first(port: int) -> None:
    """Its first piece counts too."""
    first, start = b"GET /healthz HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: "
    sent = first, start + b"x" * (MAX_HEAD_BYTES - len(start)), b"x"
    answers = talk(port, *sent, pause_s=0.05)
    assert problem(answers[answers.rindex(b"HTTP/1.1 ") :]) == (431, "headers_too_large")


def test_a_body_that_breaks_its_chunks_is_refused(port: int) -> None:
    """The form never becomes whole, and no traceback is written."""
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    assert problem(talk(port, head, b"5\r\nhello\r\nzz\r\n")) == (400, "malformed_http")


def test_a_slow_upload_ends_at_its_deadline(port: int) -> None:
    """A client that stops in the middle does not keep its place."""
    started = time.monotonic()
    body = form(part(b"a photo"))
    assert problem(talk(port, post(body[:50], len(body)))) == (504, "deadline_exceeded")
    assert time.monotonic() - started < 4


def test_a_large_upload_is_answered_before_it_was_sent(port: int) -> None:
    """413 comes while the client still has most of its bytes."""
    head = post(b"", length=10 * 2**20)
    assert problem(talk(port, head)) == (413, "image_too_large")


def test_a_client_that_never_reads_on_still_gets_the_refusal(port: int) -> None:
    """A simple client sends all it has before it looks; the rest is taken and thrown away."""
    body = form(part(bytes(10 * 2**20)))
    assert problem(talk(port, post(body))) == (413, "image_too_large")


def test_curl_is_told_before_it_sends(port: int) -> None:
    """Expect: 100-continue is answered with the refusal, not with an invitation."""
    head = post(b"", length=10 * 2**20).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    assert problem(talk(port, head)) == (413, "image_too_large")


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_a_client_that_leaves_writes_no_traceback(
    port: int, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Leaving in the middle of an upload is the client's right."""
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
    """Keep-alive survives errors of the application."""
    bad = post(form()).replace(b"Connection: close\r\n", b"")
    good = post(form(part(b"a photo")))
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(bad)
        assert b" 422 " in connection.recv(65536)
        connection.sendall(good)
        assert b" 200 " in _all(connection)


def test_an_early_refusal_ends_the_connection(port: int) -> None:
    """Whoever sends on after the answer is told that nobody will read it."""
    head = post(b"", length=10 * 2**20).replace(b"Connection: close\r\n", b"")
    _, headers, _ = parsed(talk(port, head))
    assert headers["connection"] == "close"


def test_a_client_that_left_the_queue_costs_no_prediction() -> None:
    """Nobody waits for that answer, but others wait for the turn."""
    torchserve, gone = TorchServeDouble(), threading.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        while not gone.is_set():
            await asyncio.sleep(0.01)
        return mask_answer()

    torchserve.predict = slow
    body = post(form(part(b"a photo")))
    with (
        serving(application(torchserve, max_concurrency=1)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as patient,
    ):
        patient.sendall(body)
        time.sleep(0.3)  # it has its turn
        with socket.create_connection(("127.0.0.1", port), timeout=5) as impatient:
            impatient.sendall(body)
            time.sleep(0.3)  # it waits for one
        time.sleep(0.7)  # that it left is known
        gone.set()
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
    """Otherwise as many silent clients as the gateway may have files lock everybody else out."""
    monkeypatch.setattr(ProblemProtocol, "max_head_s", 0.3)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for piece in sent:
            connection.sendall(piece)
            time.sleep(0.1)  # an answer lies between
        started = time.monotonic()
        while connection.recv(65536):
            pass
        assert time.monotonic() - started < 2


def test_a_long_upload_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the head's; a body has one of its own."""
    monkeypatch.setattr(ProblemProtocol, "max_head_s", 0.3)
    request = post(form(part(b"photo")))
    with (
        serving(application(TorchServeDouble())) as port,
        socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
    ):
        connection.sendall(request[:-20])
        time.sleep(0.9)  # longer than a head may take
        connection.sendall(request[-20:])
        assert parsed(_all(connection))[0] == 200


WISH = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
SMUGGLED = b"GET /x HTTP/1.1\r\n\r\n"
SIZED = b"POST /a HTTP/1.1\r\n" + WISH + b"Content-Length: 19\r\n\r\n" + SMUGGLED
CHUNKED = (
    b"POST /a HTTP/1.1\r\n" + WISH + b"Transfer-Encoding: chunked\r\n\r\n"
    b"4\r\n" + SMUGGLED[:4] + b"\r\nf\r\n" + SMUGGLED[4:] + b"\r\n0\r\n\r\n"
)
LAST = b"GET /b HTTP/1.1\r\nConnection: close\r\n\r\n"
NAMES = b"connection http2-settings "


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
def test_a_wish_for_another_protocol_costs_no_body(
    echo: int, sent: bytes, framing: bytes, mark: bytes, after: int, pipelined: bool
) -> None:
    """Java's HttpClient sends one with every request; the body is no request of its own."""
    at = sent.index(mark) + after
    rest = (sent[at:] + LAST,) if pipelined else (sent[at:], LAST)
    answer = talk(echo, sent[:at], *rest, pause_s=0.03)
    expected = b"[POST /a|" + NAMES + framing + b"|" + SMUGGLED + b"]"
    assert expected in answer
    assert answer.endswith(b"[GET /b|connection|]")
    assert answer.count(b"HTTP/1.1 200 OK") == 2


def test_many_wishes_in_one_piece_are_all_ignored(echo: int) -> None:
    """More than Python would call into each other."""
    wish = b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = talk(echo, wish * 1200 + LAST)
    assert answer.count(b"[GET /a|connection|]") == 1200
    assert answer.endswith(b"[GET /b|connection|]")


def test_a_wish_in_a_large_head_is_limited_as_any_head(port: int) -> None:
    """The repeated head counts once."""
    head = b"GET /nope HTTP/1.1\r\n" + WISH.replace(b"Upgrade,", b"Upgrade, close,")
    filler = b"X: " + b"x" * (MAX_HEAD_BYTES - len(head) - 7)
    assert problem(talk(port, head, filler + b"\r\n\r\n")) == (404, "not_found")
    assert problem(talk(port, head, filler + b"xxxxx")) == (431, "headers_too_large")


def test_nothing_is_served_after_connect(port: int) -> None:
    """What follows it is no request."""
    answer = talk(port, b"CONNECT /x HTTP/1.1\r\n\r\n", SMUGGLED, pause_s=0.03)
    status, headers, _ = parsed(answer)
    assert (status, headers["connection"]) == (404, "close")
    assert answer.count(b"HTTP/1.1 ") == 1


def chunked(body: bytes) -> bytes:
    """The head and the only chunk of a form, whose end is still to come."""
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    return head + b"%x\r\n%b\r\n" % (len(body), body)


# Exactly one byte too many: a server that closes before it has read all may lose its answer.
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
    """Trailers would be kept in memory for as long as they come."""
    answer = talk(port, chunked(form()[:20]), sent, pause_s=0.1)
    assert problem(answer) == (431, "headers_too_large")


@pytest.mark.parametrize("sent", [*ENDLESS, b"zz\r\n"], ids=[*ENDLESS_IDS, "no chunk"])
def test_an_answer_that_has_begun_is_not_mixed_with_another(port: int, sent: bytes) -> None:
    """The connection just ends."""
    started = time.monotonic()
    answer = talk(port, chunked(b"no form"), sent, pause_s=0.1)
    assert problem(answer) == (422, "invalid_request")
    assert time.monotonic() - started < 1


def test_trailers_are_no_headers(echo: int) -> None:
    """Whoever looks at the headers late must not see others than whoever looked early."""
    sent = chunked(b"abc") + b"0\r\n", b"authorization: x\r\n" * 3000 + b"\r\n"
    names = b"host connection content-type transfer-encoding"
    answer = talk(echo, *sent, pause_s=0.03)
    assert answer.endswith(b"[POST /segmentation|" + names + b"|abc]")


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
    """However it is cut, and however much there is of it."""
    assert talk(echo, sent).endswith(b"|%d]" % size)
