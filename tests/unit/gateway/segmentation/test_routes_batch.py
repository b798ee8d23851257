"""A batch: every image for itself, computed as it arrives, and nothing is left of it."""

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
    json_answer,
    mask_answer,
    part,
)

pytestmark = pytest.mark.anyio

REFUSAL = {"code": "unreadable_image", "detail": "No picture."}


def file(content: bytes, name: str = "a.jpg") -> bytes:
    """One image of a form."""
    return part(content, f'form-data; name="file"; filename="{name}"')


async def send(gateway: httpx.AsyncClient, content: Any, **query: Any) -> httpx.Response:
    """Posts a form."""
    headers = {"Content-Type": FORM_TYPE}
    url = "/v1/segment/batch"
    return await gateway.post(url, content=content, headers=headers, params=query)


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    """The lines of an answer in the order of the files."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    found = [json.loads(line) for line in answer.text.splitlines()]
    return sorted(found, key=lambda line: int(line["index"]))


async def refuse_the_bad(request: httpx.Request) -> httpx.Response:
    """A model that takes some images only."""
    if request.content.startswith(b"bad"):
        return json_answer(422, REFUSAL)
    return mask_answer(form=request.headers["X-Segserve-Form"])


async def test_every_image_has_its_line(gateway: httpx.AsyncClient) -> None:
    """With what /v1/segment says of it as JSON."""
    answer = await send(gateway, form(file(b"one", "1.jpg"), file(b"two", "2.jpg")))
    alone = await gateway.post(
        "/v1/segment", content=b"one", headers={"Accept": "application/json"}
    )
    told = lines(answer)
    assert [(line["index"], line["name"], line["status"]) for line in told] == [
        (0, "1.jpg", 200),
        (1, "2.jpg", 200),
    ]
    for line in told:
        assert line["problem"] is None
        assert line["result"]["classes"] == alone.json()["classes"]
        assert line["result"]["request_id"] == answer.headers["X-Request-ID"]


async def test_a_bad_image_harms_no_other(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """Refused by the model, empty, or too large: each is its own line's problem."""
    torchserve.predict = refuse_the_bad
    async with client(torchserve, max_image_bytes=1000, max_buffered_bytes=3000) as small:
        body = form(file(b"good"), file(b"bad"), file(b""), file(bytes(1001)), file(b"good"))
        told = lines(await send(small, body))
    assert [line["status"] for line in told] == [200, 422, 422, 413, 200]
    assert [line["problem"] and line["problem"]["code"] for line in told] == [
        None,
        "unreadable_image",
        "unreadable_image",
        "image_too_large",
        None,
    ]
    assert told[1]["problem"]["detail"] == "No picture."


