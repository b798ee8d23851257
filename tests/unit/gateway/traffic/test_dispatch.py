"""Dispatch: the node with least in flight, and once another one if the first is out of reach."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import aiohttp
import httpx
import pytest
from yarl import URL

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import (
    DeadlineExceededError,
    GatewayError,
    ModelUnavailableError,
    NodeUnreachableError,
    NoWorkerFreeError,
    UnreadableImageError,
    WorkerDiedError,
)
from gateway.torchserve.inference import InferenceClient, PredictRequest, PredictResponse, Target
from gateway.torchserve.transport import Response, Timeouts
from gateway.traffic.dispatch import Dispatcher
from gateway.traffic.fleet import Fleet
from gateway.traffic.nodes import NodeLoads
from gateway.traffic.report import Report, VersionReport
from tests.unit.gateway.doubles import (
    DIGEST,
    MODEL,
    NO_WORKER,
    json_response,
    mask_response,
    refused,
)
from tests.unit.gateway.traffic.models import Clock

pytestmark = pytest.mark.anyio

TARGET = Target(MODEL, "1.0")
Answer = Callable[[], Awaitable[httpx.Response]]


async def _mask() -> httpx.Response:
    return mask_response()


def failing(failure: Exception) -> Answer:
    """A node that is out of reach."""

    async def answer() -> httpx.Response:
        raise failure

    return answer


def refusing(status: int, **fields: object) -> Answer:
    """A node that answers with an error."""

    async def answer() -> httpx.Response:
        return json_response(status, fields)

    return answer


class Nodes:
    """Nodes by name, whose TorchServes answer as a test says; and a gateway's dispatch to them."""

    def __init__(self, digest: str = DIGEST, **answers: Answer) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.tokens: dict[str, str] = {}
        self.clock = Clock()
        self.fleet = Fleet(self.clock)
        self.fleet.tick()
        for name in answers:
            self.report(name)
        self.loads = NodeLoads(self.clock, lambda nodes: min(nodes, key=lambda each: each.name))
        inference = InferenceClient(self, Timeouts(connect_s=5, read_s=5))
        self.dispatcher = Dispatcher(inference, self.fleet, self.loads, lambda *_: digest)

    def report(self, name: str, workers: int = 1, sha256: str = DIGEST) -> None:
        """Let an agent report that its node has the version."""
        versions = {"1.0": VersionReport(sha256, "ready" if workers else "loading", workers, 2)}
        report = Report(name, f"http://{name}:8080", f"token of {name}", models={MODEL: versions})
        self.fleet.heard(report)

    async def post(
        self,
        url: URL,
        headers: Mapping[str, str],
        body: AsyncIterator[bytes | bytearray],
        timeouts: Timeouts,
    ) -> Response:
        """The inference API of a node."""
        name = str(url.host)
        self.asked.append(name)
        self.tokens[name] = headers["Authorization"]
        assert b"".join([block async for block in body]) in (b"photo", b"")
        response = await self.answers[name]()
        return Response(response.status_code, response.headers, response.content)

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def predict(self) -> PredictResponse:
        """Send an image."""
        with UploadBudget(5).upload() as image:
            image.append(memoryview(b"photo"))
            request = PredictRequest("an-id", None, time.monotonic() + 30)
            return await self.dispatcher.predict(TARGET, image, request)


async def test_an_image_goes_to_a_node_with_its_own_token() -> None:
    """At the address that its agent reports."""
    nodes = Nodes(a=_mask)
    assert (await nodes.predict()).class_pixels == "0=9,15=3"
    assert (nodes.asked, nodes.tokens) == (["a"], {"a": "Bearer token of a"})
    assert nodes.loads.in_flight("a") == 0


async def test_without_a_node_the_version_is_unavailable() -> None:
    """None, one that still loads it, one that was not heard for long."""
    nodes = Nodes()
    with pytest.raises(NoWorkerFreeError, match="has no worker that is ready"):
        await nodes.predict()
    nodes.report("a", workers=0)
    with pytest.raises(NoWorkerFreeError, match="has no worker that is ready"):
        await nodes.predict()
    nodes.report("a")
    for _ in range(25):
        nodes.clock.now += 0.5
        nodes.fleet.tick()
    with pytest.raises(NoWorkerFreeError, match="has no worker that is ready"):
        await nodes.predict()
    assert nodes.asked == []


async def test_the_seed_before_serves_until_a_node_has_the_one_that_was_built_again() -> None:
    """Then that node gets all; but golden masks are asked of none that has other bytes."""
    nodes = Nodes(a=_mask, b=_mask)
    nodes.report("a", sha256="e" * 64)
    nodes.report("b", workers=0)
    assert nodes.dispatcher.nodes(TARGET) == []
    await nodes.predict()
    assert nodes.asked == ["a"]
    nodes.report("b")
    await nodes.predict()
    assert nodes.asked == ["a", "b"]


async def test_a_version_without_a_known_digest_goes_anywhere() -> None:
    """The registry may lack it."""
    nodes = Nodes(digest="", a=_mask)
    nodes.report("a", sha256="e" * 64)
    assert (await nodes.predict()).png


async def test_the_node_with_fewest_in_flight_for_its_workers_is_next() -> None:
    """Three workers get three times as much as one."""
    release = asyncio.Event()

    async def blocked() -> httpx.Response:
        await release.wait()
        return mask_response()

    nodes = Nodes(a=blocked, b=blocked)
    nodes.report("b", workers=3)
    sent = [asyncio.create_task(nodes.predict()) for _ in range(8)]
    await asyncio.sleep(0.05)
    assert Counter(nodes.asked) == {"a": 2, "b": 6}
    assert (nodes.loads.in_flight("a"), nodes.loads.in_flight("b")) == (2, 6)
    release.set()
    await asyncio.gather(*sent)
    assert (nodes.loads.in_flight("a"), nodes.loads.in_flight("b")) == (0, 0)


