"""OpenTelemetry spans of a worker, exported if the standard variables OTEL_* name a collector.

Otherwise OpenTelemetry is not imported, so the archive also serves where it is not installed.
"""

import atexit
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

SERVICE = "segserve-worker"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_S = 2.0  # at most: an unreachable collector must not delay the end of a worker

# Takes stage -> milliseconds, in the order of execution.
RecordStages = Callable[[Mapping[str, float]], None]


class Tracing:
    """Spans of this process; no-ops without a provider."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider
        self._closing = Event()
        # A thread that can be abandoned: the SDK itself would wait half a minute. It is started
        # here, because close() is called at exit, when Python 3.12 starts no thread.
        self._closer = Thread(target=self._shut_down, daemon=True)
        if provider is not None:
            self._closer.start()

    @contextmanager
    def image_span(self, headers: Mapping[str, str]) -> Iterator[RecordStages]:
        """A span for the block, a child of the one that the header ``traceparent`` names.

        headers: names in lower case. Yields a function that adds a child span for each stage.
        """
        if self._provider is None:
            yield _discard
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract(dict(headers))
        tracer = self._provider.get_tracer("segserve")
        # Not made the current span: the images of a batch are processed alternately.
        span = tracer.start_span("segment", parent, kind=SpanKind.SERVER)
        try:
            yield partial(_add_stages, tracer, set_span_in_context(span), time.time_ns())
        except Exception as exc:  # recorded in the span and re-raised
            span.set_status(Status(StatusCode.ERROR, f"{type(exc).__name__}: {exc}"))
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Export the remaining spans; gives up after two seconds."""
        if self._provider is not None:
            self._closing.set()
            self._closer.join(FLUSH_S)

    def _shut_down(self) -> None:
        self._closing.wait()
        if self._provider is not None:
            self._provider.shutdown()


def _discard(_timings: Mapping[str, float]) -> None:
    pass


def _add_stages(
    tracer: "Tracer", parent: "Context", start_ns: int, timings: Mapping[str, float]
) -> None:
    """Add consecutive spans, the first from ``start_ns`` on (nanoseconds since 1970)."""
    for stage, milliseconds in timings.items():
        end_ns = start_ns + int(milliseconds * 1e6)
        tracer.start_span(stage, parent, start_time=start_ns).end(end_ns)
        start_ns = end_ns


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables enable traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "otlp" or (not exporter and any(map(environment.get, ENDPOINTS)))


def start_tracing(environment: Mapping[str, str], warn: Callable[[str], object]) -> Tracing:
    """Trace to the collector that the environment names; do nothing if it names none."""
    if not is_enabled(environment):
        return Tracing()
    try:
        provider = _provider()
    except ImportError as exc:
        warn(f"OTEL_* asks for traces, and there will be none: {exc}")
        return Tracing()
    tracing = Tracing(provider)
    # TorchServe ends its workers by SIGTERM, on which Python runs no exit handlers by default.
    atexit.register(tracing.close)
    signal.signal(signal.SIGTERM, _exit)
    return tracing


def _provider() -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
