"""A gateway double for `segserve predict`: a small real HTTP server."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class GatewayDouble:
    """The requests it got, and the responses it gives.

    refused: content of images that get 422. busy: how many requests get 503 first.
    delay_s: how long each answer takes. at_once: the most requests that it saw together.
    """

    url: str = ""
    refused: bytes = b"no image"
    busy: int = 0
    retry_after: str = "0.05"
    delay_s: float = 0.0
    asked: list[bytes] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    now: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: bytes, accepts: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, content) for one image."""
        with self.lock:
            self.busy -= 1
            is_busy = self.busy >= 0
        if is_busy:
            problem = json.dumps({"detail": "Too many requests."}).encode()
            return 503, {"Retry-After": self.retry_after}, problem
        time.sleep(self.delay_s)  # a model that computes
        if body == self.refused:
            return 422, {}, json.dumps({"detail": "The file is no image."}).encode()
        if accepts == "application/json":
            return 200, {}, json.dumps({"size": len(body)}).encode()
        return 200, {}, b"mask of " + body


@contextmanager
def gateway_double() -> Iterator[GatewayDouble]:
    """A double that runs for the duration of the block."""
    double = GatewayDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name is http.server's
            self._send(200, {}, b'{"status": "ok"}')

        def do_POST(self) -> None:
            with double.lock:
                double.now += 1
                double.at_once = max(double.at_once, double.now)
            target = urlsplit(self.path)
            assert target.path == "/v1/segment"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with double.lock:
                double.asked.append(body)
                double.queries.append(parse_qs(target.query))
                double.headers.append(dict(self.headers))
            answer = double.answer(body, self.headers["Accept"])
            with double.lock:
                double.now -= 1
            self._send(*answer)

        def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        double.url = f"http://127.0.0.1:{server.server_port}"
        yield double
        server.shutdown()
