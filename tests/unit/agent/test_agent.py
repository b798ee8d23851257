"""The agent: what it starts TorchServe with, what it says, and that there is one of it."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.agent import IMPATIENT_S, PROVEN, Agent
from agent.disk import desired as on_disk
from agent.disk.archives import file_name
from agent.disk.proven import Proven
from agent.messages import Desired, WantedModel, WantedVersion
from agent.observer import UNREADY_S, WHY
from agent.reconcile import Actual, Register, Scale
from agent.settings import PREFIX, Settings
from tests.stack import ROOT
from tests.unit.agent.http_double import Answer, Asked, answering, closed_url, in_json
from tests.unit.agent.torchserve_double import TorchServeDouble, digest
from tests.unit.agent.waiting import until

MODEL = "deeplabv3"


def _content(version: str) -> bytes:
    return f"archive {version}".encode()


def _sha(version: str) -> str:
    return hashlib.sha256(_content(version)).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An agent without gateway and TorchServe."""
    return Settings(
        folder=tmp_path, node="a", workers=3, gateway_urls=(closed_url(),), node_token="a-token"
    )


def _prepare(settings: Settings, **versions: int | None) -> None:
    """Have the archives on disk, and a desired state whose default is 2.0."""
    settings.archives_dir.mkdir()
    wanted = {}
    for name, workers in versions.items():
        version = name[1:].replace("_", ".")
        path = settings.archives_dir / file_name(MODEL, version, _sha(version))
        path.write_bytes(_content(version))
        wanted[version] = WantedVersion(_sha(version), len(_content(version)), workers)
    on_disk.save(settings.folder, Desired(5, {MODEL: WantedModel("2.0", wanted)}))


def test_a_start_loads_what_served_before_the_default_first(settings: Settings) -> None:
    """Though every gateway is away. What never served is loaded later, step by step."""
    _prepare(settings, v1_0=None, v2_0=5, v3_0=None)
    for version in ("1.0", "2.0"):
        Proven(settings.folder / PROVEN).add(_sha(version))
    boot = Agent(settings)._boot()
    assert list(boot[MODEL].items()) == [
        ("2.0", (file_name(MODEL, "2.0", _sha("2.0")), 5)),
        ("1.0", (file_name(MODEL, "1.0", _sha("1.0")), 3)),
    ]


def test_a_damaged_archive_is_not_loaded(settings: Settings) -> None:
    """It is fetched again."""
    _prepare(settings, v2_0=5)
    Proven(settings.folder / PROVEN).add(_sha("2.0"))
    (settings.archives_dir / file_name(MODEL, "2.0", _sha("2.0"))).write_bytes(b"damaged")
    assert Agent(settings)._boot() == {}


def test_a_first_start_loads_nothing(settings: Settings) -> None:
    """And the report says that it knows of nothing."""
    agent = Agent(settings)
    assert agent._boot() == {}
    report = agent._message(None)
    assert (report.node, report.url) == ("a", "http://127.0.0.1:8080")
    assert (report.generation, report.token, dict(report.models)) == (0, None, {})


