"""A real Label Studio on a free port, with its data in a temporary folder."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from label_studio_sdk import LabelStudio

from scripts.launch.processes import end_with_parent
from tests.stack import ROOT, free_ports

COMMAND = ROOT / ".cache" / "label-studio" / "environment" / "bin" / "label-studio"
USER, PASSWORD = "annotator@example.test", "a password for tests"
LEGACY_KEY = "0123456789abcdef0123456789abcdef01234567"
# It makes its database at the first start.
READY_S = 240.0
# It answers to the request for predictions once it has stored all of them.
ANSWER_S = 500.0
# No telemetry leaves the machine.
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
}


@dataclass(frozen=True)
class Server:
    """A running Label Studio. local_files: a folder whose files it serves."""

    url: str
    local_files: Path

    @cached_property
    def client(self) -> LabelStudio:
        """Its own client, with the legacy token."""
        client: LabelStudio = LabelStudio(  # type: ignore[no-untyped-call]  # its own is not annotated
            base_url=self.url, api_key=LEGACY_KEY, timeout=ANSWER_S
        )
        return client

    @cached_property
    def access_token(self) -> str:
        """A new personal access token, which is a JWT."""
        response = self.post("/api/token/", json={})
        token: str = response.json()["token"]
        return token

    def post(self, path: str, **content: Any) -> httpx.Response:
        """Post to a route that the client does not have, as the same user."""
        headers = {"Authorization": f"Token {LEGACY_KEY}"}
        response = httpx.post(
            f"{self.url}{path}", headers=headers, timeout=ANSWER_S, trust_env=False, **content
        )
        return response.raise_for_status()


@contextmanager
def running_server() -> Iterator[Server]:
    """Start it; ready, with a user and both kinds of keys."""
    assert COMMAND.exists(), "Label Studio is not installed: make test-label-studio"
    with tempfile.TemporaryDirectory() as folder:
        local_files = Path(folder) / "local"
        local_files.mkdir()
        (port,) = free_ports(1)
        process = _start(Path(folder), local_files, port)
        try:
            server = Server(f"http://127.0.0.1:{port}", local_files)
            _wait_until_ready(server.url, process, Path(folder) / "output.log")
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _start(folder: Path, local_files: Path, port: int) -> subprocess.Popen[bytes]:
    settings = {
        "BASE_DATA_DIR": str(folder),
        "USERNAME": USER,
        "PASSWORD": PASSWORD,
        "USER_TOKEN": LEGACY_KEY,
        "ENABLE_LEGACY_API_TOKEN": "true",
        # The gateway is on loopback. The second is for the webhook that it registers by itself.
        "ML_BLOCK_LOCAL_IP": "false",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(local_files),
    }
    env = {f"LABEL_STUDIO_{name}": value for name, value in settings.items()} | QUIET
    arguments = ["start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port)]
    with (folder / "output.log").open("wb") as output:
        return subprocess.Popen(
            [str(COMMAND), *arguments],
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
        )


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        assert process.poll() is None, f"Label Studio ended while starting:\n{log.read_text()}"
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)  # polling another process
    raise TimeoutError(f"Label Studio was not ready within {READY_S:.0f} s:\n{log.read_text()}")
