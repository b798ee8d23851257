"""POST /v1/hf/{model}, with Hugging Face's own client and others."""

import asyncio
import base64
import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.unit.gateway.doubles import TorchServeDouble, application, client, json_response, serving

pytestmark = pytest.mark.anyio

PATH = "/v1/hf/deeplabv3"
PHOTO = base64.b64encode(b"a photo").decode()


@pytest.fixture
def hugging_face(torchserve: TorchServeDouble) -> Iterator[InferenceClient]:
    """The library's client of a gateway on a real socket."""
    with serving(application(torchserve)) as port:
        # With a token, the library does not look for one on this machine.
        yield InferenceClient(model=f"http://127.0.0.1:{port}{PATH}", token="none")


async def segment(gateway: httpx.AsyncClient, body: bytes, **options: object) -> httpx.Response:
    """Post a body as the library does, which declares JSON for every body."""
    headers = {"Content-Type": "application/json"}
    return await gateway.post(PATH, content=body, headers=headers, **options)  # type: ignore[arg-type]


def test_the_librarys_client_gets_masks(
    hugging_face: InferenceClient, torchserve: TorchServeDouble
) -> None:
    """The library sends the raw image and decodes a mask for each class."""
    masks = hugging_face.image_segmentation(b"a photo")
    assert [(each.label, each.score) for each in masks] == [
        ("background", 0.9512),
        ("person", 0.8712),
    ]
    assert np.array_equal(np.asarray(masks[1].mask)[:, :2], [[255, 0]] * 3)
    assert [each.content for each in torchserve.predictions] == [b"a photo"]


def test_the_librarys_parameters_are_honoured(
    hugging_face: InferenceClient, torchserve: TorchServeDouble
) -> None:
    """With parameters the library sends JSON, and the model gets the same image."""
    masks = hugging_face.image_segmentation(b"a photo", threshold=0.9, subtask="semantic")
    assert [each.label for each in masks] == ["background"]
    assert [each.content for each in torchserve.predictions] == [b"a photo"]


def test_the_librarys_user_reads_why_it_failed(hugging_face: InferenceClient) -> None:
    """The library's exception contains the detail."""
    with pytest.raises(HfHubHTTPError, match="tells classes apart"):
        hugging_face.image_segmentation(b"a photo", subtask="instance")


async def test_the_response_names_model_and_version(gateway: httpx.AsyncClient) -> None:
    """The response has the headers of every segmentation."""
    response = await segment(gateway, b"a photo", params={"version": "1.0"})
    assert response.status_code == 200
    assert (response.headers["X-Model"], response.headers["X-Model-Version"]) == (
        "deeplabv3",
        "1.0",
    )
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "unreadable_image"),
        (b'{"inputs": ""}', 422, "unreadable_image"),
        (b"{", 422, "invalid_request"),
        (b"{" + b'"a":{' * 100_000, 422, "invalid_request"),
        (b'{"inputs": "%%%"}', 422, "invalid_request"),
        (b'{"inputs": ["' + PHOTO.encode() + b'"]}', 422, "invalid_request"),
        (bytes(101), 413, "image_too_large"),
        (json.dumps({"inputs": PHOTO * 20}).encode(), 422, "invalid_request"),
        (json.dumps({"inputs": base64.b64encode(bytes(101)).decode()}).encode(), 413, None),
        (bytes(2**21), 413, "image_too_large"),
    ],
)
async def test_bad_bodies_are_the_clients_fault(
    torchserve: TorchServeDouble, body: bytes, status: int, code: str | None
) -> None:
    """An invalid body is a 4xx, and is not sent to TorchServe."""
    async with client(torchserve, max_image_bytes=100) as gateway:
        response = await segment(gateway, body)
    assert (response.status_code, response.json()["code"]) == (status, code or "image_too_large")
    assert torchserve.predictions == []


async def test_the_budget_is_for_the_image_or_its_json_and_not_for_both(
    torchserve: TorchServeDouble,
) -> None:
    """The largest image fits in JSON too, with a budget for one copy."""
    image = bytes(3_000_000)
    body = json.dumps({"inputs": base64.b64encode(image).decode()}).encode()
    async with client(
        torchserve, max_image_bytes=len(image), max_buffered_bytes=4_000_100
    ) as gateway:
        statuses = [(await segment(gateway, body)).status_code for _ in range(3)]
    assert statuses == [200, 200, 200]
    assert torchserve.predictions[0].content == image


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/hf/other", 404), (f"{PATH}?version=9", 404), (f"{PATH}?version=!", 422)],
)
async def test_an_unknown_model_or_version_is_not_found(
    gateway: httpx.AsyncClient, path: str, status: int
) -> None:
    """An unknown model or version is a 404, an invalid one a 422."""
    assert (await gateway.post(path, content=b"a photo")).status_code == status


async def test_the_handlers_error_is_passed_on(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A body that is neither JSON nor an image gets the handler's error."""

    async def refuse(_: httpx.Request) -> httpx.Response:
        return json_response(422, {"code": "unreadable_image", "detail": "No picture."})

    torchserve.predict = refuse
    response = await segment(gateway, b"[1, 2]")
    assert (response.status_code, response.json()["detail"]) == (422, "No picture.")


async def test_a_model_that_sends_no_mask_is_unavailable(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """A malformed mask is a 503."""

    async def confuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"no mask")

    torchserve.predict = confuse
    response = await segment(gateway, b"a photo")
    assert (response.status_code, response.json()["code"]) == (503, "model_unavailable")


async def test_a_compressed_body_is_refused(gateway: httpx.AsyncClient) -> None:
    """A compressed body is refused, because its size cannot be bounded on arrival."""
    response = await gateway.post(PATH, content=b"x", headers={"Content-Encoding": "gzip"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_encoding")


async def test_a_request_that_cannot_wait_is_refused_before_it_is_read(
    torchserve: TorchServeDouble,
) -> None:
    """A full queue is a 503 before the body is read."""
    release = asyncio.Event()

    async def hang(_: httpx.Request) -> httpx.Response:
        await release.wait()
        return httpx.Response(503)

    torchserve.predict = hang
    async with client(torchserve, max_concurrency=1, max_queue=0) as gateway:
        first = asyncio.create_task(gateway.post("/v1/hf/deeplabv3", content=b"a photo"))
        while not torchserve.predictions:
            await asyncio.sleep(0.001)
        response = await gateway.post("/v1/hf/deeplabv3", content=b"{")
        release.set()
        await first
    assert (response.status_code, response.json()["code"]) == (503, "overloaded")
