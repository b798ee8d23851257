"""A small gateway in this process that speaks the public contract; what it answers can be set."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from PIL import Image, ImageOps

LABELS = {0: "background", 8: "cat", 15: "person"}


def seed_colour(class_id: int) -> tuple[int, int, int]:
    """Give a class's colour in the contract's palette."""
    red, green, blue = (class_id * factor % 255 for factor in (2**25 - 1, 2**15 - 1, 2**21 - 1))
    return red, green, blue


def mask_png(size: tuple[int, int], boxes: dict[int, tuple[int, int, int, int]]) -> bytes:
    """Make an indexed PNG of background with a rectangle for each class id of boxes."""
    mask = Image.new("P", size, 0)
    mask.putpalette([level for class_id in range(256) for level in seed_colour(class_id)])
    for class_id, box in boxes.items():
        mask.paste(class_id, box)
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Answer:
    """A canned answer."""

    status: int
    content_type: str
    body: bytes


def problem(status: int, title: str, detail: str) -> Answer:
    """Make an error as the gateway words it."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": title.lower().replace(" ", "_"),
        "request_id": "req-1",
    }
    return Answer(status, "application/problem+json", json.dumps(body).encode())


@dataclass
class GatewayDouble:
    """What the double serves and what it was asked; the tests change the former at will."""

    url: str = ""
    ready: bool = True
    versions: tuple[str, ...] = ("1.0",)
    default: str = "1.0"
    without_workers: tuple[str, ...] = ()
    lists: bool = True
    segmentation: Answer | None = None
    facts: dict[str, str] = field(default_factory=dict)
    silent_s: float = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> tuple[Answer, dict[str, str]]:
        """Answer a request to path (with its query) and note it."""
        self.asked.append(path)
        route = path.partition("?")[0]
        if route == "/segmentation":
            return self._segment(path, body)
        if route == "/readyz" and not self.ready:
            return problem(503, "Model not ready", "No worker is up yet. Wait a moment."), {}
        if route == "/v1/models" and not self.lists:
            return problem(503, "Model unavailable", "The inference server is silent."), {}
        answers = {
            "/readyz": {
                "status": "ready",
                "model": "deeplabv3",
                "version": self.default,
                "workers": 1,
            },
            "/v1/models": {"models": [self._model()]},
            "/v1/models/deeplabv3/labels": {
                "model": "deeplabv3",
                "version": "1.0",
                "labels": [_label(id_) for id_ in LABELS],
            },
        }
        return Answer(200, "application/json", json.dumps(answers[route]).encode()), {}

    def _model(self) -> dict[str, object]:
        versions = [
            {
                "version": version,
                "default": version == self.default,
                "ready": version not in self.without_workers,
                "workers": int(version not in self.without_workers),
                "loaded_at": None,
            }
            for version in self.versions
        ]
        return {"name": "deeplabv3", "default_version": self.default, "versions": versions}

    def _segment(self, path: str, body: bytes) -> tuple[Answer, dict[str, str]]:
        facts = {
            "X-Class-Pixels": "0=1",
            "X-Model": "deeplabv3",
            "X-Model-Version": path.partition("version=")[2] or self.default,
            "X-Request-ID": "req-1",
        }
        time.sleep(self.silent_s)  # what a test of patience asks for
        if self.segmentation:
            return self.segmentation, {**facts, **self.facts}
        start = body.index(b"\r\n\r\n") + 4
        with Image.open(io.BytesIO(body[start:])) as picture:
            width, height = ImageOps.exif_transpose(picture).size
        box = (width // 4, height // 4, width * 3 // 4, height)
        inside = (box[2] - box[0]) * (box[3] - box[1])
        facts["X-Class-Pixels"] = f"0={width * height - inside},15={inside}"
        return Answer(200, "image/png", mask_png((width, height), {15: box})), facts


def _label(class_id: int) -> dict[str, object]:
    colour = "#{:02x}{:02x}{:02x}".format(*seed_colour(class_id))
    colours = {"seed": colour, "voc": colour, "safe": colour}
    return {"id": class_id, "name": LABELS[class_id], "colours": colours}


@contextmanager
def running_double() -> Iterator[GatewayDouble]:
    """Serve a double on a free port of the loopback address."""
    double = GatewayDouble()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer, facts = double.answer(self.path, body)
            with suppress(BrokenPipeError):
                self._send(answer, facts)

        def _send(self, answer: Answer, facts: dict[str, str]) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **facts}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
