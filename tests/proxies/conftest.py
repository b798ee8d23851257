"""The product behind the examples of deploy/proxy/, and a browser that knows their name."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import running_page, started_chromium
from tests.e2e.gateways import second_gateway
from tests.proxies.servers import NAME, Proxy, running_caddy, running_nginx
from tests.stack import ROOT, Stack, running_stack

# What name servers say, as far as this browser knows.
_NAMES = ", ".join(f"MAP {name} 127.0.0.1" for name in (NAME, "evil.test", "rebound.test"))
# Newer browsers keep sites from this machine's addresses; the product does not rely on that.
_UNPROTECTED = "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"
STARTED = {"nginx": running_nginx, "caddy": running_caddy}


@dataclass(frozen=True)
class Published:
    """A gateway that requires keys, its page and keys of both roles."""

    gateway_url: str
    ui_url: str
    admin: str
    user: str


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The product as it starts by itself: on loopback, without keys."""
    with running_stack() as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, for which the names of the tests point at this machine."""
    flags = (f"--host-resolver-rules={_NAMES}", f"--disable-features={_UNPROTECTED}")
    with started_chromium(*flags) as started:
        yield started


@pytest.fixture(scope="session")
def published(stack: Stack) -> Iterator[Published]:
    """Gateway and page with the settings of deploy/README.md; the state is that of the stack."""
    admin, user = (_key(stack.data_dir, role) for role in ("admin", "user"))
    settings = {"AUTH": "on", "TRUSTED_PROXIES": "127.0.0.1"}
    with (
        second_gateway(stack, **settings) as gateway_url,
        running_page(gateway_url, HOSTS=NAME, API_KEY=user) as ui_url,
    ):
        yield Published(gateway_url, ui_url, admin, user)


@pytest.fixture(scope="session", params=STARTED)
def proxy(
    request: pytest.FixtureRequest,
    published: Published,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """Each proxy in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    start = STARTED[request.param]
    with start(folder, published.gateway_url, published.ui_url) as running:
        yield running


def _key(data: Path, role: str) -> str:
    """A new key, made as an operator makes one."""
    command = [sys.executable, "-m", "gateway.keys", "add", "--name", role, "--role", role]
    env = {**os.environ, "SEGSERVE_GATEWAY_DATA_DIR": str(data)}
    done = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()
