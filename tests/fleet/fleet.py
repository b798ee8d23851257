"""Two gateways on one PostgreSQL, and two nodes, each a TorchServe with its agent."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import psutil

from scripts.archives.archive import MODEL
from scripts.launch.processes import end_with_parent
from tests import postgres
from tests.rollouts.colours import Colours
from tests.stack import ROOT, free_ports

GATEWAYS: Final = ("gateway-1", "gateway-2")
NODES: Final = ("node-1", "node-2")
STABLE: Final = "1.0"
MODELS: Final = f"/v1/admin/models/{MODEL}"
_PORTS: Final = ("INFERENCE", "MANAGEMENT", "GRPC_INFERENCE", "GRPC_MANAGEMENT")
_PATIENCE_S: Final = 60.0
T = TypeVar("T")


@dataclass
class Fleet:
    """The processes. seed: the archive of the first version, which both nodes bring."""

    folder: Path
    database: postgres.Postgres
    colours: Colours
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ports = free_ports(len(GATEWAYS) + len(NODES) * len(_PORTS))
        self.urls = [f"http://127.0.0.1:{ports.pop()}" for _ in GATEWAYS]
        self._node_ports = {node: [ports.pop() for _ in _PORTS] for node in NODES}
        self._database_url = self.database.create_database()
        self._node_token = secrets.token_urlsafe(16)
        self._admin_key = ""

    def start(self) -> None:
        """Start everything, and wait until the first version is ready on both nodes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (*GATEWAYS, *NODES):
            self.start_part(name)
        self.ready(STABLE)

    def start_part(self, name: str) -> None:
        """Start a gateway, or a node's agent with its TorchServe."""
        environment = self._of_gateway(name) if name in GATEWAYS else self._of_node(name)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "gateway" if name in GATEWAYS else "agent"],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
            )

    def kill(self, name: str) -> None:
        """Kill a part with all its processes, as a power failure does."""
        process = psutil.Process(self.processes[name].pid)
        victims = [process, *process.children(recursive=True)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for each in victims:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)
        self.processes[name].wait(30)

    def stop(self) -> None:
        """Stop everything."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)

    @contextmanager
    def admin(self, gateway: int = 0) -> Iterator[httpx.Client]:
        """A client of a gateway's administration."""
        token = (self._data_dir(GATEWAYS[gateway]) / "admin-token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(
            base_url=self.urls[gateway], headers=headers, timeout=60.0, trust_env=False
        ) as client:
            yield client

    def change(self, method: str, path: str, gateway: int = 0, **keywords: Any) -> dict[str, Any]:
        """Change the model by a gateway's administration; returns its answer."""
        with self.admin(gateway) as admin:
            answer = admin.request(method, f"{MODELS}{path}", **keywords)
        assert answer.is_success, answer.text
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body

    def add(self, version: str, network: int) -> None:
        """Add a version with a network (0 or 1), and wait until both nodes have it ready."""
        content = self.colours.archive(version, network).read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        self.change("POST", "/versions", params={"workers": 1}, content=content, headers=headers)
        self.ready(version)

    def promote(self, version: str, gateway: int = 0) -> None:
        """Make a version stable."""
        why = {"version": version, "force": True, "why": "a test"}
        self.change("POST", "/promote", gateway, json=why)

    def ready(self, version: str, workers: int = 1) -> None:
        """Wait until both gateways know that both nodes have so many workers of a version."""
        wanted = [dict.fromkeys(NODES, workers)] * len(GATEWAYS)
        until(
            lambda: [self.workers(version, each) for each in range(len(GATEWAYS))] == wanted,
            f"{version} is ready",
        )

    def workers(self, version: str, gateway: int = 0) -> dict[str, int]:
        """Node -> ready workers of a version, of the nodes that are heard."""
        with suppress(httpx.TransportError, FileNotFoundError), self.admin(gateway) as admin:
            nodes = admin.get("/v1/admin/nodes").json()["items"]
            return {
                node["name"]: each["ready"]
                for node in nodes
                if node["fresh"]
                for each in node["versions"]
                if each["version"] == version and each["state"] == "ready"
            }
        return {}

    def _data_dir(self, gateway: str) -> Path:
        return self.folder / gateway

    def _of_gateway(self, name: str) -> dict[str, str]:
        url = self.urls[GATEWAYS.index(name)]
        return {
            "SEGSERVE_GATEWAY_PORT": url.rpartition(":")[2],
            "SEGSERVE_GATEWAY_DATA_DIR": str(self._data_dir(name)),
            "SEGSERVE_GATEWAY_DATABASE_URL": self._database_url,
            "SEGSERVE_GATEWAY_STORE_URL": str(self.folder / "store"),
            "SEGSERVE_GATEWAY_NODE_TOKEN": self._node_token,
        }

    def _of_node(self, name: str) -> dict[str, str]:
        ports = zip(_PORTS, self._node_ports[name], strict=True)
        return {
            "SEGSERVE_AGENT_GATEWAY_URLS": ",".join(self.urls),
            "SEGSERVE_AGENT_NODE": name,
            "SEGSERVE_AGENT_NODE_TOKEN": self._node_token,
            "SEGSERVE_AGENT_FOLDER": str(self.folder / name),
            "SEGSERVE_AGENT_SEEDS": str(self.colours.archive(STABLE, 0)),
            "SEGSERVE_AGENT_WORKERS": "1",
            "SEGSERVE_AGENT_CHECK_MEMORY": "false",
            **{f"SEGSERVE_AGENT_{port}_PORT": str(number) for port, number in ports},
        }


@contextmanager
def running(folder: Path, colours: Colours) -> Iterator[Fleet]:
    """A fleet that runs as long as the block."""
    with ExitStack() as stack:
        fleet = Fleet(folder, stack.enter_context(postgres.running()), colours)
        stack.callback(fleet.stop)
        fleet.start()
        yield fleet


def until(look: Callable[[], T], what: str, patience_s: float = _PATIENCE_S) -> T:
    """What ``look`` returns, once it is true."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.02)  # polling other processes
    raise TimeoutError(f"not within {patience_s:.0f} s: {what}")
