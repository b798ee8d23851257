"""The deployment, built and started once for all tests of this folder."""

import os
from collections.abc import Iterator

import pytest

from tests.compose.base_image import ensure_base_image
from tests.compose.commands import CommandError
from tests.compose.engine import EngineUnavailableError, compose_command, engine
from tests.compose.stack import SERVICES, Stack

FIGURES = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[Stack]:
    """The running deployment; without an engine each test fails with one line that says why."""
    try:
        with engine():
            base, origin = ensure_base_image()
            deployed = Stack(compose_command(), f"segserve-test-{os.getpid()}", base)
            pytestconfig.stash[FIGURES] = deployed.figures
            deployed.figures["base image"] = f"{base}, {origin}"
            yield from running(deployed)
    except EngineUnavailableError as exc:
        why = str(exc)
    else:
        return
    pytest.fail(why, pytrace=False)


def running(stack: Stack) -> Iterator[Stack]:
    """Build and start, and remove everything at the end; a failed start shows the logs."""
    try:
        stack.build()
        try:
            stack.up()
        except CommandError as exc:
            logs = stack.call("logs", "--no-color", "--tail", "60")
            pytest.fail(f"{exc}\n{logs}", pytrace=False)
        yield stack
    finally:
        stack.down()


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """Each service in turn."""
    return str(request.param)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the measured figures."""
    for name, figure in config.stash.get(FIGURES, {}).items():
        terminalreporter.write_line(f"compose: {name}: {figure}")
