"""The gate of a promotion asks every node for the masks of the archive's photographs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import numpy as np
import pytest

from gateway.admin.golden import MOST_PIXELS, NOTHING
from gateway.masks.grey_png import chunk, encode_grey
from gateway.traffic.fan_out import FanOut
from tests.key_store import key_store
from tests.unit.gateway.admin.conftest import MODEL, archive, evaluate, hear
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import (
    TorchServeDouble,
    application,
    json_response,
    mask_response,
    send,
)

pytestmark = pytest.mark.anyio

IDS = np.arange(200, dtype=np.uint8).reshape(10, 20) % 3
PHOTOGRAPHS = {"golden/cat.jpg": b"a cat", "golden/dog.jpg": b"a dog"}
GOLDEN = PHOTOGRAPHS | {name.replace(".jpg", ".png"): encode_grey(IDS) for name in PHOTOGRAPHS}


class Node:
    """A TorchServe whose worker answers with these class ids, as this version; a gateway's data."""

    def __init__(self) -> None:
        self.folder = data_folder()
        self.torchserve = TorchServeDouble()
        self.torchserve.versions = {"1.0": 2, "2.0": 2}
        self.torchserve.predict = self._predict
        self.ids = IDS
        self.version = "2.0"
        self.answers = asyncio.Event()
        self.answers.set()

    async def _predict(self, request: httpx.Request) -> httpx.Response:
        await self.answers.wait()
        response = mask_response(encode_grey(self.ids))
        if self.version:
            response.headers["X-Model-Version"] = self.version
        return response


@asynccontextmanager
async def running(node: Node, **golden: str | bytes) -> AsyncIterator[httpx.AsyncClient]:
    """An admin's client of a gateway with a stable 1.0, and 2.0 with these golden masks."""
    _, key = key_store(node.folder).add("boss", "admin")
    app = application(node.torchserve, auth="on", data_dir=node.folder)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://127.0.0.1",
            headers={"Authorization": f"Bearer {key}"},
        ) as client,
    ):
        for version, files in (("1.0", {}), ("2.0", golden)):
            data = archive(version, **files)
            added = await client.post(f"{MODEL}/versions", content=data)
            assert added.status_code == 201, added.text
            await evaluate(client, version, 0.7)
        hear(node.folder, "1.0", "2.0")
        await client.post(f"{MODEL}/promote", json={"version": "1.0"})
        yield client


