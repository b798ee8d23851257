"""A trace collector: accepts OTLP over HTTP as real ones do, and keeps what it receives."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE_S = 15.0


class Collector:
    """The spans received so far, by service name."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._arrived: list[tuple[str, Span]] = []
        self._changed = threading.Condition()

    @property
    def variables(self) -> dict[str, str]:
        """Variables that make a process send its spans here, in short batches."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}

    def take(self, body: bytes) -> None:
        """Keep the spans of a request body in protobuf."""
        with self._changed:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                facts = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self._arrived += [(facts["service.name"], span) for span in scope.spans]
            self._changed.notify_all()

    def spans(self, service: str) -> list[Span]:
        """The spans of a service."""
        with self._changed:
            return [span for name, span in self._arrived if name == service]

    def wait_for(self, service: str, name: str) -> Span:
        """Wait for a span by its name, and return the first."""
        end = time.monotonic() + PATIENCE_S
        with self._changed:
            while not (found := [span for span in self.spans(service) if span.name == name]):
                if not self._changed.wait(end - time.monotonic()):
                    names = sorted({f"{sender}: {span.name}" for sender, span in self._arrived})
                    raise TimeoutError(f"no {name!r} of {service}, only {names}")
            return found[0]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        """One export request."""

        def do_POST(self) -> None:
            """Keep the spans, and respond in protobuf."""
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            received.take(self.rfile.read(int(self.headers["Content-Length"])))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
