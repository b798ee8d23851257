"""`python -m gateway` starts, serves, stops on a signal, and explains why it cannot start."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.keys.store import KeyStore

pytestmark = pytest.mark.slow


@contextmanager
def gateway(**settings: str) -> Iterator[subprocess.Popen[str]]:
    """The gateway as a separate process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env=os.environ | {f"SEGSERVE_GATEWAY_{name}": value for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if match := re.search(r"running on (http://\S+)", line):
            return match[1]
    raise AssertionError("the gateway did not start")


def test_it_answers_and_stops_on_a_signal_without_a_traceback() -> None:
    """A supervisor can start the gateway, probe it and stop it with SIGTERM."""
    with gateway(PORT="0", INFERENCE_URL="http://127.0.0.1:1") as process:
        url = _url(process)
        assert httpx.get(f"{url}/healthz", trust_env=False).json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=15)
        assert "Traceback" not in log


def test_a_wrong_setting_is_one_message_and_an_exit() -> None:
    """An invalid setting is reported without a traceback, with exit status 1."""
    with gateway(PORT="many") as process:
        _, log = process.communicate(timeout=15)
        assert process.returncode == 1
        assert "SEGSERVE_GATEWAY_" in log
        assert "Traceback" not in log


def test_an_open_address_without_keys_is_one_line_and_an_exit(tmp_path: Path) -> None:
    """The message names both remedies: add a key, or turn authentication off."""
    keys = {"KEYS_FILE": str(tmp_path / "keys.json")}
    with gateway(HOST="0.0.0.0", PORT="0", AUTH="auto", **keys) as process:  # noqa: S104
        _, log = process.communicate(timeout=15)
        assert process.returncode == 1
    (line,) = log.splitlines()
    assert "python -m gateway.keys add" in line
    assert "SEGSERVE_GATEWAY_AUTH=off" in line


def test_with_a_key_it_starts_and_asks_for_it(tmp_path: Path) -> None:
    """With authentication on, a key is required on loopback too, and its role counts."""
    _, key = KeyStore(tmp_path / "keys.json").add("app", "user")
    with gateway(PORT="0", AUTH="on", KEYS_FILE=str(tmp_path / "keys.json")) as process:
        url = _url(process)
        paths = ("/healthz", "/v1/models")
        assert [httpx.get(url + path, trust_env=False).status_code for path in paths] == [200, 401]
        with_key = httpx.get(url + "/v1/admin/keys", headers={"X-API-Key": key}, trust_env=False)
        assert with_key.status_code == 403
