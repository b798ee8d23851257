"""A real S3 server (moto's) in a process of its own, behind a wire that breaks when it should."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3

BUCKET = "models"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


class S3Server:
    """The server, and what tests do to it."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it, empty, and make the bucket."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
                env={**os.environ, **SETTINGS},
            )
        deadline = time.monotonic() + 30
        while not self._responds():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, "the S3 server does not start"
            time.sleep(0.1)
        self.client.create_bucket(Bucket=BUCKET)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """A client that is not the product's."""
        return boto3.client("s3", endpoint_url=self.url)

    def keys(self) -> list[str]:
        """The keys of all objects."""
        listed = self.client.list_objects_v2(Bucket=BUCKET)
        return [each["Key"] for each in listed.get("Contents", [])]

    def kill(self) -> None:
        """End it as a power cut does; what it held is gone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def _responds(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class Wire:
    """A TCP proxy to a server; it calls ``at_limit`` once after so many bytes in a direction."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._limits: dict[str, int] = {}
        self._at_limit: Callable[[], object] = int
        threading.Thread(target=self._accept, daemon=True).start()

    def break_after(self, direction: str, size: int, at_limit: Callable[[], object]) -> None:
        """Break after so many bytes "up" to the server or "down" from it."""
        self._limits, self._at_limit = {direction: size}, at_limit

    def close(self) -> None:
        """Accept nothing more."""
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                if self._listening.fileno() < 0:
                    return
                client.close()
                continue
            for direction, source, sink in (("up", client, server), ("down", server, client)):
                arguments = (direction, source, sink)
                threading.Thread(target=self._carry, args=arguments, daemon=True).start()

    def _carry(self, direction: str, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if direction in self._limits:
                    self._limits[direction] -= len(data)
                    if self._limits[direction] <= 0:
                        self._limits.clear()
                        self._at_limit()
                        break
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running(log: Path) -> Iterator[S3Server]:
    """A server for the block."""
    server = S3Server(log)
    try:
        yield server
    finally:
        server.kill()
