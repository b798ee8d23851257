"""A gateway and a node as processes that are killed and started again, as a supervisor would."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import httpx
import psutil

from scripts.launch.processes import end_with_parent
from tests.stack import ROOT, free_ports

NODE: Final = "one"
GATEWAY, AGENT, JAVA, WORKERS = "gateway", "agent", "TorchServe", "workers"
EVERYTHING: Final = (GATEWAY, AGENT, JAVA, WORKERS)
PATIENCE_S: Final = 40.0
_PORTS: Final = ("GATEWAY", "INFERENCE", "MANAGEMENT", "GRPC_INFERENCE", "GRPC_MANAGEMENT")
_KEY: Final = re.compile(r"sgs_\w+")
T = TypeVar("T")


@dataclass
class Product:
    """One gateway and one node. folder: of all that is theirs. database: its URL, if any.

    down_at, up_at: when the gateway was killed and when it answered again, on the monotonic clock.
    """

    folder: Path
    seed: Path
    database: str | None = None
    ports: dict[str, int] = field(
        default_factory=lambda: dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    )
    settings: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    starts: int = 0
    admin_key: str = ""
    down_at: float = 0.0
    up_at: float = 0.0

    @property
    def url(self) -> str:
        """The gateway."""
        return f"http://127.0.0.1:{self.ports['GATEWAY']}"

    @property
    def data_dir(self) -> Path:
        """What the gateway keeps."""
        return self.folder / "data"

    @property
    def agent_dir(self) -> Path:
        """What the agent keeps."""
        return self.folder / "agent"

    @property
    def scratch(self) -> Path:
        """The folder of temporary files of all processes."""
        return self.folder / "t"

    def environment(self) -> dict[str, str]:
        """The environment of gateway and agent."""
        ports = self.ports
        own = {
            "TMPDIR": str(self.scratch),
            "SEGSERVE_GATEWAY_PORT": str(ports["GATEWAY"]),
            "SEGSERVE_GATEWAY_DATA_DIR": str(self.data_dir),
            "SEGSERVE_GATEWAY_AUTH": "on",
            "SEGSERVE_AGENT_GATEWAY_URLS": self.url,
            "SEGSERVE_AGENT_NODE": NODE,
            "SEGSERVE_AGENT_NODE_TOKEN_FILE": str(self.data_dir / "node-token"),
            "SEGSERVE_AGENT_FOLDER": str(self.agent_dir),
            "SEGSERVE_AGENT_SEEDS": str(self.seed),
            "SEGSERVE_AGENT_WORKERS": "1",
            "SEGSERVE_AGENT_CHECK_MEMORY": "false",
            **{
                f"SEGSERVE_AGENT_{name}_PORT": str(port)
                for name, port in ports.items()
                if name != "GATEWAY"
            },
        }
        if self.database:
            own["SEGSERVE_GATEWAY_DATABASE_URL"] = self.database
        return {**os.environ, **own, **self.settings}

    def start(self) -> None:
        """Start what does not run; a gateway's first start needs a key."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        if not self.admin_key:
            self.admin_key = self._first_key()
        for name in (GATEWAY, AGENT):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                self.starts += 1
                with self.log(name).open("ab") as log:
                    self.processes[name] = subprocess.Popen(
                        [sys.executable, "-m", name],
                        cwd=ROOT,
                        env=self.environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
                    )
        until(self._is_up, "the gateway answers", every_s=0.02)
        if self.up_at < self.down_at:
            self.up_at = time.monotonic()

    def stop(self) -> None:
        """Stop both."""
        for name in (AGENT, GATEWAY):
            if name in self.processes:
                self.processes[name].terminate()
        for process in self.processes.values():
            process.wait(60)

    def log(self, name: str) -> Path:
        """What a part wrote, in all its starts."""
        return self.folder / f"{name}.log"

    def kill(self, *parts: str) -> list[psutil.Process]:
        """Kill parts at once, as a power failure does; returns what was killed."""
        victims = [each for part in parts for each in self.running(part)]
        if GATEWAY in parts:
            self.down_at = time.monotonic()
        # None of them notices the death of another.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for each in victims:
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)
        for name in {GATEWAY, AGENT} & set(parts):
            self.processes[name].wait(30)
        return victims

    def running(self, part: str) -> list[psutil.Process]:
        """The processes of a part."""
        if part in (GATEWAY, AGENT):
            return [psutil.Process(self.processes[part].pid)]
        with suppress(psutil.NoSuchProcess):
            java = psutil.Process(self.processes[AGENT].pid).children()
            if part == JAVA:
                return java
            return [each for one in java for each in one.children(recursive=True)]
        return []

    def admin(self, key: str | None = None) -> httpx.Client:
        """A client of the administration."""
        headers = {"Authorization": f"Bearer {key or self.admin_key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)

    def _is_up(self) -> bool:
        process = self.processes[GATEWAY]
        assert process.poll() is None, f"the gateway ended: {self.log(GATEWAY).read_text()[-2000:]}"
        try:
            return httpx.get(f"{self.url}/healthz", timeout=5.0, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _first_key(self) -> str:
        command = [sys.executable, "-m", "gateway.keys", "add", "--name", "boss", "--role", "admin"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, check=True
        )
        found = _KEY.search(done.stdout)
        assert found, done.stdout
        return found[0]


@contextmanager
def running(product: Product) -> Iterator[Product]:
    """A product that runs as long as the block."""
    product.start()
    try:
        yield product
    finally:
        product.stop()


def until(
    look: Callable[[], T], what: str, patience_s: float = PATIENCE_S, every_s: float = 0.002
) -> T:
    """What ``look`` returns, once it is true."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(every_s)  # polling other processes
    raise TimeoutError(f"not within {patience_s:.0f} s: {what}")
