"""What is served is asked for rarely, by one at a time, and remembered briefly."""

import asyncio

import httpx
import pytest

from gateway.errors import ModelUnavailableError, NotFoundError, OverloadedError
from gateway.models.catalogue import REFRESH_WINDOW_S, Catalogue
from gateway.torchserve.management import ManagementClient
from tests.unit.gateway.doubles import STARTED, TorchServeDouble

pytestmark = pytest.mark.anyio

ONE_LOOK = ["/models/deeplabv3", "/models/deeplabv3/all"]
DESCRIBE = "/models/deeplabv3/1.0?customized=true"


class BusyWorkers(TorchServeDouble):
    """Its workers describe a version when they are idle, and may have been started anew."""

    def __init__(self) -> None:
        super().__init__()
        self.started = STARTED
        self.idle = asyncio.Event()
        self.idle.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if "customized" in request.url.params:
            await self.idle.wait()
        answer = await super().handle_async_request(request)
        content = answer.content.replace(STARTED.encode(), self.started.encode())
        return httpx.Response(answer.status_code, content=content)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The catalogue's clock."""
    return Clock()


def _catalogue(torchserve: TorchServeDouble, clock: Clock, ttl_s: float = 1.0) -> Catalogue:
    client = httpx.AsyncClient(transport=torchserve)
    return Catalogue(
        ManagementClient(client, "http://127.0.0.1:8081", 5), "deeplabv3", ttl_s, clock
    )


@pytest.fixture
def catalogue(torchserve: TorchServeDouble, clock: Clock) -> Catalogue:
    """A catalogue that believes what it knows for one second."""
    return _catalogue(torchserve, clock)


async def test_many_askers_ask_once(catalogue: Catalogue, torchserve: TorchServeDouble) -> None:
    """A burst of requests is one question."""
    found = await asyncio.gather(*[catalogue.default_version() for _ in range(50)])
    assert (set(found), sorted(torchserve.questions)) == ({"1.0"}, ONE_LOOK)


