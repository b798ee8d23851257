"""The catalogue: a cache with one query at a time."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import httpx
import pytest

from gateway.errors import ModelUnavailableError, NotFoundError, OverloadedError
from gateway.models.catalogue import REFRESH_WINDOW_S, Catalogue
from gateway.torchserve.management import ManagementClient
from tests.unit.gateway.doubles import STARTED, Clock, TorchServeDouble

pytestmark = pytest.mark.anyio

T = TypeVar("T")

ONE_QUERY = ["/models/deeplabv3", "/models/deeplabv3/all"]
DESCRIBE = "/models/deeplabv3/1.0?customized=true"


class BusyWorkers(TorchServeDouble):
    """A TorchServe whose workers describe a version only while they are idle, and may restart."""

    def __init__(self) -> None:
        super().__init__()
        self.started = STARTED
        self.idle = asyncio.Event()
        self.idle.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "customized" in request.url.params:
            await self.idle.wait()
        response = await super().handle_async_request(request)
        content = response.content.replace(STARTED.encode(), self.started.encode())
        return httpx.Response(response.status_code, content=content)


@pytest.fixture
def clock() -> Clock:
    """The catalogue's clock."""
    clock = Clock()
    clock.now = 0
    return clock


def _catalogue(torchserve: TorchServeDouble, clock: Clock, ttl_s: float = 1.0) -> Catalogue:
    client = httpx.AsyncClient(transport=torchserve)
    return Catalogue(
        ManagementClient(client, "http://127.0.0.1:8081", 5), "deeplabv3", ttl_s, clock
    )


@pytest.fixture
def catalogue(torchserve: TorchServeDouble, clock: Clock) -> Catalogue:
    """A catalogue with a TTL of one second."""
    return _catalogue(torchserve, clock)


