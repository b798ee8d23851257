"""A gateway double: the routes that the page uses, with responses that tests can change."""

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
    """Compute a class's colour in the seed palette."""
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
class CannedResponse:
    """A response that replaces the double's own."""

    status: int
    content_type: str
    body: bytes


def problem(status: int, title: str, detail: str) -> CannedResponse:
    """Build a problem document of the gateway's."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": title.lower().replace(" ", "_"),
        "request_id": "req-1",
    }
    return CannedResponse(status, "application/problem+json", json.dumps(body).encode())


@dataclass
class GatewayDouble:
    """The double's state, which tests change, and the requests that it received.

    requests: paths with their query, in order of arrival. visitors: of the segmentations.
    """

    url: str = ""
    ready: bool = True
    versions: tuple[str, ...] = ("1.0",)
    default: str = "1.0"
    without_workers: tuple[str, ...] = ()
    lists_models: bool = True
    segmentation: CannedResponse | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0
    requests: list[str] = field(default_factory=list)
    visitors: list[str | None] = field(default_factory=list)

    def respond(self, path: str, body: bytes) -> tuple[CannedResponse, dict[str, str]]:
        """Record a request and build its response: status, type and body, and further headers."""
        self.requests.append(path)
        route = path.partition("?")[0]
        if route == "/segmentation":
            return self._segment(path, body)
        if route == "/readyz" and not self.ready:
            return problem(503, "Model not ready", "No worker is up yet. Wait a moment."), {}
        if route == "/v1/models" and not self.lists_models:
            return problem(503, "Model unavailable", "The inference server is silent."), {}
        bodies = {
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
        return CannedResponse(200, "application/json", json.dumps(bodies[route]).encode()), {}

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

    def _segment(self, path: str, body: bytes) -> tuple[CannedResponse, dict[str, str]]:
        headers = {
            "X-Class-Pixels": "0=1",
            "X-Model": "deeplabv3",
            "X-Model-Version": path.partition("version=")[2] or self.default,
            "X-Request-ID": "req-1",
        }
        time.sleep(self.delay_s)  # for tests of the page's timeout
        if self.segmentation:
            return self.segmentation, {**headers, **self.headers}
        start = body.index(b"\r\n\r\n") + 4
        with Image.open(io.BytesIO(body[start:])) as image:
            width, height = ImageOps.exif_transpose(image).size
        box = (width // 4, height // 4, width * 3 // 4, height)
        inside = (box[2] - box[0]) * (box[3] - box[1])
        headers["X-Class-Pixels"] = f"0={width * height - inside},15={inside}"
        return CannedResponse(200, "image/png", mask_png((width, height), {15: box})), headers


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
            if self.path.startswith("/segmentation"):
                double.visitors.append(self.headers.get("X-Segserve-Session"))
            response, headers = double.respond(self.path, body)
            with suppress(BrokenPipeError):
                self._send(response, headers)

        def _send(self, response: CannedResponse, headers: dict[str, str]) -> None:
            self.send_response(response.status)
            for name, value in {"Content-Type": response.content_type, **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

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