def test_without_a_gateway_the_last_known_state_stays(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so, however long it is away."""
    _prepare(settings, v2_0=5)
    agent = Agent(settings)
    for _ in range(3):
        assert not agent._report(None)
    assert agent._message(None).generation == 5
    assert agent._message(None).models[MODEL]["2.0"].state == "loading"
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "what was served is served" in lines[0]


def test_what_is_seen_while_a_step_is_taken_decides_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step may end after the look: by what was seen it would be taken again, and fail."""
    _prepare(settings, v2_0=5)
    agent = Agent(settings)

    def look() -> Actual:
        agent._step = None  # it ends meanwhile
        return Actual()

    monkeypatch.setattr(agent, "_look", look)
    agent._step = threading.Thread()
    agent._beat(threading.Event())
    assert agent._doing is None


def test_a_state_that_could_not_be_kept_is_kept_later(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a full disk; each time it fails is one line."""
    blocked = settings.folder / f"{on_disk.NAME}.partial"
    with answering(lambda _: in_json({"generation": 3, "models": {}})) as gateway:
        agent = Agent(replace(settings, gateway_urls=(gateway.url,)))
        for count in (1, 2):
            blocked.mkdir()
            agent._kept.state = None
            agent._kept._on_disk = None
            for _ in range(2):
                assert agent._report(None)
            assert agent._message(None).generation == 3
            blocked.rmdir()
            assert agent._report(None)
            assert on_disk.load(settings.folder) == Desired(3)
            assert capsys.readouterr().out.count("cannot be kept") == 1, count


def test_workers_that_do_not_come_up_are_ended(settings: Settings, tmp_path: Path) -> None:
    """TorchServe would restart them endlessly, also after its own restart; they are retried later.

    Here after a pause, as TorchServe is asked to start them only then.
    """
    double = TorchServeDouble({"1.0": 2}, status="UNLOADED")
    sha = digest("1.0")
    wanted = WantedModel("1.0", {"1.0": WantedVersion(sha, 1, 2)})
    on_disk.save(settings.folder, Desired(1, {MODEL: wanted}))
    Proven(settings.folder / PROVEN).add(sha)
    with answering(double.answer) as served:
        port = int(served.url.rpartition(":")[2])
        agent = Agent(replace(settings, management_port=port))
        agent._archives._sound[sha] = "an archive"
        desired, actual = agent._desired, agent._look()
        assert desired is not None
        assert actual is not None
        agent._next(desired, actual)
        assert double.changes == []
        agent._observer._clock = lambda: time.monotonic() + UNREADY_S + 1
        agent._next(desired, actual)
        until(lambda: agent._step is None)
        assert double.versions == {"1.0": 0}
        assert sha not in Proven(settings.folder / PROVEN)
        after = agent._look()
        assert after is not None
        found = agent._message(after).models[MODEL]["1.0"]
        assert (found.state, found.reason) == ("failed", WHY)
        agent._next(desired, after)
        assert agent._step is None


def test_a_step_that_fails_in_any_way_is_told(settings: Settings) -> None:
    """In one line; as where an archive's file name is not known any more."""
    _prepare(settings, v2_0=5)
    agent = Agent(settings)
    agent._take(Register(MODEL, "2.0", "0" * 64))
    found = agent._message(Actual()).models[MODEL]["2.0"]
    assert (found.state, found.reason) == ("failed", f"KeyError: '{'0' * 64}'")
    assert agent._step is None


def test_only_a_start_is_impatient(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage after it is not polled five times a second."""
    agent, stop, waits = Agent(settings), threading.Event(), list[float]()
    beats = [False, True, False, False]
    monkeypatch.setattr(agent._keeper, "start", lambda _: None)
    monkeypatch.setattr(agent, "_beat", lambda _: beats.pop(0))

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if not beats:
            stop.set()

    monkeypatch.setattr(stop, "wait", wait)
    agent.run(stop)
    assert [each <= IMPATIENT_S for each in waits] == [True, False, False, False]


def test_a_torchserve_that_ends_at_each_start_is_reported(settings: Settings) -> None:
    """Of every version that is wanted."""
    _prepare(settings, v1_0=None, v2_0=None)
    agent = Agent(settings)
    agent._keeper._ends, agent._keeper._how = 3, "status 1"
    reports = agent._message(None).models[MODEL]
    assert {(each.state, each.reason) for each in reports.values()} == {
        ("failed", "TorchServe ended (status 1) 3 times; see torchserve.log")
    }


def test_what_failed_is_not_told_of_another_number_of_workers(settings: Settings) -> None:
    """Neither what failed before the change, nor a step of before that fails after it."""
    _prepare(settings, v2_0=5)
    workers = [9, 9, 2]

    def decide(_: Asked) -> Answer:
        wanted = {"sha256": _sha("2.0"), "size": len(_content("2.0")), "workers": workers.pop(0)}
        model = {"default": "2.0", "versions": {"2.0": wanted}}
        return in_json({"generation": 6, "models": {MODEL: model}})

    def reason() -> str | None:
        return agent._message(None).models[MODEL]["2.0"].reason

    step, key = Scale(MODEL, "2.0", 9), (MODEL, "2.0")
    with answering(decide) as gateway:
        agent = Agent(replace(settings, gateway_urls=(gateway.url,)))
        assert agent._report(None)
        agent._note_failure(key, "no memory", step)
        assert agent._report(None)
        assert reason() == "no memory"
        assert agent._report(None)
        assert reason() is None
        agent._note_failure(key, "no memory", step)
        assert reason() is None
        agent._note_failure(key, "no memory", Scale(MODEL, "2.0", 2))
        assert reason() == "no memory"


def _run(**environment: str) -> tuple[int, list[str]]:
    """(exit status, lines) of a start that fails."""
    variables = {f"{PREFIX}{name.upper()}": text for name, text in environment.items()}
    done = subprocess.run(
        [sys.executable, "-m", "agent"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.slow
def test_a_start_that_fails_is_one_line(tmp_path: Path) -> None:
    """A wrong setting, a seed that is none, a folder that cannot be made."""
    folder = str(tmp_path / "agent")
    (tmp_path / "file").touch()
    for variables, words in (
        ({"workers": "0"}, "agent: SEGSERVE_AGENT_WORKERS: '0' is not 1 to 256 workers"),
        ({"folder": folder, "seeds": str(tmp_path / "file")}, "file is not an archive"),
        ({"folder": str(tmp_path / "file" / "x")}, "agent: "),
    ):
        status, lines = _run(**variables)
        assert (status, len(lines)) == (1, 1), lines
        assert words in lines[0]


@pytest.mark.slow
def test_a_second_agent_leaves_the_first_ones_folder_alone(tmp_path: Path) -> None:
    """It would replace the tokens."""
    from agent.__main__ import _held

    with _held(tmp_path):
        status, lines = _run(folder=str(tmp_path))
    assert (status, len(lines)) == (1, 1), lines
    assert "another agent uses" in lines[0]
    assert "SEGSERVE_AGENT_FOLDER" in lines[0]
