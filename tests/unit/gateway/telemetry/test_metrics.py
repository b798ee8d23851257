"""GET /metrics."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import Metrics
from tests.unit.gateway.doubles import (
    TorchServeDouble,
    application,
    client,
    send,
    serving,
    settings,
)
from tests.unit.gateway.series import samples, scrape, value

pytestmark = pytest.mark.anyio

REQUESTS = "segserve_request_duration_seconds_count"


async def test_the_response_is_prometheus_text_format(gateway: httpx.AsyncClient) -> None:
    """The media type has the format's version, and every family has a type and a help text."""
    response = await gateway.get("/metrics")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(response.text))
    assert [family.name for family in families if family.type == "unknown"] == []
    assert [family.name for family in families if not family.documentation] == []


async def test_requests_are_counted_by_route_method_and_status(gateway: httpx.AsyncClient) -> None:
    """The label `route` is the route's template, whatever the path."""
    await gateway.get("/v1/models/deeplabv3/labels")
    await gateway.get("/v1/models/other/labels")
    counted = samples(await scrape(gateway), REQUESTS)
    template = {"route": "/v1/models/{model}/labels", "method": "GET"}
    assert counted == [template | {"status": "200"}, template | {"status": "404"}]


async def test_a_path_or_method_that_is_made_up_is_no_label(gateway: httpx.AsyncClient) -> None:
    """A client cannot create series with invented paths or methods."""
    for path in ("/nope", "/healthz/x", "/docs/assets/nope"):
        await gateway.get(path)
    await gateway.request("MADEUP", "/nope")
    counted = {(each["route"], each["method"]) for each in samples(await scrape(gateway), REQUESTS)}
    assert counted == {
        ("unmatched", "GET"),
        ("/docs/assets/{path}", "GET"),
        ("unmatched", "other"),
    }


async def test_a_wrong_method_is_counted_at_its_route(gateway: httpx.AsyncClient) -> None:
    """A 405 is counted at its route."""
    await gateway.get("/segmentation")
    (counted,) = samples(await scrape(gateway), REQUESTS)
    assert counted == {"route": "/segmentation", "method": "GET", "status": "405"}


async def test_errors_are_counted_by_code(gateway: httpx.AsyncClient) -> None:
    """Errors are counted by code, whatever rendered them."""
    await send(gateway, b"no form")
    await gateway.get("/nope")
    await gateway.get("/nope")
    families = await scrape(gateway)
    assert value(families, "segserve_errors_total", code="invalid_request") == 1
    assert value(families, "segserve_errors_total", code="not_found") == 2


async def test_a_fault_of_ours_is_counted_as_one(
    torchserve: TorchServeDouble,
) -> None:
    """A 500, which is handled outside of every middleware, is counted."""

    async def fails(_: httpx.Request) -> httpx.Response:
        raise KeyError("a bug")

    torchserve.predict = fails
    async with client(torchserve) as gateway:
        assert (await send(gateway)).status_code == 500
        families = await scrape(gateway)
    assert value(families, "segserve_errors_total", code="internal_error") == 1
    labels = {"route": "/segmentation", "method": "POST", "status": "500"}
    assert value(families, REQUESTS, **labels) == 1


async def test_the_current_load_is_reported(torchserve: TorchServeDouble) -> None:
    """Requests in flight, slots, queue and upload bytes are reported, and are zero afterwards."""
    release = asyncio.Event()
    predict = torchserve.predict

    async def blocked(request: httpx.Request) -> httpx.Response:
        await release.wait()
        return await predict(request)

    torchserve.predict = blocked
    async with client(torchserve, max_concurrency=1) as gateway:
        waiting = [asyncio.create_task(send(gateway)) for _ in range(3)]
        while not torchserve.predictions:
            await asyncio.sleep(0.01)
        busy = await scrape(gateway)
        release.set()
        await asyncio.gather(*waiting)
        idle = await scrape(gateway)
    names = ["requests_in_flight", "turns", "queue_length", "upload_buffer_bytes"]
    # The scrape itself is in flight too.
    assert [value(busy, f"segserve_{name}") for name in names] == [4, 1, 2, 3 * len(b"a photo")]
    assert [value(idle, f"segserve_{name}") for name in names] == [1, 0, 0, 0]