MISSING = refusing(404, code=404, type="ModelVersionNotFoundException", message="Model version")
NO_WORKER_FREE = refusing(503, **NO_WORKER)
REFUSED = refusing(400, code=400, type="InvalidKeyException", message="Token Authorization failed")
ELSEWHERE = {
    "refused": (failing(refused()), 1),
    "connect timeout": (failing(aiohttp.ConnectionTimeoutError()), 1),
    # A kept-alive connection may have ended just then: the same node is asked once more.
    "broken": (failing(aiohttp.ServerDisconnectedError()), 2),
    "cut off": (failing(aiohttp.ClientPayloadError()), 2),
    "version unloaded": (MISSING, 1),
    "token of the start before": (REFUSED, 1),
}
ELSEWHERE_TOO = ELSEWHERE | {"its worker crashed": (NO_WORKER_FREE, 1)}


@pytest.mark.parametrize(("answer", "tries"), ELSEWHERE_TOO.values(), ids=ELSEWHERE_TOO)
async def test_an_image_that_a_node_cannot_take_goes_to_another(answer: Answer, tries: int) -> None:
    """The client notices nothing; the node rests, and gets none of the next images."""
    nodes = Nodes(a=answer, b=_mask)
    assert (await nodes.predict()).png
    assert nodes.asked == ["a"] * tries + ["b"]
    await nodes.predict()
    assert nodes.asked[tries + 1 :] == ["b"]
    nodes.clock.now += 1.1
    nodes.report("a")
    nodes.answers["a"] = _mask
    await nodes.predict()
    assert nodes.asked[-1] == "a"


@pytest.mark.parametrize(("answer", "tries"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_two_nodes_are_tried_at_most(answer: Answer, tries: int) -> None:
    """An image that ends every node it meets must not meet all."""
    nodes = Nodes(a=answer, b=answer, c=_mask)
    with pytest.raises(NodeUnreachableError):
        await nodes.predict()
    assert nodes.asked == ["a"] * tries + ["b"] * tries


async def test_a_full_or_crashed_worker_is_asked_for_on_two_nodes_at_most() -> None:
    """And alone it is asked again with the next image, as there is no other node."""
    nodes = Nodes(a=NO_WORKER_FREE, b=NO_WORKER_FREE, c=_mask)
    with pytest.raises(NoWorkerFreeError):
        await nodes.predict()
    assert nodes.asked == ["a", "b"]
    alone = Nodes(a=NO_WORKER_FREE)
    for _ in range(2):
        with pytest.raises(NoWorkerFreeError):
            await alone.predict()
    assert alone.asked == ["a", "a"]


@pytest.mark.parametrize(("answer", "tries"), ELSEWHERE.values(), ids=ELSEWHERE)
async def test_without_another_node_the_first_failure_is_told(answer: Answer, tries: int) -> None:
    """At once; and the next image tries again, as there is no other node."""
    nodes = Nodes(a=answer)
    for _ in range(2):
        with pytest.raises(NodeUnreachableError):
            await nodes.predict()
    assert nodes.asked == ["a"] * tries * 2
    nodes.answers["a"] = _mask
    assert (await nodes.predict()).png


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (failing(aiohttp.SocketTimeoutError()), DeadlineExceededError),
        (failing(TimeoutError()), DeadlineExceededError),
        (refusing(422, code="unreadable_image", detail="It is none."), UnreadableImageError),
        (refusing(500, type="InternalServerException", message="Worker died."), WorkerDiedError),
        (refusing(507, message="Out of memory"), ModelUnavailableError),
        (refusing(500), ModelUnavailableError),
    ],
    ids=["silent", "timeout", "bad image", "worker died", "no memory", "other"],
)
async def test_what_another_node_would_not_do_better_is_not_sent_again(
    answer: Answer, expected: type[GatewayError]
) -> None:
    """Above all not after a timeout: an image that takes too long would block the next node too."""
    nodes = Nodes(a=answer, b=_mask)
    with pytest.raises(GatewayError) as caught:
        await nodes.predict()
    assert type(caught.value) is expected
    assert nodes.asked == ["a"]
    assert nodes.loads.in_flight("a") == 0


async def test_a_request_that_is_given_up_is_no_longer_in_flight() -> None:
    """Its deadline passed, or its client left."""
    nodes = Nodes(a=lambda: asyncio.sleep(60, mask_response()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await nodes.predict()
    assert nodes.loads.in_flight("a") == 0


async def test_a_probe_asks_one_node() -> None:
    """It returns when a worker has refused the empty image, and is no load."""
    nodes = Nodes(a=refusing(422, code="unreadable_image", detail="It is empty."))
    await nodes.dispatcher.probe(TARGET)
    assert nodes.asked == ["a"]
    nodes.report("a", workers=0)
    with pytest.raises(ModelUnavailableError):
        await nodes.dispatcher.probe(TARGET)


async def test_a_probe_asks_another_node_if_the_first_is_gone() -> None:
    """One dead node of two is no reason not to be ready; it rests, and is not asked again."""
    answering = refusing(422, code="unreadable_image", detail="It is empty.")
    nodes = Nodes(a=failing(refused()), b=answering)
    await nodes.dispatcher.probe(TARGET)
    await nodes.dispatcher.probe(TARGET)
    assert nodes.asked == ["a", "b", "b"]
    nodes.answers["b"] = failing(refused())
    with pytest.raises(NodeUnreachableError):
        await nodes.dispatcher.probe(TARGET)
