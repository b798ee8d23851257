"""The operations on versions: safe ones are carried out, others refused without a change."""

import httpx
import pytest

from scripts.launch import drain, preflight
from scripts.launch.management import ManagementClient, ManagementError
from scripts.launch.preflight import PreflightError
from scripts.launch.settings import Settings
from scripts.launch.versions import VersionError, list_versions, make_default, remove, scale
from tests.unit.scripts.launch.torchserve_double import MODEL, TorchServeDouble

SETTINGS = Settings(workers=2)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of the usual times."""
    for name in ("GATEWAYS_S", "QUIET_S", "QUIET_UNSEEN_S", "POLL_S", "DRAIN_S"):
        monkeypatch.setattr(drain, name, getattr(drain, name) / 10)


def test_the_list_is_a_table() -> None:
    """One line per version, the default marked."""
    rows = list_versions(TorchServeDouble().management()).splitlines()
    assert [row.split() for row in rows] == [
        ["VERSION", "DEFAULT", "WORKERS", "STATUS", "ARCHIVE"],
        ["1.0", "yes", "2/2", "ready", "deeplabv3-1.0.mar"],
        ["1.1", "1/1", "ready", "deeplabv3-1.1.mar"],
    ]


def test_the_list_shows_a_version_without_workers() -> None:
    """Its requests would fail."""
    table = list_versions(TorchServeDouble(ready=False).management())
    assert "0/2      down" in table


def test_the_default_is_changed() -> None:
    """To a version whose workers are ready."""
    server = TorchServeDouble()
    assert make_default(server.management(), "1.1") == "version 1.1 is the default"
    assert server.default == "1.1"


def test_a_version_without_workers_does_not_become_the_default() -> None:
    """Requests would fail; the message says what to do first."""
    server = TorchServeDouble(ready=False)
    with pytest.raises(VersionError, match=r"no worker that is ready: .*scale 1\.1 2"):
        make_default(server.management(), "1.1")
    assert server.changes() == []


@pytest.mark.parametrize(("version", "workers"), [("1.0", 1), ("1.0", 4), ("1.1", 0)])
def test_workers_are_scaled(version: str, workers: int) -> None:
    """Up, down, and to zero unless the version is the default."""
    server = TorchServeDouble()
    said = scale(server.management(), version, workers, SETTINGS)
    assert said.startswith(f"version {version} has {workers} worker")
    assert server.versions[version] == workers


@pytest.mark.parametrize(("version", "workers"), [("1.0", 0), ("1.0", -1), ("1.1", -1)])
def test_the_default_keeps_a_worker(version: str, workers: int) -> None:
    """Negative numbers are refused for any version."""
    server = TorchServeDouble()
    with pytest.raises(VersionError, match="needs at least"):
        scale(server.management(), version, workers, SETTINGS)
    assert server.changes() == []


@pytest.mark.parametrize(
    ("pending", "busy"),
    [([0, 0, 0, 2, 2, 1, 1, 0], [[]]), ([0], [[100], [100, 101], [101], []])],
    ids=["in the queue", "in the workers"],
)
@pytest.mark.parametrize("command", ["scale", "remove"])
def test_workers_end_only_when_nothing_is_computed(
    command: str, pending: list[int], busy: list[list[int]]
) -> None:
    """TorchServe ends workers at once, so queue and workers are waited for."""
    server = TorchServeDouble(versions={"1.0": 2, "1.1": 2}, pending=pending, busy=busy)
    if command == "scale":
        scale(server.management(), "1.1", 0, SETTINGS)
    else:
        remove(server.management(), "1.1")
    assert (server.pending, server.busy) == ([0], [[]])
    assert server.changes()[0].startswith("PUT /models/deeplabv3/1.1?min_worker=0&")
    assert len(server.changes()) == {"scale": 1, "remove": 2}[command]


def test_scaling_down_waits_for_the_workers_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that stay may compute all the time."""
    monkeypatch.setattr(drain, "DRAIN_S", 60.0)
    server = TorchServeDouble(versions={"1.0": 3}, busy=[[100, 102], [101], [100]])
    scale(server.management(), "1.0", 1, SETTINGS)
    assert server.busy == [[100]]
    assert server.versions == {"1.0": 1}


