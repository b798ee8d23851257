"""Every request that was sent is counted, answered or not."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load import Load, closed_loop
from tests.stack import free_ports


class _Server(http.server.ThreadingHTTPServer):
    """Answers what it is told to answer."""

    daemon_threads = True

    def __init__(self, status: int | None):
        super().__init__(("127.0.0.1", 0), _Answer)
        self.status = status
        self.bodies: set[bytes] = set()
        self.requests = 0


class _Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        server.requests += 1
        server.bodies.add(self.rfile.read(int(self.headers["Content-Length"])))
        if server.status is None:
            self.close_connection = True
            return
        self.send_response(server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def _serving(status: int | None) -> Iterator[tuple[_Server, str]]:
    with _Server(status) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, f"http://127.0.0.1:{server.server_port}/segmentation"
        server.shutdown()


def _load(url: str, connections: int = 2) -> Load:
    return closed_loop(url, b"a picture", "image/jpeg", connections=connections, seconds=0.3)


def test_answers_are_counted_and_timed() -> None:
    """As many as the server saw, with the body that was given."""
    with _serving(200) as (server, url):
        load = _load(url)
        assert len(load.latencies) == server.requests > 2
        assert server.bodies == {b"a picture"}
    assert load.failures == 0
    assert 0.3 <= load.seconds < 2


@pytest.mark.parametrize("status", [413, 503, None], ids=["413", "503", "connection closed"])
def test_failures_are_counted_and_not_timed(status: int | None) -> None:
    """A fast refusal must not make the product look fast."""
    with _serving(status) as (server, url):
        load = _load(url)
        assert load.failures == server.requests > 0
    assert load.latencies == ()


def test_a_server_that_is_not_there_is_a_failure() -> None:
    """Not an exception in a thread that nobody sees."""
    (closed,) = free_ports(1)
    load = _load(f"http://127.0.0.1:{closed}/segmentation", connections=1)
    assert load.failures > 0


def test_the_figures_are_of_the_latencies() -> None:
    """Median, 99th percentile and requests a second."""
    load = Load(seconds=2.0, latencies=tuple(float(each) for each in range(1, 102)), failures=0)
    assert (load.p50, load.p99, load.throughput) == (51.0, 100.0, 50.5)
