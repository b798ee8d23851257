"""A real browser on the real page: Chromium, the whole stack, and pages without a model."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.stack import ROOT, Stack, free_ports, running_stack
from tests.unit.ui.gateway_double import GatewayDouble, running_double

# No request that a page did not make: no sync, no updates.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[[str], Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start Chromium."""
    with started_chromium() as started:
        yield started


@contextlib.contextmanager
def started_chromium(*flags: str) -> Iterator[Browser]:
    """Chromium with further flags; fails with instructions to install it."""
    chromium = os.environ.get("SEGSERVE_TEST_CHROMIUM") or shutil.which("chromium")
    if not chromium or not Path(chromium).exists():
        pytest.fail(
            "These tests need Chromium: apt-get install chromium, "
            "or set SEGSERVE_TEST_CHROMIUM to its path."
        )
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=[*_FLAGS, *flags])
        yield started
        started.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Run the whole product once for all tests that need a model."""
    with running_stack() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open addresses in a clean profile; no request may go to another host."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    foreign: list[str] = []

    def opened(url: str) -> Page:
        page = context.new_page()
        page.on(
            "request",
            lambda request: foreign.append(request.url) if _is_foreign(request.url, url) else None,
        )
        _load(page, url)
        return page

    yield opened
    context.close()
    assert foreign == []


def _load(page: Page, url: str) -> None:
    """Open an address; again if a network interface appeared or disappeared meanwhile.

    Chromium then drops what it is loading, also from loopback: containers elsewhere do that.
    """
    dropped: list[str] = []
    page.on("requestfailed", lambda request: dropped.append(request.failure or ""))
    for attempts_left in (2, 1, 0):
        try:
            page.goto(url)
            page.get_by_role("button", name="Get segmentation map").wait_for(timeout=15_000)
        except PlaywrightError:
            if not attempts_left or "net::ERR_NETWORK_CHANGED" not in dropped:
                raise
        else:
            return


def _is_foreign(requested: str, own: str) -> bool:
    return not requested.startswith((own, "data:", "blob:"))


@pytest.fixture
def page(stack: Stack, open_page: OpenPage) -> Page:
    """Open the page of the whole stack."""
    return open_page(stack.ui_url)


@pytest.fixture
def gateway() -> Iterator[GatewayDouble]:
    """Serve a gateway double, for states that a healthy stack does not show."""
    with running_double() as double:
        yield double


@contextlib.contextmanager
def running_page(gateway_url: str, **settings: str) -> Iterator[str]:
    """Run the page alone with `python -m ui`; yields its address, stops the process.

    settings are named without SEGSERVE_UI_.
    """
    (port,) = free_ports(1)
    chosen = {"PORT": str(port), "GATEWAY_URL": gateway_url, **settings}
    env = {f"SEGSERVE_UI_{name}": value for name, value in chosen.items()}
    process = subprocess.Popen([sys.executable, "-m", "ui"], cwd=ROOT, env={**os.environ, **env})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/_stcore/health", process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).is_success:
                return
        time.sleep(0.1)  # Streamlit does not signal that it is up
    pytest.fail(f"The page did not start: {url}")
