"""What the gateway counts for Prometheus: a registry for each application, every label bounded."""

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

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_VERSION: Final = ("model", "version")

_REQUEST_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_LAG_S: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """All of the gateway's metrics.

    A route is a template of ours, never a path that a client chose.
    """

    def __init__(self, settings: Settings) -> None:
        # A third of the lines otherwise, of which Prometheus makes nothing by itself.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # has no types
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.images = ImageMetrics(self.registry)
        self._count_requests()
        self._gauge_the_model()
        self._tell_limits(settings)

    def _count_requests(self) -> None:
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

    def _gauge_the_model(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self._ready = gauge(
            "segserve_model_ready", "1 if the default version has a worker ready.", ("model",)
        )
        self._workers = gauge(
            "segserve_ready_workers", "Workers that are ready, as TorchServe has them.", _VERSION
        )

    def _tell_limits(self, settings: Settings) -> None:
        for name, limit, value in (
            ("segserve_deadline_seconds", "Seconds for an answer", settings.deadline_s),
            ("segserve_queue_limit", "Requests that may wait", settings.max_queue),
            ("segserve_turns_limit", "Requests at TorchServe at once", settings.max_concurrency),
            ("segserve_upload_buffer_limit_bytes", "Upload bytes", settings.max_buffered_bytes),
        ):
            Gauge(name, f"{limit}, as set.", registry=self.registry).set(value)

    def watch(
        self, waiting: Callable[[], int], turns: Callable[[], int], held: Callable[[], int]
    ) -> None:
        """Whom to ask at each scrape for the queue, the turns taken and the bytes held."""
        for name, sentence, ask in (
            ("segserve_queue_length", "Requests that wait for their turn.", waiting),
            ("segserve_turns", "Requests that have a turn at TorchServe.", turns),
            ("segserve_upload_buffer_bytes", "Bytes of uploads in memory.", held),
        ):
            Gauge(name, sentence, registry=self.registry).set_function(ask)

    def ended(self, route: str, method: str, status: int, seconds: float) -> None:
        """It has its answer, or nobody waits for one any more."""
        self.in_flight.dec()
        known = method if method in _METHODS else _OTHER
        key = (route, known, status)
        series = self._request_series.get(key)
        if series is None:
            series = self._request_series[key] = self._requests.labels(*key)
        series.observe(seconds)

    def failed(self, code: str) -> None:
        """A problem document with this code was sent."""
        self._errors.labels(code).inc()

    def workers(self, model: str, ready: bool, by_version: Mapping[str, int]) -> None:
        """What TorchServe has now of a model; versions that are gone are forgotten."""
        self._ready.labels(model).set(ready)
        self._workers.clear()
        for version, count in by_version.items():
            self._workers.labels(model, version).set(count)

    def lag(self, seconds: float) -> None:
        """The event loop was so late."""
        self._lag.observe(seconds)

    def exposition(self) -> bytes:
        """All values, in Prometheus' text format."""
        return generate_latest(self.registry)
