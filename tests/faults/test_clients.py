"""Slow, idle, misbehaving or vanished clients: others are served as before, and nothing leaks."""

import re
import select
import socket
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import psutil
import pytest

from tests.stack import ROOT, Stack, running_stack

CAT = (ROOT / "ui" / "examples" / "cat.jpg").read_bytes()
BOUNDARY = b"----hostile"
FORM_HEAD = (
    b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
)
# Others may wait twice as long as before, and not less than what a busy machine adds.
SLOWER, SLACK_S = 2.0, 0.1
CALM_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A separate product, because its connections are counted."""
    with running_stack(SEGSERVE_SERVE_UI="false") as running:
        for _ in range(10):
            assert served(running) > 0
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_kept(stack: Stack) -> Iterator[None]:
    """After each test, connections, requests and buffered bytes are as before."""
    before = least(kept(stack) for _ in range(5))
    yield
    after, end = kept(stack), time.monotonic() + CALM_WITHIN_S
    while after != before and time.monotonic() < end:
        time.sleep(0.2)  # polling another process
        after = least([after, kept(stack)])
    assert after == before


def gateway(stack: Stack) -> psutil.Process:
    """The gateway's process."""
    (found,) = [each for each in stack.descendants() if each.cmdline()[-2:] == ["-m", "gateway"]]
    return found


def kept(stack: Stack) -> dict[str, float]:
    """The resources that the gateway holds for clients."""
    text = httpx.get(f"{stack.gateway_url}/metrics").text
    names = [f"segserve_{each}" for each in ("requests_in_flight", "upload_buffer_bytes", "turns")]
    found = {name: float(value) for name, value in re.findall(r"^(\w+) ([0-9.e+]+)$", text, re.M)}
    accepted = [c for c in gateway(stack).net_connections() if c.laddr.port == _port(stack)]
    clients = sum(c.status == psutil.CONN_ESTABLISHED for c in accepted)
    return {name: found[name] for name in names} | {"connections": clients}


def least(looks: Iterable[dict[str, float]]) -> dict[str, float]:
    """The least of each: what comes and goes by itself, as the agent's reports do, is not kept."""
    found = list(looks)
    return {name: min(each[name] for each in found) for name in found[0]}


def _port(stack: Stack) -> int:
    return stack.ports["GATEWAY"]


def served(stack: Stack) -> float:
    """Seconds that a well-behaved client waits for a photograph."""
    started = time.perf_counter()
    answer = httpx.post(f"{stack.gateway_url}/v1/segment", content=CAT, timeout=30)
    assert answer.status_code == 200
    return time.perf_counter() - started


@contextmanager
def others_are_served(stack: Stack) -> Iterator[Callable[[], None]]:
    """A check that others are served about as fast as before."""
    before = statistics.median(served(stack) for _ in range(15))

    def check() -> None:
        during = statistics.median(served(stack) for _ in range(15))
        assert during <= SLOWER * before + SLACK_S

    yield check


def connect(stack: Stack, sent: bytes = b"") -> socket.socket:
    """A connection on which some bytes have been sent."""
    found = socket.create_connection(("127.0.0.1", _port(stack)), timeout=10)
    found.sendall(sent)
    return found


def head(*lines: bytes, path: bytes = b"/v1/segment") -> bytes:
    """The beginning of a request."""
    first = b"POST " + path + b" HTTP/1.1"
    return b"\r\n".join((first, b"Host: 127.0.0.1", *lines, b"", b""))


def status(connection: socket.socket, wait_s: float = 20.0) -> int:
    """The status that arrives; 0 if the connection is closed without one."""
    connection.settimeout(wait_s)
    line = connection.recv(65536).split(b"\r\n", 1)[0].split()
    return int(line[1]) if len(line) > 1 else 0


def test_uploads_that_trickle_in(stack: Stack) -> None:
    """Fifty uploads, a byte at a time."""
    form = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
    with others_are_served(stack) as check, ExitStack() as sockets:
        slow = [
            sockets.enter_context(connect(stack, head(form, b"Content-Length: 100000") + FORM_HEAD))
            for _ in range(50)
        ]
        for _ in range(3):
            for each in slow:
                each.sendall(b"x")
            check()


def test_uploads_that_stop_with_all_the_memory(stack: Stack) -> None:
    """Two uploads hold the whole budget; after five seconds they are evicted for others."""
    almost = 32 * 2**20 - 1024
    announced = head(b"Content-Length: %d" % (almost + 1000))
    with connect(stack, announced) as first, connect(stack, announced) as second:
        for each in (first, second):
            each.sendall(bytes(almost))
        time.sleep(6.0)  # that long nothing comes
        assert served(stack) > 0
        for each in (first, second):
            each.sendall(b"x")
        given_up, _, _ = select.select([first, second], [], [], 5.0)
        assert [status(each) for each in given_up] == [503]


