"""A gateway process before a fake TorchServe, which answers at once: the gateway alone."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers.node import TOKEN, reporting_node
from benchmarks.servers.recorded_responses import MANAGEMENT
from benchmarks.servers.server_process import Command, RunningServer, running_server
from benchmarks.setup.ports import free_ports
from benchmarks.setup.settings import ROOT, environment


@contextmanager
def fake_torchserve(answers: Path) -> Iterator[str]:
    """Run a fake TorchServe with recorded responses; yields its address. Raises ServerError."""
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    start = [sys.executable, "-m", "benchmarks.servers.fake_torchserve", str(port), str(answers)]
    with running_server(Command("instant", start, environment(), f"{url}{MANAGEMENT[0]}")):
        yield url


@contextmanager
def gateway_alone(
    torchserve: str, archive: Path, root: Path = ROOT
) -> Iterator[tuple[str, RunningServer]]:
    """Run the gateway of a checkout; yields (its address, its process). Raises ServerError.

    archive: of the version that the fake TorchServe answers for. Another checkout's gateway runs in
    that checkout's environment, if it has one.
    """
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        env = {
            **environment(root),
            "SEGSERVE_GATEWAY_PORT": str(port),
            "SEGSERVE_GATEWAY_DATA_DIR": folder,
            "SEGSERVE_GATEWAY_NODE_TOKEN": TOKEN,
            # Of former versions, whose gateways asked TorchServe.
            "SEGSERVE_GATEWAY_INFERENCE_URL": torchserve,
            "SEGSERVE_GATEWAY_MANAGEMENT_URL": torchserve,
        }
        # -P: the working folder has a gateway too.
        command = [_interpreter(root), "-P", "-m", "gateway"]
        name = f"gateway-{port}"
        with (
            reporting_node(url, torchserve, archive),
            running_server(Command(name, command, env, f"{url}/readyz")) as gateway,
        ):
            yield url, gateway


def _interpreter(root: Path) -> str:
    own = root / ".venv" / "bin" / "python"
    return str(own) if root != ROOT and own.exists() else sys.executable
