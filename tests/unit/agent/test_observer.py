"""What TorchServe holds, and versions whose workers do not come up."""

from pathlib import Path

import pytest

from agent.disk.archives import Archives
from agent.disk.proven import Proven
from agent.messages import Desired, WantedModel, WantedVersion
from agent.observer import UNREADY_S, WHY, Observer
from agent.report import version_reports
from agent.torchserve.management import TorchServe
from agent.torchserve.server import STARTUP_S
from tests.unit.agent.http_double import answering
from tests.unit.agent.torchserve_double import MODEL, TorchServeDouble, digest


def test_workers_that_do_not_come_up_are_reported(tmp_path: Path) -> None:
    """TorchServe starts them again and again, and says nothing; a version that is ready is none."""
    double, now = TorchServeDouble(status="UNLOADED"), [0.0]
    wanted = {each: WantedVersion(digest(each), 1, None) for each in double.versions}
    desired = Desired(1, {MODEL: WantedModel("1.0", wanted)})
    proven = Proven(tmp_path / "proven.json")
    with answering(double.answer) as served:
        torchserve = TorchServe(served.url, tmp_path / "key_file.json")
        observer = Observer(torchserve, Archives(tmp_path), proven, lambda: now[0])
        observer.look()
        now[0] = UNREADY_S - 1
        observer.look()
        assert observer.unready() == {}
        now[0] = UNREADY_S + 1
        actual = observer.look()
        reports = version_reports(desired, actual, observer.unready())[MODEL]
        assert {each.state for each in reports.values()} == {"failed"}
        assert reports["1.0"].reason == WHY
        assert digest("1.0") not in proven
        double.status = "READY"
        observer.look()
        assert observer.unready() == {}
        assert digest("1.0") in proven


@pytest.mark.parametrize("workers", [0, 1])
def test_a_version_without_workers_is_no_failure(tmp_path: Path, workers: int) -> None:
    """It was given none."""
    double, now = TorchServeDouble({"1.0": workers}, status="UNLOADED"), [0.0]
    with answering(double.answer) as served:
        torchserve = TorchServe(served.url, tmp_path / "key_file.json")
        proven = Proven(tmp_path / "proven.json")
        observer = Observer(torchserve, Archives(tmp_path), proven, lambda: now[0])
        observer.look()
        now[0] = UNREADY_S + 1
        observer.look()
        assert len(observer.unready()) == workers


def test_workers_may_load_for_as_long_as_torchserve_lets_them(tmp_path: Path) -> None:
    """And those of the step that is being taken are its own: it ends with TorchServe's reason."""
    assert UNREADY_S > STARTUP_S
    double, now = TorchServeDouble({"1.0": 1}, status="UNLOADED"), [0.0]
    with answering(double.answer) as served:
        torchserve = TorchServe(served.url, tmp_path / "key_file.json")
        proven = Proven(tmp_path / "proven.json")
        observer = Observer(torchserve, Archives(tmp_path), proven, lambda: now[0])
        observer.look()
        now[0] = UNREADY_S + 1
        observer.look((MODEL, "1.0"))
        assert observer.unready() == {}
        observer.look()
        assert observer.unready() == {}
        now[0] += UNREADY_S + 1
        observer.look()
        assert list(observer.unready()) == [(MODEL, "1.0")]
