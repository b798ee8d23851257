"""The supervisor of all services on one machine: build, start, watch, stop."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx

from scripts.archives.archive import MODEL, file_name
from scripts.archives.paths import ROOT
from scripts.launch import preflight
from scripts.launch.processes import stop
from scripts.launch.run_folder import held, logs_of_this_start
from scripts.launch.services import module, services_of
from scripts.launch.settings import Settings
from scripts.launch.supervision import ServeError, Service, say

POLL_S = 0.2
SUPERVISION_S = 0.25  # a death is reported at once
BROKEN_AFTER_DEATHS = 3  # of workers during start-up: the archive cannot be served


class Stopped(BaseException):
    """A signal asked the supervisor to stop; no error."""


class StopSignals:
    """Records SIGINT, SIGTERM and SIGHUP; an exception raised in a handler could get lost."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._remember)
        # nohup ignores SIGHUP: a closed terminal stops nothing then.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._remember)

    def _remember(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def wait(self, seconds: float) -> None:
        """Sleep; raises Stopped as soon as a signal came."""
        if self._stop.wait(seconds):
            raise Stopped


def serve(settings: Settings, version: str, build: Sequence[str]) -> None:
    """Run archive build, TorchServe, gateway and page until Ctrl-C stops them all.

    build: arguments of ``segserve build`` that choose the model. Raises ServeError, RunFolderError
    or PreflightError where a service cannot start or the product ends; nothing is left running.
    """
    stop_signals = StopSignals()
    services: list[Service] = []
    with ExitStack() as stack:
        # Before anything is written: a product that runs in this folder keeps its files.
        stack.enter_context(held(settings.server_dir))
        preflight.check(settings)
        scratch = stack.enter_context(_scratch())
        try:
            say("1/4 model archive")
            archive = _build_archive(settings, version, build, stop_signals)
            logs = stack.enter_context(logs_of_this_start(settings.run_dir))
            stack.callback(_stop, services)
            services += services_of(settings, archive, scratch, logs)
            began = time.monotonic()
            _start(settings, services, stop_signals)
            took = f"{time.monotonic() - began:.0f} s"
            say(f"ready after {took}; logs in {logs}; Ctrl-C stops everything")
            _watch(services, stop_signals)
        except Stopped:
            say("stopping")


@contextmanager
def _scratch() -> Iterator[Path]:
    """A temporary folder with a short name, for the workers' sockets."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="segserve-"))
    except OSError as exc:
        raise ServeError(f"no temporary folder can be made: {exc}") from exc
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(settings: Settings, services: list[Service], stop_signals: StopSignals) -> None:
    """Start all services, wait until they answer, and print their addresses."""
    for number, service in enumerate(services, 2):
        say(f"{number}/4 starting {service.name}{service.details}")
        try:
            service.start()
        except OSError as exc:
            raise ServeError(f"{service.name} cannot be started: {exc}") from exc
    _wait_until_ready(settings, stop_signals, services)


def _watch(services: list[Service], stop_signals: StopSignals) -> NoReturn:
    while True:
        for service in services:
            service.watch()
        stop_signals.wait(SUPERVISION_S)


def _stop(services: list[Service]) -> None:
    stop([service.child for service in services if service.child is not None])


def _wait_until_ready(
    settings: Settings, stop_signals: StopSignals, services: list[Service]
) -> None:
    """Wait until all services answer, then print their addresses."""
    gateway = f"http://{settings.host}:{settings.gateway_port}"
    page = f"http://{settings.host}:{settings.ui_port}"
    _wait(settings, stop_signals, services, services[1], f"{gateway}/readyz")
    if settings.ui:
        _wait(settings, stop_signals, services, services[2], f"{page}/_stcore/health")
        say(f"page        {page}")
    say(f"API         {gateway}/docs")
    say(f"management  http://{settings.torchserve_host}:{settings.management_port} (versions)")


def _build_archive(
    settings: Settings, version: str, build: Sequence[str], stop_signals: StopSignals
) -> str:
    """Build the archive in a process of its own, which gives its memory back; its file name."""
    store = str(settings.model_store.absolute())
    options = ["--name", MODEL, "--version", version, "--store", store, *build]
    # The flags are complete: the configuration has been read.
    command = [*module("scripts"), "--config", os.devnull, "build", *options]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        while process.poll() is None:
            stop_signals.wait(POLL_S)
    finally:
        process.terminate()
        process.wait()
    if process.returncode != 0:
        raise ServeError("the model archive could not be built; the line above says why")
    return file_name(MODEL, version)


def _wait(
    settings: Settings,
    stop_signals: StopSignals,
    services: list[Service],
    awaited: Service,
    url: str,
) -> None:
    """Poll ``url`` until it answers 200, or its service is given up.

    Raises ServeError if the product cannot start or time is up.
    """
    log = services[0].running.log
    end = time.monotonic() + settings.startup_s
    while time.monotonic() < end:
        for service in services:
            service.watch(is_starting=True)
        _check_workers(log)
        if awaited.is_given_up or _answers(url):
            return
        stop_signals.wait(POLL_S)
    raise ServeError(f"{url} did not answer within {settings.startup_s:.0f} s; see {log}")


def _answers(url: str) -> bool:
    try:
        # The services are on this machine: a proxy of the environment has no place in between.
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _check_workers(path: Path) -> None:
    """Raise ServeError if workers cannot load the archive: TorchServe restarts them forever."""
    log = path.read_text(errors="replace")
    if log.count("Backend worker error") >= BROKEN_AFTER_DEATHS or "Failed to load model" in log:
        reason = next((line for line in reversed(log.splitlines()) if "Error: " in line), "")
        raise ServeError(
            f"TorchServe cannot serve the archive ({reason.split(' - ')[-1].strip()}); "
            f"delete it to have it built again; see {path}"
        )
