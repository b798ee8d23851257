"""Traces: enabled by standard variables, with the right parents."""

import subprocess
import sys
import threading
from collections.abc import Mapping

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from gateway.telemetry.tracing import Tracing, from_environment, is_enabled
from gateway.torchserve.inference import trace_context
from tests.collector import collector
from tests.unit.gateway.doubles import TorchServeDouble, application, client, send

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """An exporter that keeps spans in memory."""
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Tracing:
    """Traces that are exported to memory."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracing(provider)


def traced(torchserve: TorchServeDouble, tracing: Tracing) -> httpx.AsyncClient:
    """A client of a gateway with traces."""
    app = application(torchserve, tracing=tracing)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    """The one span with that name."""
    (span,) = [span for span in spans.get_finished_spans() if span.name == name]
    return span


@pytest.mark.anyio
async def test_a_request_is_a_span_below_the_clients(
    torchserve: TorchServeDouble, tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """The server span has the client's span as its parent, the route and the status."""
    async with traced(torchserve, tracing) as gateway:
        await gateway.get("/v1/models/x/labels", headers=TRACEPARENT | {"X-Request-ID": "mine"})
    span = named(spans, "GET /v1/models/{model}/labels")
    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}-{span.parent.span_id:016x}" == f"{TRACE}-{PARENT}"
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 404
    assert span.attributes["segserve.request_id"] == "mine"
    assert span.attributes["segserve.error_code"] == "not_found"


@pytest.mark.anyio
async def test_the_stages_are_its_children_and_the_call_goes_on_below(
    torchserve: TorchServeDouble, tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """The stages are children of the server span, and TorchServe gets the span of `infer`."""
    async with traced(torchserve, tracing) as gateway:
        assert (await send(gateway)).status_code == 200
    server, call = named(spans, "POST /segmentation"), named(spans, "infer")
    assert call.kind is SpanKind.CLIENT
    for stage in ("read", "queue", "infer", "colour"):
        parent = named(spans, stage).parent
        assert parent is not None
        assert parent.span_id == server.context.span_id
    (prediction,) = torchserve.predictions
    ids = f"{call.context.trace_id:032x}-{call.context.span_id:016x}"
    assert prediction.headers["traceparent"].startswith(f"00-{ids}-")


@pytest.mark.anyio
async def test_no_secret_is_in_a_span(
    torchserve: TorchServeDouble, tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """Keys and images never appear in spans."""
    async with traced(torchserve, tracing) as gateway:
        await send(gateway, headers={"Authorization": "Bearer secret", "X-API-Key": "secret"})
    text = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert "secret" not in text
    assert "a photo" not in text


@pytest.mark.anyio
async def test_probes_are_not_traced(
    torchserve: TorchServeDouble, tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """Probes have no spans, and ask the worker not to record one."""
    async with traced(torchserve, tracing) as gateway:
        for path in ("/healthz", "/readyz", "/metrics"):
            await gateway.get(path)
    assert spans.get_finished_spans() == ()
    assert torchserve.probe_headers["traceparent"].endswith("-00")


@pytest.mark.anyio
async def test_without_traces_nothing_is_handed_on(torchserve: TorchServeDouble) -> None:
    """Without traces no trace context is sent to TorchServe, not even the client's."""
    async with client(torchserve) as gateway:
        await send(gateway, headers=TRACEPARENT)
    assert "traceparent" not in torchserve.predictions[0].headers
    assert trace_context() == {}


def test_a_stage_timed_elsewhere_lies_in_the_past(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """The span of such a stage ends now."""
    tracing.record("queue", 2.0)
    span = named(spans, "queue")
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == pytest.approx(2e9)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_the_standard_variables_decide(environment: Mapping[str, str], expected: bool) -> None:
    """Traces are exported only if the operator configures them."""
    assert is_enabled(environment) is expected


@pytest.mark.slow
def test_the_sdk_is_not_imported_unless_traces_are_enabled() -> None:
    """Without traces the SDK is not imported."""
    code = (
        "import sys; from gateway.telemetry import tracing; from gateway.app import create_app; "
        "from gateway.settings import Settings; "
        "create_app(Settings(), tracing=tracing.from_environment({})); "
        "print([n for n in sys.modules if n.startswith(('opentelemetry.sdk', 'requests'))])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "service"),
    [
        ({}, "segserve-gateway"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours,team=a"}, "ours"),
    ],
)
def test_what_is_left_is_sent_at_the_end(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], service: str
) -> None:
    """The last spans are exported at the end, with our service name unless one is configured."""
    with collector() as received:
        environment = received.variables | {"OTEL_BSP_SCHEDULE_DELAY": "60000"} | more
        for name, each in environment.items():
            monkeypatch.setenv(name, each)
        tracing = from_environment(environment)
        tracing.record("queue", 0.1)
        tracing.close()
        assert [span.name for span in received.spans(service)] == ["queue"]


def test_a_collector_that_is_away_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """close gives up while the export still retries in its thread."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    monkeypatch.setenv(*next(iter(environment.items())))
    tracing = from_environment(environment)
    tracing.record("queue", 0.1)
    tracing.close(timeout_s=0.05)
    assert any("shutdown" in thread.name for thread in threading.enumerate())
