"""OpenTelemetry traces, configured by the standard variables OTEL_*; off by default.

The SDK is imported only if traces are enabled.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Tracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

SERVICE: Final = "segserve-gateway"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# Seconds to export the last spans: an unreachable collector must not delay the stop.
_FLUSH_S: Final = 2.0
# The stage that calls another process, whose spans become children of its span.
_CALL: Final = "infer"


class Tracing:
    """Spans of the gateway; without a provider, every method does nothing."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self.provider = provider
        self._tracer: Tracer | None = provider.get_tracer("segserve") if provider else None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run the block in a child of the current span; ``infer`` is a client span."""
        if self._tracer is None:
            yield
            return
        kind = SpanKind.CLIENT if name == _CALL else SpanKind.INTERNAL
        with self._tracer.start_as_current_span(name, kind=kind, record_exception=False):
            yield

    def record(self, name: str, seconds: float) -> None:
        """Add a child of the current span that ends now and began so many seconds ago."""
        if self._tracer is not None:
            now = time.time_ns()
            began = now - int(seconds * 1e9)
            self._tracer.start_span(name, start_time=began).end(now)

    def close(self, timeout_s: float = _FLUSH_S) -> None:
        """Export the last spans; give up after the timeout."""
        if self.provider is not None:
            # In a daemon thread, because the SDK itself would wait for half a minute.
            exporting = Thread(target=self.provider.shutdown, daemon=True)
            exporting.start()
            exporting.join(timeout_s)


def annotate(attributes: Mapping[str, str | None]) -> None:
    """Add the attributes that are not None to the current span, if there is one."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({name: each for name, each in attributes.items() if each is not None})


def trace_id() -> str | None:
    """Return the current trace's id in hexadecimal digits, if there is one."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables enable traces."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp", "none"):
        logger.warning("OTEL_TRACES_EXPORTER=%r is not supported, only otlp: no traces", exporter)
    return exporter == "otlp" or (not exporter and any(map(environment.get, _ENDPOINTS)))


def from_environment(environment: Mapping[str, str]) -> Tracing:
    """Return traces that are exported to the collector in the environment; off if it has none."""
    if not is_enabled(environment):
        return Tracing()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: SERVICE}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logger.info("traces are sent to the collector that OTEL_EXPORTER_OTLP_* names")
    return Tracing(provider)
