"""JSON over HTTP/1.1 with the standard library: the agent stays small beside the workers."""

import http.client
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

LARGEST = 16 * 2**20  # bytes of an answer


class CallError(RuntimeError):
    """There was no answer, or none that is HTTP; the text is one line."""


class SilentError(CallError):
    """No answer in time."""


@dataclass(frozen=True)
class Answer:
    """An answer that was read to its end, whatever its status."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON. Raises CallError."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise CallError(f"an answer that is not JSON: {self.body[:80]!r}") from exc


def connect(url: str, timeout_s: float) -> http.client.HTTPConnection:
    """A connection to the server of a URL, not opened yet."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)


def call(
    method: str,
    url: str,
    *,
    query: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    body: object = None,
    timeout_s: float = 5.0,
) -> Answer:
    """Send one request and read the answer. body: sent as JSON. Raises CallError."""
    parts = urlsplit(url)
    path = parts.path + (f"?{urlencode(query)}" if query else "")
    sent = dict(headers or {})
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        sent["Content-Type"] = "application/json"
    connection = connect(url, timeout_s)
    try:
        connection.request(method, path, data, sent)
        response = connection.getresponse()
        return Answer(response.status, response.read(LARGEST))
    except TimeoutError as exc:
        raise SilentError(f"{parts.netloc} did not answer within {timeout_s:g} s") from exc
    except (OSError, http.client.HTTPException) as exc:
        raise CallError(f"{parts.netloc} does not answer ({exc or type(exc).__name__})") from exc
    finally:
        connection.close()


def send_file(
    url: str, query: Mapping[str, object], headers: Mapping[str, str], file: Path, timeout_s: float
) -> Answer:
    """Put a file, block by block, and read the answer. Raises CallError or OSError of the file."""
    parts = urlsplit(url)
    connection = connect(url, timeout_s)
    with file.open("rb") as content:
        size = os.fstat(content.fileno()).st_size
        sent = {**headers, "Content-Type": "application/octet-stream", "Content-Length": str(size)}
        try:
            connection.request("PUT", f"{parts.path}?{urlencode(query)}", content, sent)
            response = connection.getresponse()
            return Answer(response.status, response.read(LARGEST))
        except (OSError, http.client.HTTPException) as exc:
            raise CallError(f"{parts.netloc} took no file ({exc or type(exc).__name__})") from exc
        finally:
            connection.close()
