"""Prometheus metrics: a registry for each application, with a bounded set of label values."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from gateway.settings import Settings
from gateway.telemetry.image_metrics import ImageMetrics
from gateway.telemetry.shadow_metrics import ShadowMetrics

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VERSION: Final = ("model", "version")

_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_LAG_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """All metrics of the gateway.

    The label `route` is the template of a route, never the path of a request.
    """

    def __init__(self, settings: Settings) -> None:
        # They would be a third of the lines, and Prometheus does not use them by default.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped library
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.images = ImageMetrics(self.registry)
        self.shadow = ShadowMetrics(self.registry)
        self._add_request_metrics()
        self._add_model_metrics()
        self._add_limits(settings)

    def _add_request_metrics(self) -> None:
        # Looked up once: bounded, as the labels are.
        self._request_series: dict[tuple[str, str, int], Histogram] = {}
        self._requests = Histogram(
            "segserve_request_duration_seconds",
            "Seconds from the start of a request to the end of its answer.",
            ("route", "method", "status"),
            registry=self.registry,
            buckets=_REQUEST_S,
        )
        counter = partial(Counter, registry=self.registry)
        self._errors = counter("segserve_errors", "Problem documents, by their code.", ("code",))
        self.in_flight = Gauge(
            "segserve_requests_in_flight", "Requests without an answer yet.", registry=self.registry
        )
        self._lag = Histogram(
            "segserve_event_loop_lag_seconds",
            "How much too late the event loop wakes a task, which is what every request waits.",
            registry=self.registry,
            buckets=_LAG_S,
        )

    def _add_model_metrics(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self._ready = gauge(
            "segserve_model_ready", "1 if the default version has workers that answer.", ("model",)
        )
        self._workers = gauge(
            "segserve_ready_workers", "Workers that are ready, as TorchServe has them.", _VERSION
        )

    def _add_limits(self, settings: Settings) -> None:
        for name, limit, value in (
            ("segserve_deadline_seconds", "Seconds for an answer", settings.deadline_s),
            ("segserve_queue_limit", "Requests that may wait", settings.max_queue),
            ("segserve_turns_limit", "Requests at TorchServe at once", settings.max_concurrency),
            ("segserve_upload_buffer_limit_bytes", "Upload bytes", settings.max_buffered_bytes),
        ):
            Gauge(name, f"{limit}, as set.", registry=self.registry).set(value)

    def watch(
        self, waiting: Callable[[], int], in_use: Callable[[], int], held: Callable[[], int]
    ) -> None:
        """Read the queue length, the slots in use and the bytes held at each scrape."""
        for name, help_text, read in (
            ("segserve_queue_length", "Requests that wait for their turn.", waiting),
            ("segserve_turns", "Requests that have a turn at TorchServe.", in_use),
            ("segserve_upload_buffer_bytes", "Bytes of uploads in memory.", held),
        ):
            Gauge(name, help_text, registry=self.registry).set_function(read)

    def ended(self, route: str, method: str, status: int, seconds: float) -> None:
        """Record a request that has ended, with or without a response."""
        self.in_flight.dec()
        known = method if method in _METHODS else _OTHER
        key = (route, known, status)
        series = self._request_series.get(key)
        if series is None:
            series = self._request_series[key] = self._requests.labels(*key)
        series.observe(seconds)

    def failed(self, code: str) -> None:
        """Count a problem document with this code."""
        self._errors.labels(code).inc()

    def workers(self, model: str, ready: bool, by_version: Mapping[str, int]) -> None:
        """Set the ready workers of a model's versions; versions that are gone are removed."""
        self._ready.labels(model).set(ready)
        self._workers.clear()
        for version, count in by_version.items():
            self._workers.labels(model, version).set(count)

    def lag(self, seconds: float) -> None:
        """Record the lag of the event loop."""
        self._lag.observe(seconds)

    def exposition(self) -> bytes:
        """Return all values in Prometheus' text format."""
        return generate_latest(self.registry)