async def test_parameters_are_those_of_each_image(gateway: httpx.AsyncClient) -> None:
    """Classes, palette, and how much is told."""
    answer = await send(
        gateway, form(file(b"one")), classes="person", palette="voc", mask="true", polygons="true"
    )
    (found,) = lines(answer)[0]["result"]["classes"]
    assert (found["name"], found["colour"]) == ("person", "#c08080")
    assert found["polygons"]
    assert lines(answer)[0]["result"]["mask"]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"classes": "unicorn"}, 422, "It knows: background, person"),
        ({"model": "other"}, 404, "There is: deeplabv3"),
        ({"version": "9.9"}, 404, "It has: 1.0"),
    ],
)
async def test_what_every_image_would_fail_with_is_told_at_once(
    gateway: httpx.AsyncClient, query: dict[str, str], status: int, says: str
) -> None:
    """Not on every line, after 256 MiB have been sent."""
    answer = await send(gateway, form(file(b"one"), file(b"two")), **query)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (form(), "no field 'file'"),
        (form(part(b"x", 'form-data; name="note"')), "no field 'file'"),
        (form(file(b"x"))[:-10], "closing boundary"),
        (b"no form", "malformed"),
        (form(*[file(b"x")] * 101), "more than 100 parts"),
        (form(part(b"x", 'form-data; name="file"')), "no file name"),
    ],
)
async def test_a_wrong_form_is_refused_as_a_whole(
    gateway: httpx.AsyncClient, body: bytes, says: str
) -> None:
    """Before a line is sent."""
    answer = await send(gateway, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert says in answer.json()["detail"]


async def test_a_refused_batch_leaves_the_memory_to_others(torchserve: TorchServeDouble) -> None:
    """Also what its first images held, which were complete and had not begun to be computed."""
    cut = form(file(bytes(800)), file(b"x"))[:-10]
    limits = {"max_image_bytes": 1000, "max_buffered_bytes": 1000}
    async with client(torchserve, **limits) as gateway:
        refused = await send(gateway, cut)
        answer = await send(gateway, form(file(bytes(800))))
    assert refused.status_code == 422
    assert [line["status"] for line in lines(answer)] == [200]


async def test_a_batch_has_a_limit_of_its_own(torchserve: TorchServeDouble) -> None:
    """In bytes of all images together."""
    body = form(*[file(bytes(800_000))] * 4)
    async with client(torchserve, max_batch_bytes=2_000_000) as gateway:
        answer = await send(gateway, body)
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


async def test_a_batch_has_its_time_to_arrive(torchserve: TorchServeDouble) -> None:
    """Half of a form, and then nothing: what came of it is let go."""
    never = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield form(file(b"one"), file(bytes(1000)))[:-500]
        await never.wait()

    async with client(torchserve, batch_deadline_s=0.3) as gateway:
        answer = await send(gateway, half())
        metrics = (await gateway.get("/metrics")).text
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert "0.3 seconds" in answer.json()["detail"]
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics


async def test_images_are_computed_while_others_arrive(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The first is at the model before the last is sent."""
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
    """While one of a batch holds the memory, the next is not read."""

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.02)
        return mask_answer(form=request.headers["X-Segserve-Form"])

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    torchserve.predict = slow
    body = form(*[file(bytes(500_000))] * 6)
    limits = {"max_image_bytes": 600_000, "max_buffered_bytes": 1_200_000}
    async with client(torchserve, **limits) as gateway:
        told = lines(await send(gateway, pieces(body)))
    assert [line["status"] for line in told] == [200] * 6


def request_of(*pieces: bytes) -> Request:
    """A form that arrives in these pieces."""
    messages = iter([{"type": "http.request", "body": each, "more_body": True} for each in pieces])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.request"})

    headers = [(b"content-type", FORM_TYPE.encode())]
    return Request({"type": "http", "headers": headers}, receive)


@pytest.mark.parametrize("before", [[500], [1] * 9], ids=["memory", "a turn"])
async def test_a_client_that_is_made_to_wait_is_not_slow(before: list[int]) -> None:
    """Whatever of the batch's own images is waited for, and whoever else wants the memory."""
    clock, ready = Clock(), asyncio.Event()
    memory = UploadBudget(1000, clock)
    sizes: list[int] = []

    async def work(item: Item) -> bytes:
        sizes.append(item.image.size)
        await ready.wait()
        return b""

    last = file(bytes(600))
    first = b"".join([*(file(bytes(size)) for size in before), last[:400]])
    batch = Batch(memory, 1000)

    async def read() -> None:
        async for item in batch.read(request_of(first, last[400:], form()), 10_000):
            batch.start(item, work(item))

    reading = asyncio.create_task(read())
    while not sizes:
        await asyncio.sleep(0)
    clock.now += 60
    with memory.upload() as other, pytest.raises(OverloadedError):
        other.append(memoryview(bytes(800)))
    ready.set()
    await reading
    assert [line async for line in batch.lines()] == [b""] * (len(before) + 1)
    assert sizes == [*before, 600]
    assert memory.receiving == set()


async def test_one_batch_leaves_turns_to_others(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """At most eight of its images are at the model at once."""
    running = most = 0

    async def counted(request: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return mask_answer(form=request.headers["X-Segserve-Form"])

    torchserve.predict = counted
    assert len(lines(await send(gateway, form(*[file(b"x")] * 40)))) == 40
    assert most == 8


async def test_a_fault_of_the_gateway_is_one_images_problem(
    gateway: httpx.AsyncClient, torchserve: TorchServeDouble
) -> None:
    """The others' lines are sent all the same."""

    async def breaks(request: httpx.Request) -> httpx.Response:
        if request.content == b"breaks":
            raise RuntimeError("unforeseen")
        return mask_answer(form=request.headers["X-Segserve-Form"])

    torchserve.predict = breaks
    told = lines(await send(gateway, form(file(b"x"), file(b"breaks"))))
    assert [line["status"] for line in told] == [200, 500]
    assert told[1]["problem"]["code"] == "internal_error"
    assert "unforeseen" not in json.dumps(told)


async def test_an_image_given_up_for_others_is_its_own_lines_problem() -> None:
    """The rest of the batch goes on."""
    memory = UploadBudget(1000)
    item = Item(0, "slow.jpg", memory, 1000)
    item.append(memoryview(bytes(600)))
    item.image.evict()
    item.append(memoryview(bytes(10)))
    item.complete()
    assert isinstance(item.error, OverloadedError)
    assert (memory.held, memory.receiving) == (0, set())
