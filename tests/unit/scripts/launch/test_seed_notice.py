"""The line about an archive that the gateway does not take, read in the agent's log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.launch.processes import Child
from scripts.launch.seed_notice import SeedNotice
from scripts.launch.supervision import ServeError

ARCHIVE = "deeplabv3-1.0.mar"
REFUSED = f"agent: {ARCHIVE} is not taken: the version is retired\n"


@pytest.fixture
def agent(tmp_path: Path) -> Child:
    """An agent whose log has the lines of a former one."""
    log = tmp_path / "torchserve.log"
    log.write_text(f"agent: {ARCHIVE} is not taken: of another start\n")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return Child("TorchServe", process, log, log.stat().st_size)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The agent's file of what it was told to serve: another version."""
    path = tmp_path / "desired.json"
    path.write_text(json.dumps({"models": {"deeplabv3": {"default": "7.0"}}}))
    return path


def write(agent: Child, text: str) -> None:
    """Add to its log."""
    with agent.log.open("a") as log:
        log.write(text)


def test_a_refusal_is_said_once(
    agent: Child, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When its line is whole, and not again by an agent that was started again."""
    notice = SeedNotice(ARCHIVE, served, is_chosen=False)
    write(agent, "Torch worker started.\nagent: deeplabv3-1.0.mar is not")
    notice.look(agent, is_starting=True)
    assert capsys.readouterr().out == ""
    write(agent, REFUSED.removeprefix("agent: deeplabv3-1.0.mar is not") + REFUSED)
    for _ in range(2):
        notice.look(agent, is_starting=True)
    write(agent, REFUSED)
    notice.look(agent, is_starting=True)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"segserve: the gateway does not take {ARCHIVE}, and goes on as before: "
        "the version is retired"
    ]


def test_a_chosen_model_that_is_refused_is_an_error(agent: Child, served: Path) -> None:
    """Or another one would be served in its place."""
    notice = SeedNotice(ARCHIVE, served, is_chosen=True)
    notice.look(agent, is_starting=True)
    write(agent, REFUSED)
    with pytest.raises(ServeError, match="cannot be served: the version is retired"):
        notice.look(agent, is_starting=True)


def test_a_refusal_after_the_start_ends_nothing(
    agent: Child, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The agent was started again, and the version was removed meanwhile: one line."""
    notice = SeedNotice(ARCHIVE, served, is_chosen=True)
    served.unlink()
    for _ in range(2):
        write(agent, REFUSED)
        notice.look(agent, is_starting=False)
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("content", ["", '{"models": {}}'])
def test_a_start_with_nothing_to_serve_ends(
    agent: Child, served: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    """At once, also if the agent hears only later that there is nothing."""
    notice = SeedNotice(ARCHIVE, served, is_chosen=False)
    write(agent, REFUSED)
    notice.look(agent, is_starting=True)
    assert "goes on as before" in capsys.readouterr().out
    served.write_text(content)
    with pytest.raises(ServeError, match="cannot be served: the version is retired"):
        notice.look(agent, is_starting=True)


@pytest.mark.parametrize(
    "line",
    [
        "agent: deeplabv3-2.0.mar is not taken: the version is retired\n",
        "agent: deeplabv3-1x0.mar is not taken: the version is retired\n",
        f"W-9000 stdout {REFUSED}",
    ],
)
def test_other_lines_are_none(
    agent: Child, served: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """Of another archive, or of a worker."""
    write(agent, line)
    SeedNotice(ARCHIVE, served, is_chosen=True).look(agent, is_starting=True)
    assert capsys.readouterr().out == ""


def test_a_long_log_is_read_to_its_end(
    agent: Child, served: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part in each look, also of a line that is longer; a removed one is none."""
    monkeypatch.setattr("scripts.launch.log_files.MOST_BYTES", 200)
    notice = SeedNotice(ARCHIVE, served, is_chosen=False)
    write(agent, "x" * 1000 + "\n" + "y\n" * 500 + REFUSED)
    for _ in range(12):
        notice.look(agent, is_starting=True)
    assert capsys.readouterr().out.count("the version is retired") == 1
    agent.log.unlink()
    notice.look(agent, is_starting=True)
