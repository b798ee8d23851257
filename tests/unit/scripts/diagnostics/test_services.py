"""Checks of the ports: free, in use by the product, or wrong."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.setup.ports import free_ports
from scripts.diagnostics.finding import Finding, Level
from scripts.diagnostics.services import check_services
from scripts.launch.settings import Settings

NAMES = ("gateway", "inference", "management", "metrics", "grpc_inference", "grpc_management", "ui")


def _settings(**ports: int) -> Settings:
    free = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
    given = {f"{name}_port": port for name, port in {**free, **ports}.items()}
    return Settings(**given)  # type: ignore[arg-type]  # ports are numbers


def _wrong(settings: Settings) -> list[str]:
    return [str(each) for each in check_services(settings) if each.level is Level.WRONG]


def _last(settings: Settings) -> Finding:
    return list(check_services(settings))[-1]


def test_free_ports_are_well() -> None:
    """That the product does not run is a note with the command that starts it."""
    assert _wrong(_settings()) == []
    assert _last(_settings()).level is Level.NOTE
    assert "`segserve serve` starts it" in _last(_settings()).text


def test_a_port_that_another_program_has_is_wrong() -> None:
    """The finding names the flag that chooses another port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        (line,) = _wrong(_settings(management=port))
    assert f"port {port}" in line
    assert "Address already in use" in line
    assert "choose another with --management-port" in line


@pytest.fixture(params=[200, 503])
def gateway(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """(port, status of /readyz) of a server that answers like the gateway."""
    ready = json.dumps({"model": "deeplabv3", "version": "1.0", "detail": "No worker."})

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            is_alive = self.path == "/healthz"
            self.send_response(200 if is_alive else request.param)
            self.end_headers()
            self.wfile.write(b'{"status": "ok"}' if is_alive else ready.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, request.param
        server.shutdown()


@pytest.mark.usefixtures("absent_proxy")
def test_the_running_product_may_have_its_ports(gateway: tuple[int, int]) -> None:
    """Whether its model answers is a separate finding."""
    port, status = gateway
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        settings = _settings(gateway=port, ui=holder.getsockname()[1])
        lines = _wrong(settings)
        last = _last(settings)
    if status == 200:
        assert lines == []
        assert last.text == f"http://127.0.0.1:{port} serves deeplabv3 1.0"
    else:
        assert len(lines) == 1
        assert "answered 503: No worker. See `segserve versions list`" in lines[0]


def test_another_web_server_is_not_taken_for_the_gateway() -> None:
    """A port of another program is wrong."""

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (line,) = _wrong(_settings(gateway=server.server_port))
        server.shutdown()
    assert "--gateway-port" in line
