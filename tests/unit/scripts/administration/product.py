"""A real gateway on a port, and a node that reports to it as an agent would."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from gateway.app import create_app
from gateway.keys.token_file import ADMIN, NODE
from scripts.administration.client import Gateway, address_of
from tests.unit.gateway.admin.conftest import archive
from tests.unit.gateway.data_folders import data_folder
from tests.unit.gateway.doubles import serving, settings

BEAT_S = 0.05
WORKERS = 2  # that the node gives a version without a number of its own


@dataclass
class Node:
    """An agent without TorchServe: it reports what it is told to serve as ready.

    broken: version -> why it cannot be loaded. most: workers for which it has memory. is_slow:
    versions stay in loading.
    """

    name: str
    gateway_url: str
    token: str
    broken: dict[str, str] = field(default_factory=dict)
    most: int = 100
    is_slow: bool = False
    doing: str | None = None
    desired: dict[str, Any] = field(default_factory=dict)

    def beat(self) -> None:
        """Report, and take what should be."""
        body = {
            "node": self.name,
            "url": "http://127.0.0.1:1",
            "generation": self.desired.get("generation", 0),
            "free_memory_mb": 4096,
            "doing": self.doing,
            "models": {
                model: {name: self._report(name, each) for name, each in wanted["versions"].items()}
                for model, wanted in self.desired.get("models", {}).items()
            },
        }
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.gateway_url}/v1/agent/heartbeat"
        answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=10.0)
        self.desired = answer.raise_for_status().json()

    def _report(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        workers = WORKERS if wanted["workers"] is None else wanted["workers"]
        reason = "no memory" if workers > self.most else self.broken.get(name)
        ready = 0 if reason or self.is_slow else workers
        state = "failed" if reason else "ready" if ready else "loading"
        report = {"sha256": wanted["sha256"], "state": state, "reason": reason}
        return report | {"ready": ready, "wanted": workers}


@dataclass
class Product:
    """A running gateway, its data folder and its node."""

    url: str
    data_dir: Path
    node: Node
    store: Path

    @property
    def gateway(self) -> Gateway:
        """A client with the token of the gateway's user."""
        return Gateway(address_of(self.url, None, self.data_dir))

    def archive(self, version: str, **files: str | bytes | None) -> Path:
        """The file of a small archive, in the model store."""
        path = self.store / f"deeplabv3-{version}.mar"
        path.write_bytes(archive(version, **files))
        return path

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until what the node reported is kept."""
        for _ in range(100):
            if is_so():
                return
            threading.Event().wait(0.05)
        raise AssertionError("it did not become so within 5 s")

    def variables(self) -> dict[str, str]:
        """The environment in which the command finds it."""
        return {
            "SEGSERVE_GATEWAY": self.url,
            "SEGSERVE_SERVE_DATA_DIR": str(self.data_dir),
            "SEGSERVE_SERVE_MODEL_STORE": str(self.store),
        }


@contextmanager
def running(store: Path) -> Iterator[Product]:
    """A gateway without keys, and one node that is heard; versions are added by the test."""
    folder = data_folder()
    with serving(create_app(settings(data_dir=folder))) as port:
        url = f"http://127.0.0.1:{port}"
        node = Node("first", url, (folder / NODE).read_text())
        assert (folder / ADMIN).exists()
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(BEAT_S):
                node.beat()

        node.beat()
        thread = threading.Thread(target=beat)
        thread.start()
        try:
            yield Product(url, folder, node, store)
        finally:
            stop.set()
            thread.join()