async def test_the_limits_are_reported(torchserve: TorchServeDouble) -> None:
    """The limits are metrics too, so that alerts need no numbers of their own."""
    async with client(torchserve, deadline_s=7.5, max_queue=3, max_concurrency=2) as gateway:
        families = await scrape(gateway)
    assert value(families, "segserve_deadline_seconds") == 7.5
    assert value(families, "segserve_queue_limit") == 3
    assert value(families, "segserve_turns_limit") == 2
    assert value(families, "segserve_upload_buffer_limit_bytes") == 64 * 2**20


async def test_the_models_readiness_is_reported(torchserve: TorchServeDouble) -> None:
    """The workers of each version, and readiness of the default version, are reported."""
    torchserve.versions = {"1.0": 2, "2.0": 0}
    async with client(torchserve) as gateway:
        ready = await scrape(gateway)
        torchserve.versions = {"1.0": 0}
        gone = await scrape(gateway)
    model = {"model": "deeplabv3"}
    assert value(ready, "segserve_model_ready", **model) == 1
    assert value(ready, "segserve_ready_workers", **model, version="1.0") == 2
    assert value(ready, "segserve_ready_workers", **model, version="2.0") == 0
    assert value(gone, "segserve_model_ready", **model) == 0
    assert samples(gone, "segserve_ready_workers") == []


@pytest.mark.slow
async def test_workers_that_hang_do_not_hold_up_a_scrape(torchserve: TorchServeDouble) -> None:
    """Nor does a registry that is away."""
    torchserve.workers_answer.clear()
    torchserve.registry_answers.clear()
    async with client(torchserve) as gateway, asyncio.timeout(3):
        families = await scrape(gateway)
    model = {"model": "deeplabv3", "version": "1.0"}
    assert value(families, "segserve_ready_workers", **model) == 2


async def test_without_reports_the_model_is_not_ready(torchserve: TorchServeDouble) -> None:
    """And no version has workers."""
    torchserve.down = httpx.ConnectError("refused")
    async with client(torchserve) as gateway:
        families = await scrape(gateway)
    assert value(families, "segserve_model_ready", model="deeplabv3") == 0
    assert samples(families, "segserve_ready_workers") == []


async def test_the_process_is_measured(gateway: httpx.AsyncClient) -> None:
    """Memory, CPU time and file descriptors of the process are reported."""
    families = await scrape(gateway)
    for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds"):
        assert value(families, f"process_{name}") > 0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a running gateway, with its background tasks."""
    with serving(application(TorchServeDouble())) as bound_port:
        yield bound_port


async def test_the_event_loop_is_measured_while_it_runs(port: int) -> None:
    """The lag is measured from the start on, without requests."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as gateway:
        async with asyncio.timeout(10):
            while value(await scrape(gateway), "segserve_event_loop_lag_seconds_count") == 0:
                await asyncio.sleep(0.05)


def test_every_application_counts_for_itself() -> None:
    """Applications do not share a registry."""
    one, other = Metrics(settings()), Metrics(settings())
    one.failed("not_found")
    assert one.registry.get_sample_value("segserve_errors_total", {"code": "not_found"}) == 1
    assert other.registry.get_sample_value("segserve_errors_total", {"code": "not_found"}) is None


def test_names_follow_prometheus_conventions() -> None:
    """Names have a prefix and base units; promtool checks them in tests/telemetry."""
    metrics = Metrics(settings())
    metrics.watch(lambda: 0, lambda: 0, lambda: 0)
    for family in metrics.registry.collect():
        assert family.name.startswith(("segserve_", "process_"))
        assert not family.name.endswith(("_ms", "_milliseconds", "_mb", "_percent"))