async def _immediate(awaitable: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for no timer."""
    task = asyncio.create_task(awaitable)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert task.done()
    return await task


async def test_concurrent_requests_share_one_query(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """Concurrent requests share one query."""
    results = await asyncio.gather(*[catalogue.default_version() for _ in range(50)])
    assert (set(results), sorted(torchserve.management_calls)) == ({"1.0"}, ONE_QUERY)


async def test_a_change_is_seen_after_the_ttl(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """A new default version is used after the TTL, and not before."""
    await catalogue.default_version()
    torchserve.versions, torchserve.default = {"1.0": 1, "2.0": 1}, "2.0"
    clock.now = 0.9
    assert await catalogue.default_version() == "1.0"
    clock.now = 1.1
    assert await catalogue.default_version() == "2.0"


async def _refreshed(torchserve: TorchServeDouble, *, within_s: float) -> bool:
    """Whether the list is queried in the background."""
    before, steps = len(torchserve.management_calls), 50
    for _ in range(steps):
        await asyncio.sleep(within_s / steps)
        if len(torchserve.management_calls) >= before + len(ONE_QUERY):
            return True
    return False


@pytest.mark.slow
async def test_after_a_request_the_list_is_refreshed_in_the_background(
    torchserve: TorchServeDouble, clock: Clock
) -> None:
    """The list is refreshed in the background until some seconds after the last request."""
    catalogue = _catalogue(torchserve, clock, ttl_s=0.05)
    await catalogue.default_version()
    torchserve.versions, torchserve.default = {"1.0": 1, "2.0": 1}, "2.0"
    assert await _refreshed(torchserve, within_s=5)
    assert await _refreshed(torchserve, within_s=5)
    torchserve.down = httpx.ConnectError("refused")
    await asyncio.sleep(0.2)  # some queries fail
    assert await catalogue.default_version() == "2.0"
    torchserve.down = None
    assert await _refreshed(torchserve, within_s=5)
    clock.now = REFRESH_WINDOW_S + 1
    await _refreshed(torchserve, within_s=0.2)  # the last query may be running
    assert not await _refreshed(torchserve, within_s=0.5)


async def test_without_a_ttl_there_is_no_background_refresh(
    torchserve: TorchServeDouble, clock: Clock
) -> None:
    """With a TTL of 0 there is no background refresh."""
    await _catalogue(torchserve, clock, ttl_s=0).default_version()
    assert not await _refreshed(torchserve, within_s=0.3)


async def test_the_last_known_default_outlives_a_silent_management_api(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Predictions continue while only the management API fails; the status is an error."""
    await catalogue.default_version()
    torchserve.down = httpx.ConnectError("refused")
    clock.now = 100
    assert await catalogue.default_version() == "1.0"
    for _ in range(2):
        with pytest.raises(ModelUnavailableError):
            await catalogue.status()


async def test_without_any_knowledge_there_is_no_default(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """The default version is never guessed, and found as soon as TorchServe responds."""
    torchserve.down = httpx.ConnectError("refused")
    with pytest.raises(ModelUnavailableError):
        await catalogue.default_version()
    torchserve.down = None
    assert await catalogue.default_version() == "1.0"


async def test_a_cancelled_request_does_not_fail_the_others(catalogue: Catalogue) -> None:
    """The cancellation of one request does not cancel the shared query."""
    first, second = (asyncio.create_task(catalogue.refresh()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).default_version == "1.0"


async def test_a_model_that_is_not_registered_yet_is_unavailable(
    torchserve: TorchServeDouble,
) -> None:
    """503 instead of 404, because the settings name the model, not the client."""
    management = ManagementClient(
        httpx.AsyncClient(transport=torchserve), "http://127.0.0.1:8081", 5
    )
    with pytest.raises(ModelUnavailableError, match="no model other yet"):
        await Catalogue(management, "other", 1.0).status()


async def test_labels_are_asked_for_once(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Labels are cached, because the query occupies a worker."""
    for clock.now in (0, 10, 20):
        results = await asyncio.gather(*[catalogue.labels("1.0") for _ in range(3)])
        assert results == [{0: "background", 15: "person"}] * 3
    assert torchserve.management_calls.count(DESCRIBE) == 1


async def test_cached_labels_need_no_query(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """Cached labels are available without a query, so that counting never delays an image."""
    assert catalogue.remembered_labels("1.0") == {}
    assert torchserve.management_calls == []
    await catalogue.labels("1.0")
    assert catalogue.remembered_labels("1.0") == {0: "background", 15: "person"}


async def test_labels_survive_workers_that_die(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Labels stay cached while a version has no worker."""
    await catalogue.labels("1.0")
    torchserve.versions, clock.now = {"1.0": 0}, 10
    assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    assert torchserve.management_calls.count(DESCRIBE) == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout])
async def test_labels_outlive_a_silent_management_api(
    catalogue: Catalogue,
    torchserve: TorchServeDouble,
    clock: Clock,
    failure: type[httpx.RequestError],
) -> None:
    """Cached labels are used while the management API fails; unknown ones are an error."""
    await catalogue.labels("1.0")
    torchserve.down, clock.now = failure("down"), 10
    assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    with pytest.raises(ModelUnavailableError):
        await catalogue.labels("2.0")


async def test_a_management_api_that_hangs_delays_known_labels_for_a_moment_only(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """A request waits for newer labels only for a moment."""
    await catalogue.labels("1.0")
    torchserve.responding.clear()
    clock.now = 10
    async with asyncio.timeout(2):
        assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    torchserve.responding.set()


async def test_known_labels_do_while_a_version_that_was_loaded_anew_is_busy(clock: Clock) -> None:
    """Old labels are used until the one query for the new ones is answered."""
    busy = BusyWorkers()
    catalogue = _catalogue(busy, clock)
    await catalogue.labels("1.0")
    busy.started, busy.labels, clock.now = "2026-01-02T04:00:00.000Z", {"0": "nothing"}, 10
    busy.idle.clear()
    async with asyncio.timeout(2):
        results = await asyncio.gather(*[catalogue.labels("1.0") for _ in range(3)])
    assert results == [{0: "background", 15: "person"}] * 3
    busy.idle.set()
    assert await catalogue.labels("1.0") == {0: "nothing"}
    assert busy.management_calls.count(DESCRIBE) == 2


async def test_a_version_that_is_busy_delays_no_other_versions_labels(clock: Clock) -> None:
    """The labels of different versions are queried independently."""
    busy = BusyWorkers()
    busy.versions = {"1.0": 1, "2.0": 1}
    catalogue = _catalogue(busy, clock)
    await catalogue.labels("2.0")
    busy.idle.clear()
    waiting = asyncio.create_task(catalogue.labels("1.0"))
    await asyncio.sleep(0.01)
    assert await _immediate(catalogue.labels("2.0")) == {0: "background", 15: "person"}
    assert not waiting.done()
    busy.idle.set()
    assert await waiting == {0: "background", 15: "person"}


async def test_labels_of_an_unknown_version_are_not_found(catalogue: Catalogue) -> None:
    """The error lists the versions; `all`, a word of TorchServe's API, is no version."""
    for version in ("9.9", "all"):
        with pytest.raises(NotFoundError, match=r"It has: 1\.0\."):
            await catalogue.labels(version)


async def test_a_version_that_was_just_added_is_found(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """An unknown version is queried again before it is reported as unknown."""
    await catalogue.status()
    torchserve.versions["2.0"] = 1
    assert (await catalogue.find("2.0")).workers == 1


async def test_a_management_api_that_hangs_delays_no_prediction_for_long(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """One request waits a moment for a newer list; concurrent ones do not wait."""
    await catalogue.default_version()
    torchserve.responding.clear()
    clock.now = 2
    waiting = asyncio.create_task(catalogue.default_version())
    await asyncio.sleep(0)
    assert await _immediate(catalogue.default_version()) == "1.0"
    async with asyncio.timeout(2):
        assert await waiting == "1.0"
    torchserve.responding.set()


@pytest.mark.parametrize(
    ("workers", "expected"), [(1, OverloadedError), (0, ModelUnavailableError)]
)
async def test_a_refusal_is_explained_by_the_workers(
    catalogue: Catalogue,
    torchserve: TorchServeDouble,
    workers: int,
    expected: type[Exception],
) -> None:
    """TorchServe's 503 means a full queue with workers, and unavailability without."""
    torchserve.versions = {"1.0": workers}
    assert type(await catalogue.refusal("1.0")) is expected


class SlowAnswers(TorchServeDouble):
    """A TorchServe whose responses are old when they arrive."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = self._describe(request.url)
        await self.responding.wait()
        return response


async def test_a_query_from_before_a_change_does_not_tell_of_it(clock: Clock) -> None:
    """A lost job is looked up by a query that started after it was lost."""
    torchserve = SlowAnswers()
    torchserve.versions = {"1.0": 1, "2.0": 1}
    catalogue = _catalogue(torchserve, clock)
    known = await catalogue.refresh()
    torchserve.responding.clear()
    running = asyncio.create_task(catalogue.refresh())
    await asyncio.sleep(0.01)
    torchserve.default = "2.0"
    withdrawn = asyncio.create_task(catalogue.is_withdrawn("1.0", known))
    await asyncio.sleep(0.01)
    torchserve.responding.set()
    assert (await running).default_version == "1.0"
    assert await withdrawn
    assert await catalogue.default_version() == "2.0"


async def test_fewer_workers_are_noticed_after_the_list_was_read_again(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """What counts is the number when the job was sent."""
    sent = await catalogue.refresh()
    torchserve.versions = {"1.0": 1}
    await catalogue.refresh()  # in the background, before the worker ended
    assert await catalogue.is_withdrawn("1.0", sent)
    assert not await catalogue.is_withdrawn("1.0", catalogue.known)


async def test_a_silent_torchserve_withdraws_nothing(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """The error of the lost job is what the client is told."""
    sent = await catalogue.refresh()
    torchserve.down = httpx.ConnectError("refused")
    assert not await catalogue.is_withdrawn("1.0", sent)
