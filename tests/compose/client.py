"""What a client and an operator of the deployment do, from outside its containers."""

import os
import re
import shlex
import time
from pathlib import Path

import httpx

from tests.compose.commands import run
from tests.compose.engine import ROOT
from tests.compose.stack import Stack
from tests.stack import segserve

PHOTOGRAPH = ROOT / "ui" / "examples" / "astronaut.jpg"
GUIDE = ROOT / "deploy" / "README.md"
KEY = re.compile(r"^export SEGSERVE_KEY=\$\(docker compose (.+)\)$", re.MULTILINE)
BACK_S = 120
SHELL_S = 120


def segment(stack: Stack, **query: str) -> httpx.Response:
    """Post the photograph as a client of the drop-in endpoint does."""
    files = {"file": (PHOTOGRAPH.name, PHOTOGRAPH.read_bytes(), "image/jpeg")}
    url = f"{stack.gateway_url}/segmentation"
    return httpx.post(url, params=query, files=files, timeout=60)


def back_after(stack: Stack, expected: str, **query: str) -> float:
    """Seconds until images are segmented again, by this version and never by another.

    query: of the requests. Until then the gateway is not there, or says when to come again.
    """
    start = time.monotonic()
    while time.monotonic() - start < BACK_S:
        try:
            response = segment(stack, **query)
        except httpx.TransportError:
            time.sleep(0.2)  # a client of a gateway that starts
            continue
        if response.status_code == 200:
            assert response.headers["x-model-version"] == expected
            return time.monotonic() - start
        assert response.status_code == 503, response.text
        assert "retry-after" in response.headers
        time.sleep(0.2)  # a client that heeds Retry-After would wait longer
    raise AssertionError(f"no image was segmented within {BACK_S} s")


def versions(stack: Stack, *arguments: str) -> str:
    """Run `segserve versions` on this machine with the key that the guide tells to take."""
    given = {name: value for name, value in os.environ.items() if "SEGSERVE_" not in name}
    (line,) = KEY.findall(GUIDE.read_text())
    environment = {**given, "SEGSERVE_KEY": stack.call(*line.split()).strip()}
    address = ("--gateway", stack.gateway_url)
    done = segserve("versions", *arguments, *address, environment=environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_the_guide(kind: str, containing: str) -> str:
    """The one block of the guide with such a text in it. kind: sh or yaml."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (block for block in blocks if containing in block)
    return str(found)


def shell(stack: Stack, commands: str, folder: Path, *files: str) -> str:
    """Run a block of the guide in a folder, with this deployment as that of `docker compose`.

    files: the arguments that name the files of the deployment, if not that of the checkout alone.
    """
    compose = shlex.join([*stack.command, *files])
    function = f'docker() {{ shift; {compose} "$@"; }}'
    script = f"set -e\ncd {shlex.quote(str(folder))}\n{function}\n{commands}"
    return run(["sh", "-c", script], timeout_s=SHELL_S, env=stack.environment)
