"""The client of the inference API."""

import re
import time
from dataclasses import replace

import aiohttp
import httpx
import pytest

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import ModelUnavailableError, NodeUnreachableError
from gateway.torchserve.inference import (
    Address,
    InferenceClient,
    PredictRequest,
    PredictResponse,
    Target,
)
from gateway.torchserve.transport import Response, Timeouts
from tests.unit.gateway.doubles import TorchServeDouble, mask_png, mask_response, refused

pytestmark = pytest.mark.anyio

TARGET = Target("deeplabv3", "1.0")
NODE = Address("http://127.0.0.1:8080", "a-token")


async def _predict(
    torchserve: TorchServeDouble,
    data: bytes = b"photo",
    options: str | None = None,
    target: Target = TARGET,
    node: Address = NODE,
) -> PredictResponse:
    with UploadBudget(len(data)).upload() as image:
        image.append(memoryview(data))
        inference = InferenceClient(torchserve, Timeouts(connect_s=5, read_s=5))
        request = PredictRequest("an-id", options, time.monotonic() + 30)
        return await inference.predict(target, image, request, node)


@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
async def test_the_image_is_sent_raw_to_an_explicit_version(
    torchserve: TorchServeDouble, size: int
) -> None:
    """The client's bytes are sent unchanged, with their length and the request id."""
    await _predict(torchserve, bytes(size))
    sent = torchserve.predictions[0]
    assert (sent.method, sent.url.path) == ("POST", "/predictions/deeplabv3/1.0")
    assert sent.content == bytes(size)
    assert sent.headers["Content-Type"] == "application/octet-stream"
    assert sent.headers["Content-Length"] == str(size)
    assert "Transfer-Encoding" not in sent.headers
    assert sent.headers["X-Request-ID"] == "an-id"
    timeout = sent.headers["X-Segserve-Timeout"]
    match = re.fullmatch(r"(\S+); sender=(\w+); sent=(\S+)", timeout)
    assert match, timeout
    left, _, since = match.groups()
    assert 29 < float(left) <= 30
    assert abs(float(since) - time.monotonic()) < 1
    assert "X-Segserve-Form" not in sent.headers


async def test_any_name_that_an_archive_may_have_can_be_requested(
    torchserve: TorchServeDouble,
) -> None:
    """Names of models and versions are quoted in the URL."""
    await _predict(torchserve, target=Target("my model?", "1.0 beta/#2"))
    path = torchserve.predictions[0].url.raw_path
    assert path == b"/predictions/my%20model%3F/1.0%20beta/%232"


@pytest.mark.parametrize(
    ("token", "expected"), [("a-token", "Bearer a-token"), ("", None)], ids=["with", "without"]
)
async def test_a_node_gets_its_own_token(
    torchserve: TorchServeDouble, token: str, expected: str | None
) -> None:
    """At its own address; one that requires none is shown none."""
    await _predict(torchserve, node=Address("http://192.0.2.7:9090", token))
    (sent,) = torchserve.predictions
    assert str(sent.url) == "http://192.0.2.7:9090/predictions/deeplabv3/1.0"
    assert sent.headers.get("Authorization") == expected


class _OddTorchServe(TorchServeDouble):
    """A foreign model with one header."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__()
        self._headers = {name: value}

    async def post(self, *_: object) -> Response:
        return Response(200, self._headers, mask_png())


async def test_the_number_of_tiles_is_passed_on() -> None:
    """It has no duration: the tiles' time is that of the stage infer."""
    sent = "infer;dur=612.50, encode;dur=9.1, tiles;desc=24"
    assert (await _predict(_OddTorchServe("Server-Timing", sent))).timings == sent


@pytest.mark.parametrize(
    "timings",
    [
        "\udce9;dur=1",
        "infer;dur=nan",
        "infer;dur=inf",
        "infer;dur=-1",
        "infer;dur=1.2.3",
        "infer;dur=1e999",
        "infer;dur=" + "9" * 400,
        "infer;dur=1\x01",
        "infer;dur=1\r\nX: y",
        "infer;dur=1\n",
        "infer;dur=\u0661",
        "tiles;desc=many",
        "tiles;desc=-1",
        "tiles;desc=1234567",
        'tiles;desc="24"',
    ],
)
async def test_timings_that_cannot_be_passed_on_are_left_out(timings: str) -> None:
    """They are no part of the result, and the mask is sound."""
    assert (await _predict(_OddTorchServe("Server-Timing", timings))).timings == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("X-Confidence", value)
            for value in ("nan", "NaN", "inf", "-inf", "1.1", "-0.5", "1e-3", "0.5\x00", "0.5\n")
        ),
        *(
            ("X-Class-Confidence", value)
            for value in ("0=nan", "0=0.5,15=inf", "0=0.5,", "0=2", "x=0.5", "0=0.5\x01", "0")
        ),
        *(
            ("X-Class-Pixels", value)
            for value in ("0=nan", "0=-3", "0=1.5", "0=9,15=3\x7f", "0=9\r\nA: b", "\udce9", "0=")
        ),
    ],
)
async def test_a_result_whose_numbers_are_none_is_the_versions_fault(name: str, value: str) -> None:
    """NaN, infinity, other text and control characters never become part of a response."""
    with pytest.raises(ModelUnavailableError, match=r"^Version 1\.0 answered with values"):
        await _predict(_OddTorchServe(name, value))


async def test_the_options_are_sent_along(torchserve: TorchServeDouble) -> None:
    """The render options are sent in X-Segserve-Form."""
    await _predict(torchserve, options='{"render":"cutout"}')
    assert torchserve.predictions[0].headers["X-Segserve-Form"] == '{"render":"cutout"}'


async def test_the_response_is_the_mask_and_its_facts(torchserve: TorchServeDouble) -> None:
    """The response has the mask and the values of the handler's headers."""
    response = await _predict(torchserve)
    assert 0 < response.seconds < 10
    assert vars(replace(response, seconds=0.0)) == {
        "seconds": 0.0,
        "png": mask_png(),
        "class_pixels": "0=9,15=3",
        "timings": "infer;dur=17.0",
        "confidence": "0.9312",
        "class_confidence": "",
        "version": "",
    }


@pytest.mark.parametrize(
    "kind", [aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError]
)
async def test_a_broken_connection_is_tried_once_more(
    torchserve: TorchServeDouble, kind: type[aiohttp.ClientError]
) -> None:
    """A connection that a restart closed costs no request: the image is sent again."""

    async def broken_once(request: httpx.Request) -> httpx.Response:
        if len(torchserve.predictions) == 1:
            raise kind
        return mask_response()

    torchserve.predict = broken_once
    await _predict(torchserve, bytes(300_000))
    assert [len(sent.content) for sent in torchserve.predictions] == [300_000, 300_000]


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (aiohttp.ServerDisconnectedError(), 2),
        (refused(), 1),
        (aiohttp.ConnectionTimeoutError(), 1),
    ],
)
async def test_it_is_tried_twice_at_most(
    torchserve: TorchServeDouble, failure: aiohttp.ClientError, tries: int
) -> None:
    """A failing server is not retried more than once."""

    async def broken(request: httpx.Request) -> httpx.Response:
        raise failure

    torchserve.predict = broken
    with pytest.raises(NodeUnreachableError):
        await _predict(torchserve)
    assert len(torchserve.predictions) == tries
