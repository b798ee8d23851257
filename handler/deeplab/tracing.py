"""OpenTelemetry spans of a worker, where the standard variables OTEL_* say where to send them.

Nothing of OpenTelemetry is imported otherwise, and the archive serves where it is not installed.
"""

import atexit
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

SERVICE = "segserve-worker"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_S = 2.0  # of a worker's end: a collector that is away must not hold it up

# Takes stage -> milliseconds, in the order in which the stages happened.
Took = Callable[[Mapping[str, float]], None]


class Tracing:
    """Spans of this process; without a provider all of it does nothing."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider

    @contextmanager
    def picture(self, headers: Mapping[str, str]) -> Iterator[Took]:
        """A span for the block, a child of the one that ``traceparent`` among the headers names.

        headers: names in lower case. Gives what makes children of the stages' timings.
        """
        if self._provider is None:
            yield _nothing
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract(dict(headers))
        tracer = self._provider.get_tracer("segserve")
        # Not made the current one: the pictures of a batch take turns.
        span = tracer.start_span("segment", parent, kind=SpanKind.SERVER)
        try:
            yield partial(_children, tracer, set_span_in_context(span), time.time_ns())
        except Exception as exc:  # whatever it is, it goes on; the span tells of it
            span.set_status(Status(StatusCode.ERROR, f"{type(exc).__name__}: {exc}"))
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Sends what is left; gives up after two seconds."""
        if self._provider is not None:
            # In a thread that may be left behind: the SDK itself would wait for half a minute.
            last = Thread(target=self._provider.shutdown, daemon=True)
            last.start()
            last.join(FLUSH_S)


def _nothing(_timings: Mapping[str, float]) -> None:
    pass


def _children(
    tracer: "Tracer", parent: "Context", began: int, timings: Mapping[str, float]
) -> None:
    """Spans one after the other, from ``began`` on (nanoseconds since 1970)."""
    for stage, milliseconds in timings.items():
        ended = began + int(milliseconds * 1e6)
        tracer.start_span(stage, parent, start_time=began).end(ended)
        began = ended


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter == "otlp" or (not exporter and any(map(environment.get, ENDPOINTS)))


def start_tracing(environment: Mapping[str, str], warn: Callable[[str], object]) -> Tracing:
    """Traces to the collector that the environment names; silent if it names none."""
    if not is_wanted(environment):
        return Tracing()
    try:
        provider = _provider()
    except ImportError as exc:
        warn(f"OTEL_* asks for traces, and there will be none: {exc}")
        return Tracing()
    tracing = Tracing(provider)
    # TorchServe's workers know no other end than to be killed: nothing would be sent at last.
    atexit.register(tracing.close)
    signal.signal(signal.SIGTERM, _end)
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


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
