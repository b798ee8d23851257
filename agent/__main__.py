"""``python -m agent``: run TorchServe as the gateway's registry says, until SIGTERM."""

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.agent import Agent
from agent.settings import SettingError, read_settings
from agent.torchserve.server import ServerError


def main() -> None:
    """Run; exit status 0 after a signal, 1 with one line if TorchServe cannot be started."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = read_settings()
        with _held(settings.folder):
            Agent(settings).run(stop)
    except (SettingError, ServerError) as exc:
        sys.exit(f"agent: {exc}")
    except OSError as exc:
        sys.exit(f"agent: {exc.filename or 'the disk'}: {exc.strerror}")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the agent's folder, whose tokens a second one would replace. Raises ServerError."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise ServerError(
            f"another agent uses {folder}: set another SEGSERVE_AGENT_FOLDER"
        ) from exc
    try:
        yield
    finally:
        os.close(owner)


if __name__ == "__main__":
    main()
