"""POST /v1/segment/batch."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import OverloadedError
from gateway.segmentation.batch import Batch, Item
from tests.unit.gateway.doubles import (
    FORM_TYPE,
    Clock,
    TorchServeDouble,
    client,
    form,
    json_response,
    mask_response,
    part,
)

pytestmark = pytest.mark.anyio

REFUSAL = {"code": "unreadable_image", "detail": "No picture."}


def file(content: bytes, name: str = "a.jpg") -> bytes:
    """One image of a form."""
    return part(content, f'form-data; name="file"; filename="{name}"')


async def send(gateway: httpx.AsyncClient, content: Any, **query: Any) -> httpx.Response:
    """Post a form."""
    headers = {"Content-Type": FORM_TYPE}
    url = "/v1/segment/batch"
    return await gateway.post(url, content=content, headers=headers, params=query)


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    """The lines of a response, in the order of the files."""
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/x-ndjson"
    parsed = [json.loads(line) for line in response.text.splitlines()]
    return sorted(parsed, key=lambda line: int(line["index"]))


async def refuse_bad_images(request: httpx.Request) -> httpx.Response:
    """A model that refuses images that begin with `bad`."""
    if request.content.startswith(b"bad"):
        return json_response(422, REFUSAL)
    return mask_response(form=request.headers["X-Segserve-Form"])


async def test_every_image_has_its_line(gateway: httpx.AsyncClient) -> None:
    """A line has the same classes as the JSON of /v1/segment."""
    response = await send(gateway, form(file(b"one", "1.jpg"), file(b"two", "2.jpg")))
    alone = await gateway.post(
        "/v1/segment", content=b"one", headers={"Accept": "application/json"}
    )
    batch_lines = lines(response)
    assert [(line["index"], line["name"], line["status"]) for line in batch_lines] == [
        (0, "1.jpg", 200),
        (1, "2.jpg", 200),
    ]
    for line in batch_lines:
        assert line["problem"] is None
        assert line["result"]["classes"] == alone.json()["classes"]
        assert line["result"]["request_id"] == response.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("", ""),
        ('; filename=""', ""),
        ("; filename*=UTF-8''c%C3%A4t.jpg", "c\u00e4t.jpg"),
        ("; filename*=iso-8859-1'de'c%E4t.jpg", "c\u00e4t.jpg"),
        ("; filename=plain.jpg; filename*=utf-8''%E4%B8%AD.jpg", "\u4e2d.jpg"),
        ("; filename*=utf-8''%FF%00", "\ufffd\x00"),
        ("; filename*=unicode_escape''%5Cud800", "\\ud800"),
        ('; filename="a*b.jpg"', "a*b.jpg"),
    ],
)
async def test_a_file_has_the_name_that_its_client_means(
    gateway: httpx.AsyncClient, parameters: str, name: str
) -> None:
    """RFC 5987's form is decoded; a file without a name is a file."""
    body = form(part(b"\xff\xd8", f'form-data; name="file"{parameters}'))
    (line,) = lines(await send(gateway, body))
    assert (line["name"], line["status"]) == (name, 200)


