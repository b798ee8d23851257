"""A gateway that runs out of file descriptors."""

import logging
import resource
import socket
from contextlib import ExitStack

import pytest

from tests.child_process import run_in_child
from tests.unit.gateway.doubles import TorchServeDouble, application, serving
from tests.unit.gateway.http.test_server import parsed, problem, talk

pytestmark = pytest.mark.slow

LIMIT = 120
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Lines(logging.Handler):
    """Keeps log lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def use_descriptors_up() -> tuple[tuple[int, str], list[int], list[str]]:
    """Refusal of a request beyond the descriptors, later statuses, and the log lines."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    kept = Lines()
    logging.getLogger("gateway.admission").addHandler(kept)
    with serving(application(TorchServeDouble())) as port:
        before = parsed(talk(port, GET))[0]
        with ExitStack() as idle:
            while parsed(answer := _ask(port, idle))[0] == 200:
                pass
            refusal = problem(answer)
        return refusal, [before, parsed(talk(port, GET))[0]], kept.lines


def _ask(port: int, idle: ExitStack) -> bytes:
    """Take two descriptors of this process, the client's and the server's, and use them."""
    connection = idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
    connection.sendall(GET.replace(b"Connection: close\r\n", b""))
    with connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
        return head + stream.read(int(parsed(head)[1]["content-length"]))


def test_a_client_beyond_the_descriptors_is_told_and_the_operator_too() -> None:
    """It gets a 503, one log line names the limit, and closed connections end it."""
    refusal, statuses, lines = run_in_child(use_descriptors_up)
    assert refusal == (503, "overloaded")
    assert statuses == [200, 200]
    assert lines == [
        f"almost all of the {LIMIT} file descriptors are in use: new connections get a 503; "
        "raise the limit (ulimit -n)"
    ]
