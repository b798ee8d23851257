"""A node that an agent would have: it offers an archive to a gateway, and reports it as ready."""

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from scripts.archives.archive import DEFAULT_VERSION, MODEL

TOKEN = secrets.token_urlsafe()
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
WORKERS = 2
BEAT_S = 1.0
SOON_S = 0.1


@contextmanager
def reporting_node(gateway: str, torchserve: str, archive: Path) -> Iterator[None]:
    """Report once a second, from another thread, while the block runs.

    The gateway may start later; one of a former version, which has no agents, needs no reports.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_report, args=(gateway, torchserve, archive, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _report(gateway: str, torchserve: str, archive: Path, ended: threading.Event) -> None:
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    is_offered = False
    with httpx.Client(base_url=gateway, headers=HEADERS, timeout=30, trust_env=False) as client:
        while not ended.wait(BEAT_S if is_offered else SOON_S):
            try:
                is_offered = is_offered or _offer(client, digest, content)
                client.post("/v1/agent/heartbeat", json=_heartbeat(torchserve, digest))
            except httpx.TransportError:
                continue  # it is starting, or ending


def _offer(client: httpx.Client, digest: str, content: bytes) -> bool:
    facts: dict[str, str | bool] = {"model": MODEL, "version": DEFAULT_VERSION, "stable": True}
    where = f"/v1/agent/seeds/{digest}"
    return not client.put(where, params=facts, content=content).is_server_error


def _heartbeat(torchserve: str, digest: str) -> dict[str, object]:
    version = {"sha256": digest, "state": "ready", "ready": WORKERS, "wanted": WORKERS}
    return {
        "node": "benchmark",
        "url": torchserve,
        "generation": 0,
        "models": {MODEL: {DEFAULT_VERSION: version}},
    }