def test_an_image_that_went_back_to_the_queue_is_computed_before_the_removal() -> None:
    """TorchServe puts the image of a worker that it ends back, where no worker takes it."""
    server = TorchServeDouble(versions={"1.0": 2, "1.1": 2})
    queues = [[1], [0], [0]]  # after each change of the number of workers

    def put_back() -> None:
        server.pending = queues.pop(0)

    server.on_scale = put_back
    remove(server.management(), "1.1")
    wanted = [call.split("min_worker=")[1][0] for call in server.changes() if "min_" in call]
    assert wanted == ["0", "1", "0"]
    assert server.versions == {"1.0": 2}


def test_workers_that_never_answer_are_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that hangs can be removed, after the deadline of its clients."""
    monkeypatch.setattr(drain, "DRAIN_S", 0.3)
    server = TorchServeDouble(busy=[[100]])
    assert "1.1 is unloaded" in remove(server.management(), "1.1")

    def silent(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("customized"):
            raise httpx.ReadTimeout("silent")
        return hanging.answer(request)

    hanging = TorchServeDouble()
    client = ManagementClient("http://torchserve", MODEL, httpx.MockTransport(silent))
    assert "1.1 is unloaded" in remove(client, "1.1")


def test_a_version_that_becomes_the_default_meanwhile_keeps_its_workers() -> None:
    """Another command made it the default while this one waited."""
    server = TorchServeDouble(busy=[[100], []])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params.get("customized"):
            server.default = "1.1"
        return server.answer(request)

    client = ManagementClient("http://torchserve", MODEL, httpx.MockTransport(answer))
    with pytest.raises(ManagementError, match=r"1\.1 has become the default"):
        remove(client, "1.1")
    assert server.changes() == []


def test_workers_that_do_not_start_are_taken_back() -> None:
    """The version goes on with the number that it had."""
    server = TorchServeDouble(starts=False)
    with pytest.raises(ManagementError, match="Failed to start workers"):
        scale(server.management(), "1.1", 5, SETTINGS)
    assert server.versions["1.1"] == 1
    assert "min_worker=1&" in server.changes()[-1]


def test_more_workers_need_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says how much is needed, how much is free, and how to go on all the same."""
    monkeypatch.setattr(preflight, "available_memory_mb", lambda: 700)
    monkeypatch.setattr(preflight, "memory_of_mb", lambda _pid: 400)
    server = TorchServeDouble()
    assert "2 workers" in scale(server.management(), "1.1", 2, SETTINGS)
    with pytest.raises(PreflightError, match=r"2 more workers need about 800 MB.* 700 MB are free"):
        scale(server.management(), "1.1", 4, SETTINGS)
    unchecked = SETTINGS.model_copy(update={"min_memory_mb": 0})
    assert "4 workers" in scale(server.management(), "1.1", 4, unchecked)


def test_a_version_is_removed() -> None:
    """The other versions keep serving."""
    server = TorchServeDouble()
    assert "1.1 is unloaded" in remove(server.management(), "1.1")
    assert server.versions == {"1.0": 2}


def test_what_serves_is_not_removed() -> None:
    """The default version is not removed; the message says what to do first."""
    server = TorchServeDouble()
    with pytest.raises(VersionError, match=r"1\.0 is the default and serves: .*default VERSION"):
        remove(server.management(), "1.0")
    assert server.changes() == []


@pytest.mark.parametrize("command", [make_default, remove])
def test_a_version_that_is_not_there_is_refused(command: object) -> None:
    """By every command that takes a version."""
    assert callable(command)
    with pytest.raises(ManagementError, match=r"no version 3\.0; there are: 1\.0, 1\.1"):
        command(TorchServeDouble().management(), "3.0")