def test_heads_that_trickle_in(stack: Stack) -> None:
    """Requests whose heads never end."""
    with others_are_served(stack) as check, ExitStack() as sockets:
        slow = [sockets.enter_context(connect(stack, b"POST /v1/seg")) for _ in range(50)]
        for _ in range(3):
            for each in slow:
                each.sendall(b"m")
            check()


def test_five_hundred_idle_connections(stack: Stack) -> None:
    """Half of them idle from the start, half after a response."""
    with others_are_served(stack) as check, ExitStack() as sockets:
        for index in range(500):
            each = sockets.enter_context(connect(stack))
            if index % 2:
                each.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                assert status(each) == 200
        check()


def test_clients_that_leave_in_the_middle_of_an_upload(stack: Stack) -> None:
    """A hundred, each after one of ten megabytes."""
    with others_are_served(stack) as check:
        for _ in range(100):
            connect(stack, head(b"Content-Length: 10000000") + bytes(1_000_000)).close()
        check()


def test_clients_that_leave_before_their_answer(stack: Stack) -> None:
    """More than may wait; nothing is computed for a client that left before its slot."""
    request = head(b"Content-Length: %d" % len(CAT)) + CAT
    with others_are_served(stack) as check:
        for _ in range(60):
            connect(stack, request).close()
        time.sleep(2.0)  # what was at the model when they left is computed all the same
        check()


def test_clients_that_close_their_half_and_wait(stack: Stack) -> None:
    """The response arrives, or the connection ends; no client hangs."""
    with connect(stack, head(b"Content-Length: %d" % len(CAT)) + CAT) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert status(connection) in {0, 200}


def test_clients_that_do_not_read_their_answer(stack: Stack) -> None:
    """A photograph's overlay stays unread in the socket."""
    request = head(b"Content-Length: %d" % len(CAT), path=b"/v1/segment?render=overlay") + CAT
    with others_are_served(stack) as check, ExitStack() as sockets:
        deaf = [sockets.enter_context(connect(stack, request)) for _ in range(20)]
        readable, _, _ = select.select(deaf, [], [], 20)
        assert readable
        time.sleep(1.0)  # all of them are answered
        check()


def test_requests_that_do_not_wait_for_the_answer_before(stack: Stack) -> None:
    """Pipelined requests get their responses in order."""
    one = head(b"Content-Length: %d" % len(CAT)) + CAT
    last = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connect(stack, one + one + last) as connection:
        connection.settimeout(30)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200"] * 3
    assert answers.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("lines", "body", "expected"),
    [
        ((b"Content-Length: 10",), b"0123456789" + b"BREW / HTTP/1.1\r\n\r\n", {422}),
        ((b"Content-Length: -1",), b"x", {400}),
        ((b"Content-Length: 1e3",), b"x", {400}),
        ((b"Content-Length: 99999999999999999999999",), b"x", {400, 413}),
        ((b"Content-Length: 1", b"Content-Length: 2"), b"x", {400}),
        ((b"Content-Length: 1", b"Transfer-Encoding: chunked"), b"1\r\nx\r\n0\r\n\r\n", {400, 422}),
        ((b"Transfer-Encoding: chunked",), b"zz\r\nx\r\n", {400}),
        ((b"Transfer-Encoding: chunked",), b"ffffffffffffffffffff\r\nx", {400}),
        ((b"Transfer-Encoding: chunked",), b"-1\r\nx\r\n0\r\n\r\n", {400}),
        ((b"Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n", {422}),
        ((b"Transfer-Encoding: gzip",), b"x", {501}),
        ((b"Content-Length: 2000000000",), b"x", {413}),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, tuple) else "",
)
def test_bodies_that_are_not_as_announced(
    stack: Stack, lines: tuple[bytes, ...], body: bytes, expected: set[int]
) -> None:
    """The response names the fault, and is never a 500."""
    with connect(stack, head(*lines, b"Connection: close") + body) as connection:
        assert status(connection) in expected
    assert served(stack) > 0


def test_a_client_that_asks_before_it_sends(stack: Stack) -> None:
    """Expect: 100-continue, which curl sends for large files."""
    length = b"Content-Length: %d" % len(CAT)
    with connect(stack, head(length, b"Expect: 100-continue")) as connection:
        assert status(connection) == 100
        connection.sendall(CAT)
        assert status(connection) == 200


def test_memory_is_what_it_was(stack: Stack) -> None:
    """Memory stays the same after more than a thousand such clients."""
    before = gateway(stack).memory_info().rss
    for _ in range(1000):
        connect(stack, head(b"Content-Length: 10000000") + bytes(100_000)).close()
    served(stack)
    assert gateway(stack).memory_info().rss < before + 20 * 2**20
