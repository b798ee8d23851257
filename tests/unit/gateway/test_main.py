"""`python -m gateway` starts, serves, stops on a signal, and explains why it cannot start."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.keys.api_key import issue
from tests.key_store import key_store
from tests.unit.gateway.data_folders import data_folder

pytestmark = pytest.mark.slow


@contextmanager
def gateway(**settings: str) -> Iterator[subprocess.Popen[str]]:
    """The gateway as a separate process, with a data folder of its own."""
    settings = {"DATA_DIR": str(data_folder())} | settings
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
    keys = {"DATA_DIR": str(tmp_path)}
    with gateway(HOST="0.0.0.0", PORT="0", AUTH="auto", **keys) as process:  # noqa: S104
        _, log = process.communicate(timeout=15)
        assert process.returncode == 1
    (line,) = log.splitlines()
    assert "python -m gateway.keys add" in line
    assert "SEGSERVE_GATEWAY_AUTH=off" in line


def test_with_a_key_it_starts_and_asks_for_it(tmp_path: Path) -> None:
    """With authentication on, a key is required on loopback too, and its role counts."""
    _, key = key_store(tmp_path).add("app", "user")
    with gateway(PORT="0", AUTH="on", DATA_DIR=str(tmp_path)) as process:
        url = _url(process)
        paths = ("/healthz", "/v1/models")
        assert [httpx.get(url + path, trust_env=False).status_code for path in paths] == [200, 401]
        with_key = httpx.get(url + "/v1/admin/keys", headers={"X-API-Key": key}, trust_env=False)
        assert with_key.status_code == 403


def test_the_keys_of_a_former_version_go_on(tmp_path: Path) -> None:
    """After an update clients send the same keys; the file is kept under another name."""
    file = tmp_path / "keys.json"
    stored, key = issue("app", "user", None, None)
    file.write_text(json.dumps({"keys": [stored.model_dump(mode="json")]}))
    state = {"DATA_DIR": str(tmp_path / "data"), "KEYS_FILE": str(file)}
    for _ in range(2):
        with gateway(PORT="0", AUTH="on", INFERENCE_URL="http://127.0.0.1:1", **state) as process:
            url = f"{_url(process)}/v1/admin/keys"
            answers = [
                httpx.get(url, headers={"X-API-Key": each}, trust_env=False).status_code
                for each in (key, key[:-1])
            ]
            assert answers == [403, 401]
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["keys.json.migrated"]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/segserve"}, "segserve on 127.0.0.1"),
        ({"DATABASE_URL": "mysql://me:secret@127.0.0.1/segserve"}, "database_url begins with"),
        ({"DATA_DIR": "/dev/null/data"}, "registry.sqlite3 cannot be used: Not a directory"),
    ],
)
@pytest.mark.parametrize("auth", ["on", "off"])
def test_a_database_that_cannot_be_used_is_an_exit(
    state: dict[str, str], reason: str, auth: str
) -> None:
    """Whether keys are required or not, it does not start; a password is not in the line."""
    with gateway(PORT="0", AUTH=auth, **state) as process:
        _, log = process.communicate(timeout=30)
        assert process.returncode == 1
    assert reason in log
    assert "secret" not in log
    assert "Traceback" not in log


def test_an_archive_store_of_an_unknown_kind_is_an_exit() -> None:
    """One line that names the setting, without the secrets of its address."""
    with gateway(PORT="0", STORE_URL="none://me:secret@bucket") as process:
        _, log = process.communicate(timeout=30)
        assert process.returncode == 1
    (line,) = log.splitlines()
    assert "none://bucket cannot be used" in line
    assert "SEGSERVE_GATEWAY_STORE_URL" in line


def test_readiness_goes_down_before_the_listener() -> None:
    """After SIGTERM /readyz is 503 while other requests are still served."""
    with gateway(PORT="0", DRAIN_S="2", INFERENCE_URL="http://127.0.0.1:1") as process:
        url = _url(process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        ready = httpx.get(f"{url}/readyz", trust_env=False)
        assert (ready.status_code, ready.json()["detail"]) == (503, "The gateway is stopping.")
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        process.communicate(timeout=15)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False)


def test_a_second_signal_ends_the_draining() -> None:
    """An operator can hurry."""
    with gateway(PORT="0", DRAIN_S="600", INFERENCE_URL="http://127.0.0.1:1") as process:
        _url(process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=15)


def test_a_request_that_is_cut_off_gets_a_problem_document() -> None:
    """An upload that does not end within the time to stop gets a 503 with its id."""
    head = (
        b"POST /v1/segment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        b"X-Request-ID: slow\r\nContent-Length: 1000000\r\n\r\n"
    )
    with gateway(
        PORT="0", DRAIN_S="0", DEADLINE_S="1", INFERENCE_URL="http://127.0.0.1:1"
    ) as process:
        address = httpx.URL(_url(process))
        with socket.create_connection((address.host, address.port or 0), timeout=30) as client:
            client.sendall(head + bytes(1000))
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        process.communicate(timeout=15)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"x-request-id: slow" in answer
    assert b'"code":"model_unavailable"' in answer.replace(b'": "', b'":"')
