"""An image's path through the whole gateway, with every outcome."""

import asyncio
import io
import logging
from collections.abc import Awaitable, Callable

import httpx
import pytest
from PIL import Image

from tests.unit.gateway.doubles import (
    NO_WORKER,
    TorchServeDouble,
    client,
    form,
    json_response,
    mask_png,
    mask_response,
    part,
    send,
)

pytestmark = pytest.mark.anyio


def always(response: httpx.Response) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """A handler with one response."""

    async def predict(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            response.status_code, content=response.content, headers=response.headers
        )

    return predict


async def test_an_image_becomes_a_colour_map(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The drop-in endpoint returns an indexed PNG of class ids."""
    response = await send(gateway)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(response.content))
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("P", (4, 3), 15)
    assert torchserve.predictions[0].content == b"a photo"


async def test_the_response_has_its_facts_as_headers(gateway: httpx.AsyncClient) -> None:
    """The headers have model, version, counts, timings and the request id."""
    headers = (await send(gateway, headers={"X-Request-ID": "mine-1"})).headers
    assert (headers["X-Model"], headers["X-Model-Version"]) == ("deeplabv3", "1.0")
    assert headers["X-Class-Pixels"] == "0=9,15=3"
    assert headers["Server-Timing"].startswith("infer;dur=17.0, total;dur=")
    assert headers["X-Request-ID"] == "mine-1"
    assert headers["Cache-Control"] == "no-store"


async def test_the_request_id_reaches_the_handler(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Gateway and handler log the same request id."""
    response = await send(gateway)
    assert torchserve.predictions[0].headers["X-Request-ID"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(("query", "expected"), [("", "1.0"), ("?version=2.0", "2.0")])
async def test_the_requested_version_is_used(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, query: str, expected: str
) -> None:
    """The version is the requested one, or the default."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    response = await gateway.post(f"/segmentation{query}", files={"file": b"a photo"})
    assert response.headers["X-Model-Version"] == expected
    assert torchserve.predictions[0].url.path == f"/predictions/deeplabv3/{expected}"


@pytest.mark.parametrize(
    ("upstream", "status", "code", "retry"),
    [
        ((415, {"code": "unsupported_format", "detail": "x"}), 415, "unsupported_format", False),
        ((422, {"code": "unreadable_image", "detail": "x"}), 422, "unreadable_image", False),
        ((413, {"code": "too_many_pixels", "detail": "x"}), 413, "too_many_pixels", False),
        ((413, {}), 413, "image_too_large", False),
        ((503, {"code": "model_unavailable", "detail": "x"}), 503, "model_unavailable", True),
        ((503, NO_WORKER), 503, "overloaded", True),
        ((500, {"code": 500, "message": "Worker died."}), 503, "model_unavailable", True),
        ((507, {"code": 507, "message": "Worker died."}), 503, "model_unavailable", True),
        ((503, {"code": 503, "message": "Prediction failed"}), 503, "model_unavailable", True),
        ((200, {"no": "mask"}), 503, "model_unavailable", True),
    ],
)
async def test_a_failure_of_torchserve_becomes_a_problem(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    upstream: tuple[int, object],
    status: int,
    code: str,
    retry: bool,
) -> None:
    """Each failure has its status and code, the version, and Retry-After if it is a 503."""
    torchserve.predict = always(json_response(*upstream))
    response = await send(gateway)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert ("Retry-After" in response.headers) == retry
    assert response.headers["X-Model-Version"] == "1.0"


async def test_a_refusal_without_workers_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """TorchServe's 503 is `overloaded` with ready workers and `model_unavailable` without."""
    torchserve.versions = {"1.0": 0}
    torchserve.predict = always(json_response(503, NO_WORKER))
    assert (await send(gateway)).json()["code"] == "model_unavailable"


async def test_a_grey_png_of_16_bits_is_never_passed_on(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A PNG that is not a mask is a 503."""
    torchserve.predict = always(mask_response(mask_png(mode="I;16")))
    assert (await send(gateway)).json()["code"] == "model_unavailable"


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadError, httpx.ConnectTimeout])
async def test_no_torchserve_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, failure: type[httpx.RequestError]
) -> None:
    """Without TorchServe the response is a 503 with Retry-After."""
    torchserve.down = failure("down")
    response = await send(gateway)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "3")
    assert response.json()["code"] == "model_unavailable"


async def test_an_unknown_version_is_not_found(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The detail lists the versions."""
    response = await send(gateway, params={"version": "9.9"})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    detail = "deeplabv3 has no version 9.9. It has: 1.0. Aliases: stable."
    assert response.json()["detail"] == detail
    assert torchserve.predictions == []


@pytest.mark.parametrize("version", ["", "a b", "../1.0", "1.0/x", "-1", "x" * 33, "1.0\n", "%00"])
async def test_a_version_of_a_wrong_form_is_invalid(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, version: str
) -> None:
    """A client cannot compose paths of TorchServe's API."""
    response = await send(gateway, params={"version": version})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert torchserve.predictions == []


WORKER_DIED = {"code": 500, "type": "InternalServerException", "message": "Worker died."}


def losing(torchserve: TorchServeDouble, lost: httpx.Response, **change: object) -> None:
    """Let the first job be lost, in the moment in which a command changes the versions."""

    async def predict(request: httpx.Request) -> httpx.Response:
        if len(torchserve.predictions) > 2:  # the first job made the gateway know the versions
            return mask_response()
        for name, value in change.items():
            setattr(torchserve, name, value)
        return lost

    torchserve.predict = predict


NEW_DEFAULT = {"versions": {"1.0": 0, "2.0": 1}, "default": "2.0"}
FEWER_WORKERS = {"versions": {"1.0": 1}}


@pytest.mark.parametrize(
    ("lost", "change", "version"),
    [
        (json_response(500, WORKER_DIED), NEW_DEFAULT, "2.0"),
        (json_response(503, NO_WORKER), NEW_DEFAULT, "2.0"),
        (json_response(500, WORKER_DIED), FEWER_WORKERS, "1.0"),
    ],
    ids=["worker ended", "no worker left", "scaled down"],
)
async def test_a_job_that_a_command_lost_is_sent_again(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    lost: httpx.Response,
    change: dict[str, object],
    version: str,
) -> None:
    """A client that named no version notices neither a roll-back nor a change of workers."""
    assert (await send(gateway)).status_code == 200
    losing(torchserve, lost, **change)
    response = await send(gateway)
    assert (response.status_code, response.headers["X-Model-Version"]) == (200, version)
    assert len(torchserve.predictions) == 3


async def test_a_version_that_no_node_has_after_the_queue_is_resolved_again(
    torchserve: TorchServeDouble,
) -> None:
    """It was promoted away while the image waited; who names the version is told so."""
    torchserve.versions, computed = {"1.0": 1, "2.0": 1}, asyncio.Event()

    async def predict(request: httpx.Request) -> httpx.Response:
        await computed.wait()
        return mask_response()

    torchserve.predict = predict
    async with client(torchserve, max_concurrency=1, max_queue=2) as gateway:
        first = asyncio.create_task(send(gateway, params={"version": "2.0"}))
        await _until(lambda: len(torchserve.predictions) == 1)
        waiting = [asyncio.create_task(send(gateway))]
        waiting.append(asyncio.create_task(send(gateway, params={"version": "1.0"})))
        await asyncio.sleep(0.05)
        torchserve.versions, torchserve.default = {"1.0": 0, "2.0": 1}, "2.0"
        computed.set()
        await first
        again, named = await asyncio.gather(*waiting)
    assert (again.status_code, again.headers["X-Model-Version"]) == (200, "2.0")
    assert (named.status_code, named.json()["code"]) == (503, "model_unavailable")
    assert "Version 1.0 of deeplabv3 has no worker that is ready" in named.json()["detail"]


@pytest.mark.parametrize(
    ("params", "change"), [({}, {}), ({"version": "1.0"}, NEW_DEFAULT)], ids=["crash", "named"]
)
async def test_a_job_is_not_sent_again_after_a_crash_or_to_another_version_than_named(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    params: dict[str, str],
    change: dict[str, object],
) -> None:
    """An image that crashes a worker would crash the next one too."""
    assert (await send(gateway)).status_code == 200
    losing(torchserve, json_response(500, WORKER_DIED), **change)
    response = await send(gateway, params=params)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert response.headers["X-Model-Version"] == "1.0"
    assert len(torchserve.predictions) == 2


async def test_a_lost_job_keeps_its_error_if_the_versions_cannot_be_read(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The worker's death is what the client is told, with the version."""
    assert (await send(gateway)).status_code == 200
    down = httpx.ConnectError("refused")  # and so nothing is reported
    losing(torchserve, json_response(500, WORKER_DIED), down=down, **NEW_DEFAULT)
    response = await send(gateway)
    assert (response.status_code, response.headers["X-Model-Version"]) == (503, "1.0")
    assert "worker stopped" in response.json()["detail"]


async def test_a_lost_job_is_sent_again_though_the_queue_is_full(
    torchserve: TorchServeDouble,
) -> None:
    """It was admitted; a request that came later took its slot, and another one the queue."""
    lost, computed = asyncio.Event(), asyncio.Event()
    torchserve.versions = {"1.0": 2, "2.0": 1}

    async def predict(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/1.0"):
            await lost.wait()
            torchserve.versions, torchserve.default = {"1.0": 0, "2.0": 1}, "2.0"
            torchserve.registry_answers.clear()  # until the queue is full
            return json_response(500, WORKER_DIED)
        await computed.wait()
        return mask_response()

    torchserve.predict = predict
    async with client(torchserve, max_concurrency=1, max_queue=1) as gateway:
        first = asyncio.create_task(send(gateway))
        await _until(lambda: len(torchserve.predictions) == 1)
        second = asyncio.create_task(send(gateway, params={"version": "2.0"}))
        await asyncio.sleep(0.05)
        lost.set()
        await _until(lambda: len(torchserve.predictions) == 2)
        third = asyncio.create_task(send(gateway, params={"version": "2.0"}))
        await asyncio.sleep(0.05)
        torchserve.registry_answers.set()
        await asyncio.sleep(0.05)
        computed.set()
        responses = await asyncio.gather(first, second, third)
    assert [response.status_code for response in responses] == [200, 200, 200]
    assert responses[0].headers["X-Model-Version"] == "2.0"


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize("params", [{}, {"version": "1.0"}], ids=["default", "named"])
async def test_a_version_that_a_node_has_lost_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, params: dict[str, str]
) -> None:
    """The registry knows it: it is being loaded again, which is not the client's fault."""
    torchserve.predict = always(json_response(404, {"type": "ModelVersionNotFoundException"}))
    response = await send(gateway, params=params)
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")
    assert "is loading the version" in response.json()["detail"]


async def _hang(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    return mask_response()


async def test_a_response_that_never_comes_ends_at_the_deadline(
    torchserve: TorchServeDouble,
) -> None:
    """The deadline ends a request if TorchServe hangs."""
    torchserve.predict = _hang
    async with client(torchserve, deadline_s=0.3) as gateway:
        response = await send(gateway)
        assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
        torchserve.predict = always(mask_response())
        assert (await send(gateway)).status_code == 200


async def test_the_deadline_includes_the_queue(torchserve: TorchServeDouble) -> None:
    """Requests in the queue end at their deadline, and all slots are free afterwards."""
    torchserve.predict = _hang
    async with client(torchserve, deadline_s=0.3, max_concurrency=1) as gateway:
        responses = await asyncio.gather(*[send(gateway) for _ in range(3)])
        assert [response.status_code for response in responses] == [504] * 3
        torchserve.predict = always(mask_response())
        assert (await send(gateway)).status_code == 200


async def test_a_full_queue_is_overloaded_before_the_form_is_read(
    torchserve: TorchServeDouble,
) -> None:
    """A full queue is a 503 with Retry-After, before the body is read."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def wait(request: httpx.Request) -> httpx.Response:
        entered.set()
        await release.wait()
        return mask_response()

    torchserve.predict = wait
    async with client(torchserve, max_concurrency=1, max_queue=0) as gateway:
        first = asyncio.create_task(send(gateway))
        await entered.wait()
        refused = await gateway.post("/segmentation", content=b"not even a form")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        release.set()
        assert (await first).status_code == 200


async def test_a_large_upload_is_refused_by_the_limit(torchserve: TorchServeDouble) -> None:
    """max_image_bytes is the inclusive limit."""
    async with client(torchserve, max_image_bytes=1000) as gateway:
        response = await send(gateway, form(part(bytes(1001))))
        assert (response.status_code, response.json()["code"]) == (413, "image_too_large")
        assert (await send(gateway, form(part(bytes(1000))))).status_code == 200


async def test_uploads_together_beyond_the_memory_are_overloaded(
    torchserve: TorchServeDouble,
) -> None:
    """An upload beyond the budget is a 503 until another upload has returned its share."""
    torchserve.predict = _hang
    limits = {"max_image_bytes": 1000, "max_buffered_bytes": 1500, "deadline_s": 0.3}
    async with client(torchserve, **limits) as gateway:
        body = form(part(bytes(1000)))
        responses = await asyncio.gather(*[send(gateway, body) for _ in range(2)])
        assert sorted(response.status_code for response in responses) == [503, 504]
        torchserve.predict = always(mask_response())
        assert (await send(gateway, body)).status_code == 200


async def test_a_missing_file_is_422(gateway: httpx.AsyncClient) -> None:
    """A form without the field `file` is a 422, as the contract says."""
    response = await gateway.post("/segmentation", files={"other": b"a photo"})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")


async def test_a_malformed_mask_is_logged_without_content(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the version that sent a malformed mask, but not its content."""
    torchserve.predict = always(mask_response(b"secret"))
    with caplog.at_level(logging.WARNING):
        await send(gateway)
    assert "version 1.0 answered with no mask" in caplog.text
    assert "secret" not in caplog.text
