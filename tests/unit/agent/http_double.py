"""A real HTTP server on loopback whose answers a test decides."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer.

    length: what Content-Length says, if it is not the body's. held: until it is set, the connection
    stays open after the body.
    """

    status: int = 200
    body: bytes = b""
    length: int | None = None
    held: threading.Event | None = None


def in_json(content: object, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(content).encode())


Decide = Callable[[Asked], Answer]


@dataclass
class Served:
    """A running server. asked: the requests that it got."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def answering(decide: Decide) -> Iterator[Served]:
    """Run a server while the block runs."""
    served = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            query, headers = dict(parse_qsl(parts.query)), dict(self.headers.items())
            asked = Asked(self.command, parts.path, query, headers, body)
            served.asked.append(asked)
            answer = decide(asked)
            self.send_response(answer.status)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)
            if answer.held is not None:
                self.wfile.flush()
                answer.held.wait(60)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def closed_url() -> str:
    """An address at which nothing listens."""
    with answering(lambda _: Answer()) as served:
        return served.url
