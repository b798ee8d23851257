"""The supervisor of all services on one machine: build, start, watch, stop."""

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx

from scripts.archives.archive import MODEL, file_name
from scripts.archives.paths import ROOT
from scripts.launch import preflight
from scripts.launch.loading import Loading
from scripts.launch.processes import stop
from scripts.launch.run_folder import held, logs_of_this_start
from scripts.launch.services import Seed, module, services_of
from scripts.launch.settings import Settings
from scripts.launch.supervision import ServeError, Service, say

POLL_S = 0.2
SUPERVISION_S = 0.25  # a death is reported at once


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


def serve(
    settings: Settings, version: str, build: Sequence[str], *, is_chosen: bool = False
) -> None:
    """Run archive build, TorchServe, gateway and page until Ctrl-C stops them all.

    build: arguments of ``segserve build`` that choose the model. is_chosen: whether model or
    version were chosen for this start, and so become stable. Raises ServeError, RunFolderError or
    PreflightError where a service cannot start or the product ends; nothing is left running.
    """
    stop_signals = StopSignals()
    services: list[Service] = []
    with ExitStack() as stack:
        # Before anything is written: a product that runs in this folder keeps its files.
        stack.enter_context(held(settings.server_dir))
        preflight.check(settings)
        try:
            say("1/4 model archive")
            archive = _build_archive(settings, version, build, stop_signals)
            logs = stack.enter_context(logs_of_this_start(settings.run_dir))
            stack.callback(_stop, services)
            stable_for = uuid.uuid4().hex if is_chosen else ""
            services += services_of(settings, Seed(archive, stable_for), logs)
            began = time.monotonic()
            _start(settings, version, services, stop_signals)
            took = f"{time.monotonic() - began:.0f} s"
            say(f"ready after {took}; logs in {logs}; Ctrl-C stops everything")
            _watch(services, stop_signals)
        except Stopped:
            say("stopping")


def _start(
    settings: Settings, version: str, services: list[Service], stop_signals: StopSignals
) -> None:
    """Start all services, wait until they answer, and print their addresses."""
    for number, service in enumerate(services, 2):
        say(f"{number}/4 starting {service.name}{service.details}")
        try:
            service.start()
        except OSError as exc:
            raise ServeError(f"{service.name} cannot be started: {exc}") from exc
    _wait_until_ready(settings, version, services, stop_signals)


def _watch(services: list[Service], stop_signals: StopSignals) -> NoReturn:
    while True:
        for service in services:
            service.watch()
        stop_signals.wait(SUPERVISION_S)


def _stop(services: list[Service]) -> None:
    stop([service.child for service in services if service.child is not None])


def _wait_until_ready(
    settings: Settings, version: str, services: list[Service], stop_signals: StopSignals
) -> None:
    """Wait until all services answer, then print their addresses."""
    gateway = f"http://{settings.host}:{settings.gateway_port}"
    page = f"http://{settings.host}:{settings.ui_port}"
    log = services[0].running.log
    loading = Loading(log, settings.desired_file, version)

    def look() -> None:
        for service in services:
            service.watch(is_starting=True)
        loading.check()
        stop_signals.wait(POLL_S)

    _wait(settings.startup_s, look, services[1], f"{gateway}/readyz", log)
    if settings.ui:
        _wait(settings.startup_s, look, services[2], f"{page}/_stcore/health", log)
        say(f"page        {page}")
    say(f"API         {gateway}/docs")
    say("versions    ./segserve versions list")


def _build_archive(
    settings: Settings, version: str, build: Sequence[str], stop_signals: StopSignals
) -> Path:
    """Build the archive in a process of its own, which gives its memory back; its place."""
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
    return settings.model_store.absolute() / file_name(MODEL, version)


def _wait(seconds: float, look: Callable[[], None], awaited: Service, url: str, log: Path) -> None:
    """Poll ``url`` until it answers 200, or its service is given up.

    look: called in between; raises ServeError if the product cannot start. Raises it too when time
    is up, naming TorchServe's log.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look()
        if awaited.is_given_up or _answers(url):
            return
    raise ServeError(f"{url} did not answer within {seconds:.0f} s; see {log}")


def _answers(url: str) -> bool:
    try:
        # The services are on this machine: a proxy of the environment has no place in between.
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
