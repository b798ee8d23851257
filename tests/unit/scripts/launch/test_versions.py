"""The operations on versions: safe ones are carried out, others refused without a change."""

import pytest

from scripts.launch.management import ManagementError
from scripts.launch.versions import VersionError, list_versions, make_default, remove, scale
from tests.unit.scripts.launch.torchserve_double import TorchServeDouble


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
    said = scale(server.management(), version, workers)
    assert said.startswith(f"version {version} has {workers} worker")
    assert server.versions[version] == workers


@pytest.mark.parametrize(("version", "workers"), [("1.0", 0), ("1.0", -1), ("1.1", -1)])
def test_the_default_keeps_a_worker(version: str, workers: int) -> None:
    """Negative numbers are refused for any version."""
    server = TorchServeDouble()
    with pytest.raises(VersionError, match="needs at least"):
        scale(server.management(), version, workers)
    assert server.changes() == []


@pytest.mark.parametrize("command", ["scale", "remove"])
def test_workers_end_only_when_nothing_waits_for_them(command: str) -> None:
    """TorchServe ends workers at once, so the queue is drained first."""
    server = TorchServeDouble(versions={"1.0": 2, "1.1": 2}, pending=[2, 2, 2, 2, 1, 1, 0])
    if command == "scale":
        scale(server.management(), "1.1", 1)
    else:
        remove(server.management(), "1.1")
    assert server.pending == [0]
    assert len(server.changes()) == 1


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