async def test_a_bad_image_harms_no_other(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """An image that is refused, empty or too large fails on its own line only."""
    torchserve.predict = refuse_bad_images
    async with client(torchserve, max_image_bytes=1000, max_buffered_bytes=3000) as small:
        body = form(file(b"good"), file(b"bad"), file(b""), file(bytes(1001)), file(b"good"))
        batch_lines = lines(await send(small, body))
    assert [line["status"] for line in batch_lines] == [200, 422, 422, 413, 200]
    assert [line["problem"] and line["problem"]["code"] for line in batch_lines] == [
        None,
        "unreadable_image",
        "unreadable_image",
        "image_too_large",
        None,
    ]
    assert batch_lines[1]["problem"]["detail"] == "No picture."


async def test_parameters_are_those_of_each_image(gateway: httpx.AsyncClient) -> None:
    """Classes, palette, mask and polygons apply to every image."""
    response = await send(
        gateway, form(file(b"one")), classes="person", palette="voc", mask="true", polygons="true"
    )
    (person,) = lines(response)[0]["result"]["classes"]
    assert (person["name"], person["colour"]) == ("person", "#c08080")
    assert person["polygons"]
    assert lines(response)[0]["result"]["mask"]


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ({"classes": "unicorn"}, 422, "It knows: background, person"),
        ({"model": "other"}, 404, "There is: deeplabv3"),
        ({"version": "9.9"}, 404, "It has: 1.0"),
    ],
)
async def test_an_error_of_all_images_fails_the_request(
    gateway: httpx.AsyncClient, query: dict[str, str], status: int, detail: str
) -> None:
    """An unknown class, model or version fails the request, instead of every line."""
    response = await send(gateway, form(file(b"one"), file(b"two")), **query)
    assert response.status_code == status
    assert detail in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (form(), "no field 'file'"),
        (form(part(b"x", 'form-data; name="note"')), "no field 'file'"),
        (form(file(b"x"))[:-10], "closing boundary"),
        (b"no form", "malformed"),
        (form(*[file(b"x")] * 101), "more than 100 parts"),
        (form(part(b"x", 'form-data; name="file"')), "without a file name"),
    ],
)
async def test_a_wrong_form_is_refused_as_a_whole(
    gateway: httpx.AsyncClient, body: bytes, detail: str
) -> None:
    """A malformed form is a 422 without lines."""
    response = await send(gateway, body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert detail in response.json()["detail"]


async def test_a_refused_batch_leaves_the_memory_to_others(torchserve: TorchServeDouble) -> None:
    """A refused batch returns its memory, also of complete images that were not started."""
    cut = form(file(bytes(800)), file(b"x"))[:-10]
    limits = {"max_image_bytes": 1000, "max_buffered_bytes": 1000}
    async with client(torchserve, **limits) as gateway:
        refused = await send(gateway, cut)
        response = await send(gateway, form(file(bytes(800))))
    assert refused.status_code == 422
    assert [line["status"] for line in lines(response)] == [200]


async def test_a_batch_has_a_limit_of_its_own(torchserve: TorchServeDouble) -> None:
    """max_batch_bytes limits all images together."""
    body = form(*[file(bytes(800_000))] * 4)
    async with client(torchserve, max_batch_bytes=2_000_000) as gateway:
        response = await send(gateway, body)
    assert (response.status_code, response.json()["code"]) == (413, "image_too_large")


async def test_a_batch_has_its_time_to_arrive(torchserve: TorchServeDouble) -> None:
    """A stalled batch is a 504 after batch_deadline_s, and its memory is returned."""
    never = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield form(file(b"one"), file(bytes(1000)))[:-500]
        await never.wait()

    async with client(torchserve, batch_deadline_s=0.3) as gateway:
        response = await send(gateway, half())
        metrics = (await gateway.get("/metrics")).text
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    assert "0.3 seconds" in response.json()["detail"]
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics


async def test_images_are_computed_while_others_arrive(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The first image is at the model before the last has arrived."""
    seen: list[int] = []

    async def slowly() -> AsyncIterator[bytes]:
        for index in range(3):
            yield file(f"image {index}".encode())
            await asyncio.sleep(0.05)
            seen.append(len(torchserve.predictions))
        yield form()

    assert len(lines(await send(gateway, slowly()))) == 3
    assert seen == [0, 1, 2]  # a file ends where the next part begins


async def test_images_larger_than_the_memory_together_are_taken_one_by_one(
    torchserve: TorchServeDouble,
) -> None:
    """The next image is not read while others of the batch hold the memory."""

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)
        return mask_response(form=request.headers["X-Segserve-Form"])

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    torchserve.predict = slow
    body = form(*[file(bytes(500_000))] * 6)
    limits = {"max_image_bytes": 600_000, "max_buffered_bytes": 1_200_000}
    async with client(torchserve, **limits) as gateway:
        batch_lines = lines(await send(gateway, pieces(body)))
    assert [line["status"] for line in batch_lines] == [200] * 6


def request_of(*pieces: bytes) -> Request:
    """A request with a form that arrives in these pieces."""
    messages = iter([{"type": "http.request", "body": each, "more_body": True} for each in pieces])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.request"})

    headers = [(b"content-type", FORM_TYPE.encode())]
    return Request({"type": "http", "headers": headers}, receive)


@pytest.mark.parametrize("before", [[500], [1] * 9], ids=["memory", "a slot"])
async def test_a_client_that_is_made_to_wait_is_not_slow(before: list[int]) -> None:
    """The time in which the gateway does not read a batch does not make its client slow."""
    clock, ready = Clock(), asyncio.Event()
    budget = UploadBudget(1000, clock)
    sizes: list[int] = []

    async def work(item: Item) -> bytes:
        sizes.append(item.image.size)
        await ready.wait()
        return b""

    last = file(bytes(600))
    first = b"".join([*(file(bytes(size)) for size in before), last[:400]])
    batch = Batch(budget, 1000)

    async def read() -> None:
        async for item in batch.read(request_of(first, last[400:], form()), 10_000):
            batch.start(item, work(item))

    reading = asyncio.create_task(read())
    while not sizes:
        await asyncio.sleep(0)
    clock.now += 60
    with budget.upload() as other, pytest.raises(OverloadedError):
        other.append(memoryview(bytes(800)))
    ready.set()
    await reading
    assert [line async for line in batch.lines()] == [b""] * (len(before) + 1)
    assert sizes == [*before, 600]
    assert budget.receiving == set()


async def test_one_batch_leaves_slots_to_others(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """At most eight images of a batch are at the model at once."""
    running = most = 0

    async def counted(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return mask_response(form=request.headers["X-Segserve-Form"])

    torchserve.predict = counted
    assert len(lines(await send(gateway, form(*[file(b"x")] * 40)))) == 40
    assert most == 8


async def test_a_fault_of_the_gateway_is_one_images_problem(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """An unexpected exception is a 500 on one line; the other lines are sent."""

    async def breaks(request: httpx.Request) -> httpx.Response:
        if request.content == b"breaks":
            raise RuntimeError("unforeseen")
        return mask_response(form=request.headers["X-Segserve-Form"])

    torchserve.predict = breaks
    batch_lines = lines(await send(gateway, form(file(b"x"), file(b"breaks"))))
    assert [line["status"] for line in batch_lines] == [200, 500]
    assert batch_lines[1]["problem"]["code"] == "internal_error"
    assert "unforeseen" not in json.dumps(batch_lines)


async def test_an_evicted_image_is_its_own_lines_problem() -> None:
    """An evicted image is `overloaded` on its own line."""
    budget = UploadBudget(1000)
    item = Item(0, "slow.jpg", budget, 1000)
    item.append(memoryview(bytes(600)))
    item.image.evict()
    item.append(memoryview(bytes(10)))
    item.complete()
    assert isinstance(item.error, OverloadedError)
    assert (budget.held, budget.receiving) == (0, set())
