"""`segserve doctor`: one line per finding, and an exit status."""

import socket
from pathlib import Path

import pytest

from benchmarks.setup.ports import free_ports
from tests.unit.scripts.commands import command

main = command("doctor")
PORTS = ("GATEWAY", "UI", "INFERENCE", "MANAGEMENT", "METRICS", "GRPC_INFERENCE", "GRPC_MANAGEMENT")


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Free ports, an empty store, low memory requirements."""
    monkeypatch.chdir(tmp_path)
    for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        monkeypatch.setenv(f"SEGSERVE_SERVE_{name}_PORT", str(port))
    monkeypatch.setenv("SEGSERVE_SERVE_MIN_MEMORY_MB", "1")
    monkeypatch.setenv("SEGSERVE_SERVE_MODEL_STORE", str(tmp_path))


def _wrong(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("ok ", "note ", "WRONG ")) for line in lines), lines
    return [line for line in lines if line.startswith("WRONG")]


def test_a_sound_machine_has_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0, and a line for every subject."""
    status = main([])
    printed = capsys.readouterr().out
    assert (status, [line for line in printed.splitlines() if line[:5] == "WRONG"]) == (0, [])
    for subject in ("configuration", "variables", "packages", "Python", "Java", "memory", "disk",
                    "CUDA", "Docker", "model store", "port ", "gateway"):  # fmt: skip
        assert f" {subject}" in printed


def test_what_is_wrong_makes_the_exit_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A misspelt variable, a damaged archive, and a port in use: three lines."""
    monkeypatch.setenv("SEGSERVE_SERVE_WROKERS", "4")
    (tmp_path / "deeplabv3-1.0.mar").write_bytes(b"cut short")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setenv("SEGSERVE_SERVE_UI_PORT", str(holder.getsockname()[1]))
        assert main([]) == 1
    variable, archive, port = _wrong(capsys)
    assert "SEGSERVE_SERVE_WROKERS (is SEGSERVE_SERVE_WORKERS meant?)" in variable
    assert "deeplabv3-1.0.mar is not a model archive" in archive
    assert "--ui-port" in port


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[predict]\nrendr = 'overlay'\n", "rendr is unknown in [predict]"),
        ("[pack]\n", "there is no command pack"),
        ("nonsense", "not TOML"),
    ],
)
def test_a_bad_configuration_is_a_finding(
    capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    """The tables of all commands are checked; the other checks still run."""
    Path("segserve.toml").write_text(text)
    assert main([]) == 1
    assert any(words in line and "configuration" in line for line in _wrong(capsys))


def test_a_setting_that_makes_no_sense_is_a_finding(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other checks use the default instead."""
    monkeypatch.setenv("SEGSERVE_SERVE_WORKERS", "many")
    assert main([]) == 1
    assert any("SEGSERVE_SERVE_WORKERS: Input should be" in line for line in _wrong(capsys))
