"""The load generator: every request sent is counted, answered or not."""

import http.server
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load.loops import (
    LEAST_PAIRS,
    Load,
    LoadError,
    Request,
    alternately,
    closed_loop,
    handler_ms,
    open_loop,
    p99_of,
    send_once,
)
from tests.stack import free_ports

pytestmark = pytest.mark.slow


class _Server(http.server.ThreadingHTTPServer):
    """A server with configurable responses."""

    daemon_threads = True

    def __init__(self, status: int | None):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = status
        self.bodies: set[bytes] = set()
        self.arrivals: list[float] = []


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.arrivals.append(time.monotonic())
        server.bodies.add(self.rfile.read(int(self.headers["Content-Length"])))
        if server.status is None:
            self.close_connection = True
            return
        time.sleep(0.02)
        self.send_response(server.status)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"mask")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def _serving(status: int | None) -> Iterator[tuple[_Server, Request]]:
    with _Server(status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/segmentation"
        yield server, Request(url, b"a picture", "image/jpeg")
        server.shutdown()


def test_answers_are_counted_and_timed() -> None:
    """As many as the server saw, with the given body."""
    with _serving(200) as (server, request):
        load = closed_loop(request, connections=2, seconds=2)
    assert len(load.latencies) == len(server.arrivals) > 20
    assert load.failures == 0
    assert server.bodies == {b"a picture"}
    assert 20 <= load.p50 <= load.p99 < 500
    assert load.throughput < 2 / 0.02


def test_an_open_loop_sends_at_its_rate_whatever_the_answers() -> None:
    """At 20 ms a response, one connection could do 50 per second; the rate is 30."""
    with _serving(200) as (server, request):
        load = open_loop(request, rate=30, seconds=6)
    assert load.failures == 0
    counts = Counter(int(arrival - server.arrivals[0]) for arrival in server.arrivals)
    full = [counts[second] for second in range(5)]  # longer than a user's period of 4 seconds
    assert min(full) > 20
    assert max(full) < 40


@pytest.mark.parametrize("status", [503, None], ids=["refused", "cut"])
def test_what_is_no_200_is_a_failure(status: int | None) -> None:
    """Refusals and broken connections do not count as throughput."""
    with _serving(status) as (server, request):
        load = closed_loop(request, connections=1, seconds=1)
    assert load.latencies == ()
    assert load.failures >= 1
    assert len(load.refused) == (load.failures if status else 0)
    assert server.arrivals


def test_a_closed_port_is_a_failure() -> None:
    """The load ends all the same."""
    (port,) = free_ports(1)
    request = Request(f"http://127.0.0.1:{port}/", b"", "image/jpeg")
    load = closed_loop(request, connections=1, seconds=1)
    assert load.latencies == ()
    assert load.failures >= 1


def test_one_answer_or_an_error() -> None:
    """A server's response is checked before the measurement."""
    with _serving(200) as (_, request):
        assert send_once(request) == b"mask"
    with _serving(503) as (_, request), pytest.raises(LoadError, match="answers 503"):
        send_once(request)


def test_percentiles_are_of_the_answers() -> None:
    """The 99th of a hundred is the last but one."""
    load = Load(2.0, tuple(float(ms) for ms in range(1, 101)), failures=3)
    assert (load.throughput, load.p50, load.p99) == (50.0, 50.5, 99.0)


def test_two_are_asked_in_turn() -> None:
    """One at a time, and equally often."""
    with _serving(200) as (server, request), _serving(200) as (other_server, other):
        pairs = alternately(request, other, seconds=0.1)
        assert len(pairs) == len(server.arrivals) == len(other_server.arrivals) >= LEAST_PAIRS
        assert all(ms >= 20 for pair in pairs for ms in pair)
        for ours, theirs, ours_again in zip(
            server.arrivals, other_server.arrivals, server.arrivals[1:], strict=False
        ):
            assert ours < theirs < ours_again


def test_a_refusal_is_no_latency() -> None:
    """A refusal ends the comparison."""
    with _serving(200) as (_, request), _serving(503) as (_, other), pytest.raises(LoadError):
        alternately(request, other, seconds=0.1)


def test_the_99th_percentile_is_not_passed_by_99_of_100() -> None:
    """Of fewer than a hundred values it is the largest."""
    assert p99_of([float(ms) for ms in range(100, 0, -1)]) == 99.0
    assert p99_of([1.0] * 49 + [9.0]) == 9.0


def test_a_single_request_without_answer_is_an_error_of_the_load() -> None:
    """LoadError instead of the HTTP library's own exception."""
    with _serving(None) as (_, request), pytest.raises(LoadError, match="gives no answer"):
        send_once(request)


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        ("decode;dur=12.5, infer;dur=703.25, encode;dur=0.25", 716.0),
        ("decode;dur=12.5, infer;dur=703.25, encode;dur=0.25, total;dur=721.3", 716.0),
        ("total;dur=5", 0.0),
        ("", 0.0),
        ("miss, cache;desc=hit", 0.0),
    ],
)
def test_the_handlers_own_time_is_that_of_its_stages(timing: str, expected: float) -> None:
    assert handler_ms(timing) == expected
