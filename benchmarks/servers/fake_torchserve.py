"""A fake TorchServe that answers at once, to measure the gateway alone.

``python -m benchmarks.servers.fake_torchserve PORT ANSWERS`` serves both APIs on one port. ANSWERS
is a JSON file of what the real server answered: path -> status, headers, body as base64.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import httptools


class FakeTorchServe(asyncio.Protocol):
    """One connection: every request gets the response recorded for its target."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers
        self._url = b""

    def connection_made(self, transport: Any) -> None:
        """A new connection."""
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """The request's target."""
        self._url = url

    def on_message_complete(self) -> None:
        """The request is whole: answer it."""
        self._transport.write(self._answers.get(self._url.decode(), NOT_FOUND))


NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def read_answers(path: Path) -> dict[str, bytes]:
    """Request target -> the complete response as bytes on the wire."""
    recorded: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return {target: _wire(answer) for target, answer in recorded.items()}


def _wire(answer: dict[str, Any]) -> bytes:
    body = base64.b64decode(answer["body"])
    headers = {**answer["headers"], "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {answer['status']} recorded", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _serve(port: int, answers: dict[str, bytes]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FakeTorchServe(answers), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    import uvloop

    port, answers = int(sys.argv[1]), read_answers(Path(sys.argv[2]))
    uvloop.run(_serve(port, answers))


if __name__ == "__main__":
    main()
