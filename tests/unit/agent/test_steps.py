"""Steps at TorchServe and on the disk: each does what its name says, and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import steps as steps_module
from agent.disk.archives import Archives, file_name
from agent.gateway import Gateways
from agent.reconcile import Fetch, Register, Scale, SetDefault, Step, Unload
from agent.steps import StepError, Steps, words
from agent.torchserve import management
from agent.torchserve.management import TorchServe
from tests.unit.agent.http_double import Answer, answering, closed_url, in_json
from tests.unit.agent.torchserve_double import MODEL, TorchServeDouble

CONTENT = b"an archive" * 100
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the usual times."""
    for name in ("QUIET_S", "QUIET_UNSEEN_S", "POLL_S"):
        monkeypatch.setattr(management, name, getattr(management, name) / 10)


@pytest.fixture
def double() -> TorchServeDouble:
    """TorchServe with two versions."""
    return TorchServeDouble()


@pytest.fixture
def gateway() -> Iterator[str]:
    """A gateway that has the archive."""
    with answering(lambda _: Answer(200, CONTENT)) as served:
        yield served.url


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    """An empty folder of archives."""
    return Archives(tmp_path / "archives")


@pytest.fixture
def steps(double: TorchServeDouble, archives: Archives, gateway: str) -> Iterator[Steps]:
    """Steps at both."""
    with answering(double.answer) as served:
        yield Steps(
            TorchServe(served.url, Path("none")),
            archives,
            Gateways([gateway], Path("none"), "a-token"),
            looks_at_memory=True,
        )


def test_an_archive_is_fetched_and_loaded(
    steps: Steps, archives: Archives, double: TorchServeDouble
) -> None:
    """Under the name that says what it is; without workers."""
    steps.take(Fetch(MODEL, "1.2", DIGEST, len(CONTENT)))
    assert archives.name(DIGEST) == file_name(MODEL, "1.2", DIGEST)
    steps.take(Register(MODEL, "1.2", DIGEST))
    assert double.versions == {"1.0": 2, "1.1": 1, "1.2": 0}


def test_what_is_registered_already_is_done(steps: Steps, double: TorchServeDouble) -> None:
    """A step before may have been cut off after TorchServe had done it."""
    steps.take(Fetch(MODEL, "1.1", DIGEST, len(CONTENT)))
    steps.take(Register(MODEL, "1.1", DIGEST))
    assert double.versions == {"1.0": 2, "1.1": 1}


@pytest.mark.parametrize("is_sound", [True, False])
def test_an_archive_that_torchserve_refuses_is_looked_at(
    steps: Steps, archives: Archives, double: TorchServeDouble, tmp_path: Path, is_sound: bool
) -> None:
    """One that rotted is fetched again; another stays."""
    steps.take(Fetch(MODEL, "1.2", DIGEST, len(CONTENT)))
    if not is_sound:
        (tmp_path / "archives" / archives.name(DIGEST)).write_bytes(b"rotten")
    double.other["/models"] = in_json({"message": "Model archive is corrupted"}, 400)
    with pytest.raises(StepError, match="400: Model archive is corrupted"):
        steps.take(Register(MODEL, "1.2", DIGEST))
    assert (DIGEST in archives.digests) == is_sound


@pytest.mark.parametrize("workers", [3, 1, 0])
def test_workers_are_scaled(steps: Steps, double: TorchServeDouble, workers: int) -> None:
    """Up, down and to none; in one request."""
    steps.take(Scale(MODEL, "1.0", workers))
    assert double.versions["1.0"] == workers
    assert len(double.changes) == 1


def test_workers_end_only_when_they_are_idle(steps: Steps, double: TorchServeDouble) -> None:
    """Those that stay may compute."""
    double.busy = [[100, 101], [101], [100]]
    steps.take(Scale(MODEL, "1.0", 1))
    assert double.busy == [[100]]


def test_workers_that_do_not_start_are_not_started_again_and_again(
    steps: Steps, double: TorchServeDouble
) -> None:
    """The number before is set again."""
    double.starts = False
    with pytest.raises(StepError, match="500: Failed to start workers"):
        steps.take(Scale(MODEL, "1.0", 4))
    assert [change.split("min_worker=")[1][0] for change in double.changes] == ["4", "2"]
    assert double.versions["1.0"] == 2


def test_too_little_memory_is_said_before_anything_is_started(
    steps: Steps, double: TorchServeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that the machine has no memory for would take the others along."""
    monkeypatch.setattr(steps_module, "free_mb", lambda: 100)
    with pytest.raises(StepError, match="2 more workers need about 600 MB of memory, 100 MB are"):
        steps.take(Scale(MODEL, "1.0", 4))
    assert double.changes == []
    steps.take(Scale(MODEL, "1.0", 1))


def test_a_version_becomes_the_default_and_another_is_unloaded(
    steps: Steps, double: TorchServeDouble
) -> None:
    """Once it is idle: TorchServe would end its workers at once."""
    double.busy = [[100], []]
    steps.take(SetDefault(MODEL, "1.1"))
    steps.take(Unload(MODEL, "1.0"))
    assert (double.default, double.versions, double.busy) == ("1.1", {"1.1": 1}, [[]])


@pytest.mark.parametrize(
    "step",
    [
        Scale(MODEL, "9.9", 1),
        Unload(MODEL, "9.9"),
        Fetch(MODEL, "1.2", DIGEST, 1),
        Fetch(MODEL, "1.2", "0" * 64, len(CONTENT)),
    ],
    ids=words,
)
def test_a_step_that_fails_is_one_line(steps: Steps, double: TorchServeDouble, step: Step) -> None:
    """Whether TorchServe or the gateway is to blame; the versions stay."""
    with pytest.raises(StepError) as caught:
        steps.take(step)
    assert "\n" not in str(caught.value)
    assert double.versions == {"1.0": 2, "1.1": 1}


def test_without_torchserve_a_step_fails(archives: Archives, gateway: str) -> None:
    """It is tried again."""
    steps = Steps(
        TorchServe(closed_url(), Path("none")),
        archives,
        Gateways([gateway], Path("none"), ""),
        looks_at_memory=False,
    )
    with pytest.raises(StepError, match="management API"):
        steps.take(Scale(MODEL, "1.0", 4))


def test_every_step_has_words() -> None:
    """For a person who waits; all different."""
    steps: list[Step] = [
        Fetch(MODEL, "1.0", DIGEST, 36_000_000),
        Register(MODEL, "1.0", DIGEST),
        Scale(MODEL, "1.0", 2),
        SetDefault(MODEL, "1.0"),
        Unload(MODEL, "1.0"),
    ]
    found = [words(step) for step in steps]
    assert found[0] == "fetching deeplabv3 1.0 (36 MB)"
    assert len(set(found)) == len(Step.__args__) == len(found)
    assert all("deeplabv3 1.0" in each for each in found)
