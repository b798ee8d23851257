"""What the start hands to the agent."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from scripts.launch import services
from scripts.launch.processes import Child
from scripts.launch.services import Seed, start_agent
from scripts.launch.settings import Settings

NAME = "SEGSERVE_AGENT_CHECK_MEMORY"


@pytest.mark.parametrize(
    ("least_mb", "before", "expected"),
    [(1500, None, None), (1500, "false", "false"), (0, None, "false"), (0, "true", "false")],
)
def test_the_agent_looks_at_the_memory_unless_nothing_does(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    least_mb: int,
    before: str | None,
    expected: str | None,
) -> None:
    """What its user has set for it alone is passed on."""
    given: list[Mapping[str, str]] = []

    def start(name: str, _: Sequence[str], env: Mapping[str, str], log: Path) -> Child:
        given.append(env)
        return Child(name, subprocess.Popen([sys.executable, "-c", ""]), log)

    monkeypatch.setattr(services, "start", start)
    monkeypatch.delenv(NAME, raising=False)
    if before is not None:
        monkeypatch.setenv(NAME, before)
    settings = Settings(min_memory_mb=least_mb, run_dir=tmp_path)
    start_agent(settings, Seed(tmp_path / "a.mar"), tmp_path).process.wait()
    assert [each.get(NAME) for each in given] == [expected]
