"""The supervisor of all services on one machine: build, start, watch, stop."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import httpx

from scripts.archives.archive import MODEL, file_name
from scripts.archives.paths import ROOT
from scripts.launch import preflight, services
from scripts.launch.processes import Child, stop
from scripts.launch.settings import Settings

POLL_S = 0.2
SUPERVISION_S = 1.0  # a death is reported within a second
BROKEN_AFTER_DEATHS = 3  # of workers during start-up: the archive cannot be served


class ServeError(RuntimeError):
    """A service could not be started or ended; the text says what to do."""


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

    build: arguments of ``segserve build`` that choose the model. Raises ServeError or
    PreflightError where a service cannot start or ends; nothing is left running then.
    """
    stop_signals = StopSignals()
    children: list[Child] = []
    scratch = Path(tempfile.mkdtemp(prefix="segserve-"))  # short: it holds the workers' sockets
    try:
        preflight.check(settings)
        say("1/4 model archive")
        archive = _build_archive(settings, version, build, stop_signals)
        _run(settings, archive, stop_signals, children, scratch)
    except Stopped:
        say("stopping")
    finally:
        stop(children)
        shutil.rmtree(scratch, ignore_errors=True)


def _run(
    settings: Settings,
    archive: str,
    stop_signals: StopSignals,
    children: list[Child],
    scratch: Path,
) -> NoReturn:
    began = time.monotonic()
    logs = settings.run_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    say(f"2/4 starting TorchServe with {archive}, {settings.workers} workers")
    children.append(services.start_torchserve(settings, archive, scratch, logs))
    say("3/4 starting the gateway")
    children.append(services.start_gateway(settings, logs))
    if settings.ui:
        say("4/4 starting the page")
        children.append(services.start_page(settings, logs))
    _wait_until_ready(settings, stop_signals, children)
    say(f"ready after {time.monotonic() - began:.0f} s; logs in {logs}; Ctrl-C stops everything")
    while True:
        _check_alive(children)
        stop_signals.wait(SUPERVISION_S)


def _wait_until_ready(settings: Settings, stop_signals: StopSignals, children: list[Child]) -> None:
    """Wait until all services answer, then print their addresses."""
    gateway = f"http://{settings.host}:{settings.gateway_port}"
    page = f"http://{settings.host}:{settings.ui_port}"
    _wait(settings, stop_signals, children, f"{gateway}/readyz")
    if settings.ui:
        _wait(settings, stop_signals, children, f"{page}/_stcore/health")
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
    command = [*services.module("scripts"), "--config", os.devnull, "build", *options]
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


def _wait(settings: Settings, stop_signals: StopSignals, children: list[Child], url: str) -> None:
    """Poll ``url`` until it answers 200. Raises ServeError if a service ends or time is up."""
    end = time.monotonic() + settings.startup_s
    while time.monotonic() < end:
        _check_alive(children)
        _check_workers(children[0])
        if _answers(url):
            return
        stop_signals.wait(POLL_S)
    raise ServeError(
        f"{url} did not answer within {settings.startup_s:.0f} s; see {children[0].log}"
    )


def _answers(url: str) -> bool:
    try:
        # The services are on this machine: a proxy of the environment has no place in between.
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _check_alive(children: list[Child]) -> None:
    for child in children:
        status = child.process.poll()
        if status is not None:
            last = " | ".join(child.last_lines(3))
            raise ServeError(f"{child.name} ended (status {status}): {last}; see {child.log}")


def _check_workers(server: Child) -> None:
    """Raise ServeError if workers cannot load the archive: TorchServe restarts them forever."""
    log = server.log.read_text(errors="replace")
    if log.count("Backend worker error") >= BROKEN_AFTER_DEATHS or "Failed to load model" in log:
        reason = next((line for line in reversed(log.splitlines()) if "Error: " in line), "")
        raise ServeError(
            f"TorchServe cannot serve the archive ({reason.split(' - ')[-1].strip()}); "
            f"delete it to have it built again; see {server.log}"
        )


def say(text: str) -> None:
    """Print a line, flushed also through a pipe."""
    print(f"segserve: {text}", flush=True)
