"""`segserve versions`: each sub-command performs its operation, and no other."""

import json
import zipfile
from pathlib import Path

import pytest

from scripts.launch import drain
from scripts.versions import versions
from tests.stack import free_ports
from tests.unit.scripts.commands import command
from tests.unit.scripts.launch.torchserve_double import TorchServeDouble

main = command("versions")


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["default", "1.0"], ["scale", "1.0", "2"], ["remove", "1.0"]],
    ids=lambda arguments: arguments[0],
)
def test_without_a_server_every_command_fails_with_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, without a traceback."""
    (closed,) = free_ports(1)
    monkeypatch.setenv("SEGSERVE_SERVE_MANAGEMENT_PORT", str(closed))
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("segserve: TorchServe's management API at http://127.0.0.1")
    assert errors.count("\n") == 1


COMMANDS = {
    "list": [],
    "add": ["deeplabv3-1.2.mar"],
    "default": ["1.1"],
    "scale": ["1.1", "3"],
    "remove": ["1.1"],
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> TorchServeDouble:
    """The TorchServe double that every command connects to."""
    double = TorchServeDouble()
    monkeypatch.setattr("scripts.versions.ManagementClient", lambda *_, **__: double.management())
    return double


def test_every_command_is_tried_below() -> None:
    """A sub-command missing from the table would go untested."""
    assert set(versions.commands) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_does_what_its_name_says_and_nothing_else(
    name: str, server: TorchServeDouble, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Above all, only remove removes."""
    monkeypatch.setenv("SEGSERVE_SERVE_MODEL_STORE", str(tmp_path))
    monkeypatch.setenv("SEGSERVE_SERVE_WORKERS", "2")
    monkeypatch.setattr(drain, "GATEWAYS_S", 0.0)
    with zipfile.ZipFile(tmp_path / "deeplabv3-1.2.mar", "w") as file:
        manifest = {"model": {"modelName": "deeplabv3", "modelVersion": "1.2"}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    assert main([name, *COMMANDS[name]]) == 0
    expected = {
        "list": [],
        "add": ["POST /models?", "PUT /models/deeplabv3/1.2?min_worker=2"],
        "default": ["PUT /models/deeplabv3/1.1/set-default"],
        "scale": ["PUT /models/deeplabv3/1.1?min_worker=3"],
        "remove": ["PUT /models/deeplabv3/1.1?min_worker=0", "DELETE /models/deeplabv3/1.1"],
    }[name]
    changes = server.changes()
    assert len(changes) == len(expected)
    assert all(change.startswith(begin) for change, begin in zip(changes, expected, strict=True))


@pytest.mark.parametrize("name", ["replace", "rm", "", "REMOVE", "--remove"])
def test_an_unknown_command_changes_nothing(name: str, server: TorchServeDouble) -> None:
    """Whatever its arguments."""
    assert main([name, "1.1"]) == 2
    assert server.calls == []


@pytest.mark.parametrize("command", [["default"], ["scale"], ["remove"]])
@pytest.mark.parametrize("version", ["", "1.0?x=1", "1%2e5", "all", "../1.0", "1.0\n"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(
    command: list[str],
    version: str,
    server: TorchServeDouble,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In TorchServe's path it would mean another version."""
    assert main([*command, version, *(["1"] if command == ["scale"] else [])]) == 2
    assert "is no name of a version" in capsys.readouterr().err
    assert server.calls == []


@pytest.mark.parametrize("workers", ["0", "-1", "257", "many"])
def test_a_version_is_not_added_without_workers(workers: str, server: TorchServeDouble) -> None:
    """0 would mean the default number."""
    assert main(["add", "deeplabv3-1.2.mar", "--workers", workers]) == 2
    assert server.calls == []
