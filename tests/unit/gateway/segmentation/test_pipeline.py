"""The way of an image through the whole gateway, and every way it can end."""

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
    json_answer,
    mask_answer,
    mask_png,
    part,
    send,
)

pytestmark = pytest.mark.anyio


def always(answer: httpx.Response) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """A handler with one answer."""

    async def predict(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    return predict


async def test_an_image_becomes_a_colour_map(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The drop-in endpoint: an indexed PNG of class ids, with the facts as headers."""
    answer = await send(gateway)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("P", (4, 3), 15)
    assert torchserve.predictions[0].content == b"a photo"


async def test_the_answer_says_who_made_it_and_what_it_took(gateway: httpx.AsyncClient) -> None:
    """Model, version, counts, timings and the id are on every answer."""
    headers = (await send(gateway, headers={"X-Request-ID": "mine-1"})).headers
    assert (headers["X-Model"], headers["X-Model-Version"]) == ("deeplabv3", "1.0")
    assert headers["X-Class-Pixels"] == "0=9,15=3"
    assert headers["Server-Timing"].startswith("infer;dur=17.0, total;dur=")
    assert headers["X-Request-ID"] == "mine-1"
    assert headers["Cache-Control"] == "no-store"


async def test_the_request_id_reaches_the_handler(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """One id finds a request in both logs."""
    answer = await send(gateway)
    assert torchserve.predictions[0].headers["X-Request-ID"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(("query", "asked"), [("", "1.0"), ("?version=2.0", "2.0")])
async def test_the_version_asked_for_answers(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, query: str, asked: str
) -> None:
    """Without a version it is the default one."""
    torchserve.versions = {"1.0": 1, "2.0": 1}
    answer = await gateway.post(f"/segmentation{query}", files={"file": b"a photo"})
    assert answer.headers["X-Model-Version"] == asked
    assert torchserve.predictions[0].url.path == f"/predictions/deeplabv3/{asked}"


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
async def test_what_torchserve_answers_becomes_a_problem(
    gateway: httpx.AsyncClient,
    torchserve: TorchServeDouble,
    upstream: tuple[int, object],
    status: int,
    code: str,
    retry: bool,
) -> None:
    """Each has its status and code, says which version it is about, and when to come again."""
    torchserve.predict = always(json_answer(*upstream))
    answer = await send(gateway)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("Retry-After" in answer.headers) == retry
    assert answer.headers["X-Model-Version"] == "1.0"


async def test_a_refusal_without_workers_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A full queue and no worker look the same to TorchServe, not to our client."""
    torchserve.versions = {"1.0": 0}
    torchserve.predict = always(json_answer(503, NO_WORKER))
    assert (await send(gateway)).json()["code"] == "model_unavailable"


async def test_a_grey_png_of_16_bits_is_never_passed_on(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """What is no mask is no answer."""
    torchserve.predict = always(mask_answer(mask_png(mode="I;16")))
    assert (await send(gateway)).json()["code"] == "model_unavailable"


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadError, httpx.ConnectTimeout])
async def test_no_torchserve_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, failure: type[httpx.RequestError]
) -> None:
    """The gateway outlives TorchServe, and says when to come again."""
    torchserve.down = failure("down")
    answer = await send(gateway)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert answer.json()["code"] == "model_unavailable"


async def test_an_unknown_version_is_not_found(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The detail names the versions there are."""
    torchserve.predict = always(json_answer(404, {"type": "ModelVersionNotFoundException"}))
    answer = await send(gateway, params={"version": "9.9"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["detail"] == "deeplabv3 has no version 9.9. It has: 1.0."


@pytest.mark.parametrize("version", ["", "a b", "../1.0", "1.0/x", "-1", "x" * 33, "1.0\n", "%00"])
async def test_a_version_of_a_wrong_form_is_invalid(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, version: str
) -> None:
    """No client composes paths of TorchServe's API."""
    answer = await send(gateway, params={"version": version})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (torchserve.predictions, torchserve.questions) == ([], [])


async def test_a_default_version_that_was_just_removed_is_looked_up_again(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Swapping versions costs no request."""
    await send(gateway)

    async def only_second(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/1.0"):
            return json_answer(404, {"type": "ModelVersionNotFoundException"})
        return mask_answer()

    torchserve.predict = only_second
    torchserve.versions, torchserve.default = {"2.0": 1}, "2.0"
    answer = await send(gateway)
    assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, "2.0")


async def test_a_default_version_that_stays_missing_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """It is looked up again once, not for ever; and a client that named none is told no 404."""
    torchserve.predict = always(json_answer(404, {"type": "ModelNotFoundException"}))
    answer = await send(gateway)
    assert answer.json()["code"] == "model_unavailable"
    assert len(torchserve.predictions) == 2


async def _hang(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(60)
    return mask_answer()


async def test_an_answer_that_never_comes_ends_at_the_deadline(
    torchserve: TorchServeDouble,
) -> None:
    """TorchServe may leave a connection hanging: ours does not."""
    torchserve.predict = _hang
    async with client(torchserve, deadline_s=0.3) as gateway:
        answer = await send(gateway)
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        torchserve.predict = always(mask_answer())
        assert (await send(gateway)).status_code == 200


async def test_the_deadline_includes_the_queue(torchserve: TorchServeDouble) -> None:
    """Who waits for a turn is not forgotten; later requests find every turn free again."""
    torchserve.predict = _hang
    async with client(torchserve, deadline_s=0.3, max_concurrency=1) as gateway:
        answers = await asyncio.gather(*[send(gateway) for _ in range(3)])
        assert [answer.status_code for answer in answers] == [504] * 3
        torchserve.predict = always(mask_answer())
        assert (await send(gateway)).status_code == 200


async def test_beyond_the_queue_is_overloaded_before_a_look_at_the_form(
    torchserve: TorchServeDouble,
) -> None:
    """A refusal under load is cheap, and says when to come again."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def wait(request: httpx.Request) -> httpx.Response:
        entered.set()
        await release.wait()
        return mask_answer()

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
    """The setting is the limit."""
    async with client(torchserve, max_image_bytes=1000) as gateway:
        answer = await send(gateway, form(part(bytes(1001))))
        assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
        assert (await send(gateway, form(part(bytes(1000))))).status_code == 200


async def test_uploads_together_beyond_the_memory_are_overloaded(
    torchserve: TorchServeDouble,
) -> None:
    """Refused while another holds the memory, taken when it is given back."""
    torchserve.predict = _hang
    limits = {"max_image_bytes": 1000, "max_buffered_bytes": 1500, "deadline_s": 0.3}
    async with client(torchserve, **limits) as gateway:
        body = form(part(bytes(1000)))
        answers = await asyncio.gather(*[send(gateway, body) for _ in range(2)])
        assert sorted(answer.status_code for answer in answers) == [503, 504]
        torchserve.predict = always(mask_answer())
        assert (await send(gateway, body)).status_code == 200


async def test_a_missing_file_is_422(gateway: httpx.AsyncClient) -> None:
    """The contract's own case."""
    answer = await gateway.post("/segmentation", files={"other": b"a photo"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_strange_answer_is_logged_without_content(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator learns which version misbehaves."""
    torchserve.predict = always(mask_answer(b"secret"))
    with caplog.at_level(logging.WARNING):
        await send(gateway)
    assert "version 1.0 answered with no mask" in caplog.text
    assert "secret" not in caplog.text
