"""A gateway beside the product's own, with other settings, of the same state."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from scripts.launch.processes import end_with_parent
from tests.stack import ROOT, Stack, free_ports

PATIENCE_S = 30.0


@contextmanager
def second_gateway(stack: Stack, **settings: str) -> Iterator[str]:
    """The address of the gateway; settings are named without SEGSERVE_GATEWAY_."""
    with gateway_process(stack, **settings) as (url, _):
        yield url


@contextmanager
def gateway_process(stack: Stack, **settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of the gateway and its process."""
    (port,) = free_ports(1)
    chosen = {
        "PORT": str(port),
        "DATA_DIR": str(stack.data_dir),
    }
    env = {f"SEGSERVE_GATEWAY_{name}": value for name, value in (chosen | settings).items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        cwd=ROOT,
        env=os.environ | env,
        preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_lives(url, process)
        yield url, process
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_lives(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert process.poll() is None, "the gateway ended while starting"
        try:
            if httpx.get(f"{url}/healthz", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)  # polling another process
    raise TimeoutError(f"the gateway was not ready within {PATIENCE_S:.0f} s")
