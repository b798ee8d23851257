"""A worker's spans are children of the gateway's; without tracing nothing happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from deeplab.tracing import Tracing, is_enabled, start_tracing
from tests.collector import collector

ROOT = Path(__file__).parents[3]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE}-{PARENT}-01", "content-type": "image/png"}
DELAYED = {"OTEL_BSP_SCHEDULE_DELAY": "60000"}
WORKER = """
import os, sys, time
from deeplab.tracing import start_tracing
tracing = start_tracing(os.environ, print)
with tracing.image_span({}) as record_stages:
    record_stages({"decode": 1.0})
print("made", flush=True)
time.sleep(60)
"""


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The exporter of the spans."""
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Tracing:
    """Tracing that is enabled."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return Tracing(provider)


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    """The only span of that name."""
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


def test_an_image_is_a_span_below_the_one_in_its_header(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """The trace continues in another process."""
    with tracing.image_span(HEADERS):
        pass
    span = named(spans, "segment")
    assert span.kind is SpanKind.SERVER
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}-{span.parent.span_id:016x}" == f"{TRACE}-{PARENT}"


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_without_a_valid_header_a_trace_begins(
    tracing: Tracing, spans: InMemorySpanExporter, headers: dict[str, str]
) -> None:
    """Direct requests to TorchServe are traced as well."""
    with tracing.image_span(headers):
        pass
    assert named(spans, "segment").parent is None


def test_the_stages_are_its_children_one_after_the_other(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """From the timings that are also sent to the gateway."""
    with tracing.image_span(HEADERS) as record_stages:
        record_stages({"decode": 3.0, "infer": 17.0})
    image, decode, infer = (named(spans, name) for name in ("segment", "decode", "infer"))
    for child in (decode, infer):
        assert child.parent is not None
        assert child.parent.span_id == image.context.span_id
    assert decode.start_time is not None
    assert image.start_time is not None
    assert decode.start_time >= image.start_time
    assert decode.end_time == decode.start_time + 3_000_000 == infer.start_time
    assert infer.end_time == decode.end_time + 17_000_000


def test_an_error_marks_the_span_and_is_raised(
    tracing: Tracing, spans: InMemorySpanExporter
) -> None:
    """The handler decides how to respond."""
    with pytest.raises(KeyError), tracing.image_span(HEADERS):
        raise KeyError
    assert named(spans, "segment").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    ("environment", "enabled"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_the_standard_variables_decide(environment: Mapping[str, str], enabled: bool) -> None:
    """The same as for the gateway."""
    assert is_enabled(environment) is enabled


def test_without_them_nothing_happens() -> None:
    """The handler's code is the same."""
    warnings: list[str] = []
    tracing = start_tracing({}, warnings.append)
    with tracing.image_span(HEADERS) as record_stages:
        record_stages({"decode": 1.0})
    tracing.close()
    assert warnings == []


def test_a_machine_without_opentelemetry_serves_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The archive contains no libraries; one warning says what is missing."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    warnings: list[str] = []
    tracing = start_tracing({"OTEL_TRACES_EXPORTER": "otlp"}, warnings.append)
    with tracing.image_span(HEADERS) as record_stages:
        record_stages({"decode": 1.0})
    assert len(warnings) == 1
    assert "opentelemetry" in warnings[0]


@pytest.mark.slow
def test_a_worker_that_is_terminated_exports_its_last_spans() -> None:
    """TorchServe ends its workers by a signal, and no spans are lost by that."""
    with collector() as received:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=os.environ | received.variables | DELAYED | {"PYTHONPATH": str(ROOT / "handler")},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
        assert sorted(span.name for span in received.spans("segserve-worker")) == [
            "decode",
            "segment",
        ]