async def promoted(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    """The answer to the promotion of 2.0."""
    return await client.post(f"{MODEL}/promote", json={"version": "2.0", **body})


async def test_masks_as_they_were_at_the_build_open_the_gate() -> None:
    """Each photograph is sent once; the finding says how far they agree."""
    node = Node()
    async with running(node, **GOLDEN) as client:
        answer = await promoted(client)
    assert answer.status_code == 200, answer.text
    expected = "golden masks on node: at least 100.00% of the pixels of 2 photographs agree"
    assert expected in answer.json()["verdict"]["findings"]
    assert [each.content for each in node.torchserve.predictions] == [*PHOTOGRAPHS.values()]
    assert {each.url.path for each in node.torchserve.predictions} == {"/predictions/deeplabv3/2.0"}


async def test_other_masks_close_the_gate() -> None:
    """As of a node that has other weights; stable is untouched."""
    node = Node()
    node.ids = IDS.copy()
    node.ids[0, :3] = 7
    async with running(node, **GOLDEN) as client:
        answer = await promoted(client)
        aliases = (await client.get(MODEL)).json()["aliases"]
    assert (answer.status_code, answer.json()["reasons"]) == (
        409,
        [
            "golden masks on node differ: cat.jpg 98.50%, dog.jpg 98.50% of the pixels agree, "
            "99.0% are needed"
        ],
    )
    assert aliases == {"stable": "1.0"}


@pytest.mark.parametrize(
    ("version", "words"),
    [("1.0", "the answer is of version 1.0, not of 2.0"), ("", "of no version, not of 2.0")],
)
async def test_an_answer_of_another_version_closes_the_gate(version: str, words: str) -> None:
    """Whatever its masks are."""
    node = Node()
    node.version = version
    async with running(node, **GOLDEN) as client:
        (reason,) = (await promoted(client)).json()["reasons"]
    assert reason.startswith("golden masks on node: ")
    assert words in reason


async def test_a_node_that_fails_closes_the_gate() -> None:
    """With the reason that users would get."""
    node = Node()

    async def fail(_: httpx.Request) -> httpx.Response:
        return json_response(503, {"code": "model_unavailable", "detail": "It computed NaN."})

    node.torchserve.predict = fail
    async with running(node, **GOLDEN) as client:
        assert (await promoted(client)).json()["reasons"] == [
            "golden masks on node: It computed NaN"
        ]
        node.torchserve.down = httpx.ConnectError("refused")
        (reason,) = (await promoted(client)).json()["reasons"]
    assert "does not run, or is starting" in reason


async def test_a_node_that_is_silent_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a bounded time, and its slot is free again."""
    node = Node()
    node.answers.clear()
    impatient = partial(FanOut, within_s=0.05)
    monkeypatch.setattr("gateway.serving.FanOut", impatient)
    async with running(node, **GOLDEN) as client:
        assert (await promoted(client)).json()["reasons"] == [
            "golden masks on node: no answer within 0 s"
        ]
        node.answers.set()
        assert (await promoted(client)).status_code == 200


async def test_a_mask_of_another_size_closes_the_gate() -> None:
    """It is never resized."""
    node = Node()
    node.ids = IDS.T
    async with running(node, **GOLDEN) as client:
        (reason,) = (await promoted(client)).json()["reasons"]
    assert "the answer to cat.jpg is no mask of it: 10 x 20 pixels" in reason


async def test_an_archive_without_golden_masks_is_judged_by_the_rest() -> None:
    """A note says so, and no node is asked; a photograph without a mask is none."""
    alone: dict[str, str | bytes] = {"golden/cat.jpg": b"a cat", "golden/SOURCES.md": "me"}
    for golden in ({}, alone):
        node = Node()
        async with running(node, **golden) as client:
            answer = await promoted(client)
        assert answer.status_code == 200, answer.text
        assert NOTHING in answer.json()["verdict"]["unknown"]
        assert node.torchserve.predictions == []


def _of_size(width: int, height: int) -> bytes:
    """A mask that claims a size, with few pixels."""
    png = bytearray(encode_grey(IDS))
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\0\0\0\0"
    return bytes(png[:8] + chunk(b"IHDR", header) + png[33:])


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (b"no png", "cat.jpg in the archive is no mask"),
        (_of_size(MOST_PIXELS, 2), "are the most"),
        (_of_size(1000, 1000), "cat.jpg in the archive is no mask: less pixel data"),
    ],
)
async def test_a_golden_mask_that_is_none_closes_the_gate(mask: bytes, words: str) -> None:
    """Before any node is asked, and before it takes memory."""
    node = Node()
    async with running(node, **GOLDEN | {"golden/cat.png": mask}) as client:
        (reason,) = (await promoted(client)).json()["reasons"]
    assert words in reason
    assert node.torchserve.predictions == []


async def test_a_forced_promotion_asks_no_node() -> None:
    """It is for the moment when nodes do not answer; the answer says what was left out."""
    node = Node()
    node.answers.clear()
    async with running(node, **GOLDEN) as client:
        answer = await promoted(client, force=True, why="an emergency")
    assert answer.status_code == 200, answer.text
    assert any(
        "golden masks were not asked" in each for each in answer.json()["verdict"]["unknown"]
    )
    assert node.torchserve.predictions == []


async def test_an_archive_that_the_store_has_lost_closes_the_gate() -> None:
    """With the store's own line, as nothing is known of its masks."""
    node = Node()
    async with running(node, **GOLDEN) as client:
        sha256 = (await client.get(f"{MODEL}/versions/2.0")).json()["sha256"]
        found = node.folder / "archives" / f"{sha256}.mar"
        found.write_bytes(b"x" + found.read_bytes()[1:])
        (reason,) = (await promoted(client)).json()["reasons"]
        assert "is damaged. Add the same archive again" in reason
        found.unlink()
        (reason,) = (await promoted(client)).json()["reasons"]
    assert "has no archive" in reason


async def test_they_are_no_users_images() -> None:
    """Neither the canary's behaviour nor the metrics count them."""
    node = Node()
    node.torchserve.aliases, node.torchserve.canary_percent = {"canary": "2.0"}, 5
    async with running(node, **GOLDEN) as client:
        await send(client, params={"version": "1.0"})
        for _ in range(2):
            reasons = (await promoted(client)).json()["reasons"]
            assert reasons == ["the canary had 0 requests, 100 are needed"]
        lines = (await client.get("/metrics")).text.splitlines()
    assert len(node.torchserve.predictions) == 1 + 2 * len(PHOTOGRAPHS)
    counted = [each for each in lines if each.startswith("segserve_images_total{")]
    assert [each.rpartition(" ")[2] for each in counted] == ["1.0"], counted


async def test_a_repeated_promotion_asks_once() -> None:
    """With an Idempotency-Key a retry gets the first answer."""
    node = Node()
    async with running(node, **GOLDEN) as client:
        headers = {"Idempotency-Key": "again"}
        body = {"version": "2.0"}
        answers = [await client.post(f"{MODEL}/promote", json=body, headers=headers)]
        await client.post(f"{MODEL}/rollback", json={})  # 2.0 could be promoted again
        answers.append(await client.post(f"{MODEL}/promote", json=body, headers=headers))
    assert answers[0].content == answers[1].content
    assert len(node.torchserve.predictions) == len(PHOTOGRAPHS)
