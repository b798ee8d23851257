"""The whole product, run for tests on free ports as a user would run it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import psutil
from filelock import FileLock

from benchmarks.setup.ports import free_ports as free_ports
from scripts.archives.archive import DEFAULT_VERSION, MODEL, file_name
from scripts.archives.paths import MODEL_STORE
from scripts.launch.processes import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
READY_S = 150.0
STOP_S = 30.0
WORKERS = 2  # what is promised of memory is promised of two, however many cores there are
PORTS = ("GATEWAY", "UI", "INFERENCE", "MANAGEMENT", "METRICS", "GRPC_INFERENCE", "GRPC_MANAGEMENT")


@dataclass(frozen=True)
class Stack:
    """A running product and the addresses of its services."""

    process: subprocess.Popen[bytes]
    ports: dict[str, int]
    run_dir: Path
    env: dict[str, str]

    @property
    def model_store(self) -> Path:
        """The folder of its archives."""
        return Path(self.env["SEGSERVE_SERVE_MODEL_STORE"])

    @property
    def data_dir(self) -> Path:
        """The folder of what survives a restart."""
        return Path(self.env["SEGSERVE_SERVE_DATA_DIR"])

    @property
    def has_page(self) -> bool:
        """Whether it starts the page."""
        return self.env.get("SEGSERVE_SERVE_UI") != "false"

    @property
    def gateway_url(self) -> str:
        """The public API."""
        return f"http://127.0.0.1:{self.ports['GATEWAY']}"

    @property
    def ui_url(self) -> str:
        """The page."""
        return f"http://127.0.0.1:{self.ports['UI']}"

    @property
    def inference_url(self) -> str:
        """TorchServe's inference API."""
        return f"http://127.0.0.1:{self.ports['INFERENCE']}"

    @property
    def management_url(self) -> str:
        """TorchServe's management API."""
        return f"http://127.0.0.1:{self.ports['MANAGEMENT']}"

    @property
    def tokens_file(self) -> Path:
        """TorchServe's file of tokens."""
        folder = self.run_dir / f"agent-{self.ports['MANAGEMENT']}"
        return folder / "torchserve" / "key_file.json"

    @property
    def output(self) -> str:
        """The command's output so far."""
        return (self.run_dir / "output.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which commands find this product."""
        return {
            **os.environ,
            "SEGSERVE_SERVE_GATEWAY_PORT": str(self.ports["GATEWAY"]),
            "SEGSERVE_SERVE_MANAGEMENT_PORT": str(self.ports["MANAGEMENT"]),
            "SEGSERVE_SERVE_RUN_DIR": str(self.run_dir),
            "SEGSERVE_SERVE_DATA_DIR": str(self.data_dir),
            "SEGSERVE_GATEWAY_DATA_DIR": str(self.data_dir),
            "SEGSERVE_GATEWAY": self.gateway_url,
            "SEGSERVE_SERVE_MODEL_STORE": str(self.model_store),
            "SEGSERVE_SERVE_WORKERS": str(WORKERS),
        }

    def versions(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `segserve versions`, as a user does."""
        return segserve(
            "versions",
            *arguments,
            "--gateway",
            self.gateway_url,
            environment=environment or self.environment,
            timeout=240,
        )

    def descendants(self) -> list[psutil.Process]:
        """All running processes that the product started."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found


def segserve(
    *arguments: str, environment: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command, as a user does. timeout: in seconds."""
    return subprocess.run(
        [sys.executable, "-m", "scripts", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The processes that still run, without zombies that await their parent."""
    return [each for each in processes if each.is_running() and not _is_zombie(each)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@cache
def bundled_archive() -> Path:
    """The bundled model's archive in the user's model store, built if an input changed."""
    command = [sys.executable, "-m", "scripts", "build"]
    lock = ROOT / ".cache" / "tests-archive.lock"
    lock.parent.mkdir(exist_ok=True)
    # Parallel processes of pytest share the archive.
    with FileLock(lock):
        subprocess.run(command, cwd=ROOT, check=True)
    return MODEL_STORE / file_name(MODEL, DEFAULT_VERSION)


@contextmanager
def started(run_dir: Path, **env: str) -> Iterator[Stack]:
    """The product before it is ready; stopped afterwards if it still runs.

    Its model store and its data are its own, unless ``env`` names others: tests add versions, and
    the user may have some of the same names.
    """
    with tempfile.TemporaryDirectory() as store, tempfile.TemporaryDirectory() as data:
        shutil.copy(bundled_archive(), store)
        own = {"SEGSERVE_SERVE_MODEL_STORE": store, "SEGSERVE_SERVE_DATA_DIR": data, **env}
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        stack = _start(run_dir, own, ports)
        try:
            yield stack
        finally:
            _end(stack)


@contextmanager
def started_again(stack: Stack) -> Iterator[Stack]:
    """A product that has ended, ready again with the same data; stopped afterwards."""
    again = _start(stack.run_dir, stack.env, stack.ports)
    try:
        wait_until_ready(again)
        yield again
    finally:
        _end(again)


def _start(run_dir: Path, env: dict[str, str], ports: dict[str, int]) -> Stack:
    settings = {f"SEGSERVE_SERVE_{name}_PORT": str(port) for name, port in ports.items()}
    settings["SEGSERVE_SERVE_RUN_DIR"] = str(run_dir)
    settings["SEGSERVE_SERVE_DATA_DIR"] = str(run_dir / "data")
    settings["SEGSERVE_SERVE_WORKERS"] = str(WORKERS)
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "scripts", "serve"],
            cwd=ROOT,
            env={**os.environ, **settings, **env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,  # tests that are killed leave nothing behind
        )
    return Stack(process, ports, run_dir, env)


def _end(stack: Stack) -> None:
    if stack.process.poll() is None:
        try:
            stop(stack)
        finally:
            stack.process.kill()  # if it did not; its parts end with it


def wait_until_ready(stack: Stack) -> None:
    """Wait until the gateway reports ready workers and the page responds."""
    end = time.monotonic() + READY_S
    urls = [f"{stack.gateway_url}/readyz"]
    urls += [f"{stack.ui_url}/_stcore/health"] if stack.has_page else []
    while time.monotonic() < end:
        if stack.process.poll() is not None:
            raise RuntimeError(f"the product ended while starting:\n{stack.output}")
        if all(_answers(url) for url in urls):
            return
        time.sleep(0.2)  # polling another process
    raise TimeoutError(f"the product was not ready within {READY_S:.0f} s")


def stop(stack: Stack) -> tuple[int, str]:
    """Interrupt the product as Ctrl-C does; (exit status, output)."""
    stack.process.send_signal(signal.SIGINT)
    return ended(stack, STOP_S)


def ended(stack: Stack, timeout: float) -> tuple[int, str]:
    """Wait until the product ends by itself; (exit status, output)."""
    status = stack.process.wait(timeout)
    return status, stack.output


@contextmanager
def running_stack(**env: str) -> Iterator[Stack]:
    """The whole product, ready; stopped afterwards, which must leave no process."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), **env) as stack:
        try:
            wait_until_ready(stack)
            yield stack
        finally:
            processes = stack.descendants() if stack.process.poll() is None else []
            _end(stack)
        assert alive(processes) == []


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