async def test_a_change_is_seen_when_the_memory_has_expired(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Another default is followed within the time to live, and not asked for before."""
    await catalogue.default_version()
    torchserve.versions, torchserve.default = {"1.0": 1, "2.0": 1}, "2.0"
    clock.now = 0.9
    assert await catalogue.default_version() == "1.0"
    clock.now = 1.1
    assert await catalogue.default_version() == "2.0"


async def _renewed(torchserve: TorchServeDouble, *, within_s: float) -> bool:
    """Whether the list is asked for by itself."""
    before, looks = len(torchserve.questions), 50
    for _ in range(looks):
        await asyncio.sleep(within_s / looks)
        if len(torchserve.questions) >= before + len(ONE_LOOK):
            return True
    return False


async def test_after_a_request_the_list_is_renewed_so_that_the_next_one_need_not_wait(
    torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Again and again, and no longer than some seconds after the last request."""
    catalogue = _catalogue(torchserve, clock, ttl_s=0.05)
    await catalogue.default_version()
    torchserve.versions, torchserve.default = {"1.0": 1, "2.0": 1}, "2.0"
    assert await _renewed(torchserve, within_s=5)
    assert await _renewed(torchserve, within_s=5)
    torchserve.down = httpx.ConnectError("refused")
    await asyncio.sleep(0.2)  # some of the questions fail
    assert await catalogue.default_version() == "2.0"
    torchserve.down = None
    assert await _renewed(torchserve, within_s=5)
    clock.now = REFRESH_WINDOW_S + 1
    await _renewed(torchserve, within_s=0.2)  # the last one may be under way
    assert not await _renewed(torchserve, within_s=0.5)


async def test_what_is_never_believed_is_not_renewed(
    torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Without a time to live each request asks for itself."""
    await _catalogue(torchserve, clock, ttl_s=0).default_version()
    assert not await _renewed(torchserve, within_s=0.3)


async def test_the_last_known_default_outlives_a_silent_management_api(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Predictions go on while only the management API fails; readiness does not pretend."""
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
    """It is never guessed; and it is found as soon as TorchServe answers."""
    torchserve.down = httpx.ConnectError("refused")
    with pytest.raises(ModelUnavailableError):
        await catalogue.default_version()
    torchserve.down = None
    assert await catalogue.default_version() == "1.0"


async def test_an_asker_that_gives_up_does_not_fail_the_others(catalogue: Catalogue) -> None:
    """One client's deadline is its own."""
    first, second = (asyncio.create_task(catalogue.refresh()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).default_version == "1.0"


async def test_a_model_that_is_not_registered_yet_is_unavailable(
    torchserve: TorchServeDouble,
) -> None:
    """No client chose that name, so none is told 404."""
    management = ManagementClient(
        httpx.AsyncClient(transport=torchserve), "http://127.0.0.1:8081", 5
    )
    with pytest.raises(ModelUnavailableError, match="no model other yet"):
        await Catalogue(management, "other", 1.0).status()


async def test_labels_are_asked_for_once(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Describing takes a worker's turn."""
    for clock.now in (0, 10, 20):
        found = await asyncio.gather(*[catalogue.labels("1.0") for _ in range(3)])
        assert found == [{0: "background", 15: "person"}] * 3
    assert torchserve.questions.count(DESCRIBE) == 1


async def test_labels_are_remembered_without_asking_anybody(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """What counts masks must not delay them."""
    assert catalogue.remembered_labels("1.0") == {}
    assert torchserve.questions == []
    await catalogue.labels("1.0")
    assert catalogue.remembered_labels("1.0") == {0: "background", 15: "person"}


async def test_labels_survive_workers_that_die(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """What a version's classes are called does not change while it has no worker."""
    await catalogue.labels("1.0")
    torchserve.versions, clock.now = {"1.0": 0}, 10
    assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    assert torchserve.questions.count(DESCRIBE) == 1


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout])
async def test_labels_outlive_a_silent_management_api(
    catalogue: Catalogue,
    torchserve: TorchServeDouble,
    clock: Clock,
    failure: type[httpx.RequestError],
) -> None:
    """Predictions that need names go on as well; names that nobody knows are not made up."""
    await catalogue.labels("1.0")
    torchserve.down, clock.now = failure("down"), 10
    assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    with pytest.raises(ModelUnavailableError):
        await catalogue.labels("2.0")


async def test_a_management_api_that_hangs_delays_known_labels_for_a_moment_only(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """Not for as long as it may take to answer."""
    await catalogue.labels("1.0")
    torchserve.answers.clear()
    clock.now = 10
    async with asyncio.timeout(2):
        assert await catalogue.labels("1.0") == {0: "background", 15: "person"}
    torchserve.answers.set()


async def test_known_labels_do_while_a_version_that_was_loaded_anew_is_busy(clock: Clock) -> None:
    """However many ask, it is asked once more; and its answer is used from then on."""
    busy = BusyWorkers()
    catalogue = _catalogue(busy, clock)
    await catalogue.labels("1.0")
    busy.started, busy.labels, clock.now = "2026-01-02T04:00:00.000Z", {"0": "nothing"}, 10
    busy.idle.clear()
    async with asyncio.timeout(2):
        found = await asyncio.gather(*[catalogue.labels("1.0") for _ in range(3)])
    assert found == [{0: "background", 15: "person"}] * 3
    busy.idle.set()
    assert await catalogue.labels("1.0") == {0: "nothing"}
    assert busy.questions.count(DESCRIBE) == 2


async def test_a_version_that_is_busy_delays_no_other_versions_labels(clock: Clock) -> None:
    """They are not asked for one after the other."""
    busy = BusyWorkers()
    busy.versions = {"1.0": 1, "2.0": 1}
    catalogue = _catalogue(busy, clock)
    await catalogue.labels("2.0")
    busy.idle.clear()
    waiting = asyncio.create_task(catalogue.labels("1.0"))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(0.2):
        assert await catalogue.labels("2.0") == {0: "background", 15: "person"}
    assert not waiting.done()
    busy.idle.set()
    assert await waiting == {0: "background", 15: "person"}


async def test_labels_of_an_unknown_version_are_not_found(catalogue: Catalogue) -> None:
    """The error names what there is; "all", TorchServe's own word, is no version either."""
    for version in ("9.9", "all"):
        with pytest.raises(NotFoundError, match=r"It has: 1\.0\."):
            await catalogue.labels(version)


async def test_a_version_that_was_just_added_is_found(
    catalogue: Catalogue, torchserve: TorchServeDouble
) -> None:
    """A miss is not believed without asking again."""
    await catalogue.status()
    torchserve.versions["2.0"] = 1
    assert (await catalogue.find("2.0")).workers == 1


async def test_a_management_api_that_hangs_delays_no_prediction_for_long(
    catalogue: Catalogue, torchserve: TorchServeDouble, clock: Clock
) -> None:
    """One request waits a moment for a newer list; those beside it do not wait at all."""
    await catalogue.default_version()
    torchserve.answers.clear()
    clock.now = 2
    waiting = asyncio.create_task(catalogue.default_version())
    await asyncio.sleep(0)
    async with asyncio.timeout(0.2):
        assert await catalogue.default_version() == "1.0"
    async with asyncio.timeout(2):
        assert await waiting == "1.0"
    torchserve.answers.set()


@pytest.mark.parametrize(
    ("workers", "expected"), [(1, OverloadedError), (0, ModelUnavailableError)]
)
async def test_a_refusal_is_explained_by_the_workers(
    catalogue: Catalogue,
    torchserve: TorchServeDouble,
    workers: int,
    expected: type[Exception],
) -> None:
    """With workers it was the queue, without them it was their absence."""
    torchserve.versions = {"1.0": workers}
    assert type(await catalogue.refusal("1.0")) is expected
