"""One trace through gateway and worker, exported to a collector over OTLP."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector import Collector, collector
from tests.stack import Stack, running_stack

PHOTOGRAPH = Path(__file__).parents[2] / "ui" / "examples" / "astronaut.jpg"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
GATEWAY, WORKER = "segserve-gateway", "segserve-worker"
GATEWAY_STAGES = ("read", "queue", "infer", "colour")
WORKER_STAGES = ("decode", "preprocess", "infer", "postprocess", "encode")


@pytest.fixture(scope="module")
def received() -> Iterator[Collector]:
    """The collector of the product's spans."""
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def product(archive: Path, received: Collector) -> Iterator[Stack]:
    """The product without its page, with tracing enabled by the standard variable alone."""
    assert archive.exists()
    with running_stack(SEGSERVE_SERVE_UI="false", **received.variables) as found:
        yield found


@pytest.fixture(scope="module")
def answer(product: Stack) -> httpx.Response:
    """The response to one photograph from a client with a trace of its own."""
    with PHOTOGRAPH.open("rb") as file:
        return httpx.post(
            f"{product.gateway_url}/segmentation", files={"file": file}, headers=TRACEPARENT
        )


def _ids(span: Span) -> tuple[str, str]:
    return span.trace_id.hex(), span.parent_span_id.hex()


def test_the_gateways_span_is_a_child_of_the_clients(
    answer: httpx.Response, received: Collector
) -> None:
    """The trace begins at the client."""
    assert answer.status_code == 200
    server = received.wait_for(GATEWAY, "POST /segmentation")
    assert _ids(server) == (TRACE, PARENT)
    attributes = {each.key: each.value for each in server.attributes}
    assert attributes["http.response.status_code"].int_value == 200
    assert attributes["segserve.version"].string_value == "1.0"


@pytest.mark.parametrize("stage", GATEWAY_STAGES)
def test_each_stage_of_the_gateway_is_a_child_of_its_span(
    answer: httpx.Response, received: Collector, stage: str
) -> None:
    """The stages before and after the inference are spans."""
    server = received.wait_for(GATEWAY, "POST /segmentation")
    assert _ids(received.wait_for(GATEWAY, stage)) == (TRACE, server.span_id.hex())


def test_the_workers_span_is_a_child_of_the_gateways_call(
    answer: httpx.Response, received: Collector
) -> None:
    """The trace passes through TorchServe's server, which does not know it."""
    call = received.wait_for(GATEWAY, "infer")
    assert _ids(received.wait_for(WORKER, "segment")) == (TRACE, call.span_id.hex())


@pytest.mark.parametrize("stage", WORKER_STAGES)
def test_each_stage_of_the_worker_is_a_child_of_its_span(
    answer: httpx.Response, received: Collector, stage: str
) -> None:
    """Each stage lies within it in time."""
    picture = received.wait_for(WORKER, "segment")
    span = received.wait_for(WORKER, stage)
    assert _ids(span) == (TRACE, picture.span_id.hex())
    assert picture.start_time_unix_nano <= span.start_time_unix_nano
    assert span.end_time_unix_nano <= picture.end_time_unix_nano
