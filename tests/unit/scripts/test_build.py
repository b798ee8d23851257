"""`segserve build`: archives and exports, with failures in one line."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT
from scripts.readers import chain
from tests.unit.scripts.commands import command
from tests.unit.scripts.export.test_export_model import SwapsClassesWhenTraced
from tests.unit.tiny import tiny_checkpoint

pytestmark = pytest.mark.slow

main = command("build")


ENDLESS = """
import sys, threading
from scripts.__main__ import program
from scripts.export import build_archive

def export(_checkpoint, _target, folder):
    folder.mkdir(parents=True)
    print("exporting", flush=True)
    threading.Event().wait(60)

build_archive.export = export
program.main(["build", "--device", "cpu", "--store", sys.argv[1]])
"""


def test_an_end_from_outside_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    """SIGTERM, with which the supervisor ends a build, also removes the build folder."""
    command = [sys.executable, "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "exporting\n"
        assert [path.suffix for path in tmp_path.iterdir()] == [".building"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_whether_it_built(
    archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the bundled model and the real store."""
    assert main(["--device", "cpu"]) == 0
    assert f"{archive} is up to date" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--weights", "--labels", "--card"])
def test_a_file_that_is_not_there_is_one_line(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left in the store."""
    missing = tmp_path / "none"
    assert main([flag, str(missing), "--store", str(tmp_path / "store")]) == 1
    assert capsys.readouterr().err == f"segserve: {flag} {missing}: there is no such file\n"
    assert not (tmp_path / "store").exists()


def test_weights_are_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    """As an argument or by the flag."""
    assert main(["a.pth", "--weights", "b.pth"]) == 2
    assert "name the weights once: a.pth, or --weights b.pth" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--version", "--name"])
def test_an_alias_with_a_meaning_is_no_name_of_an_archive(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No gateway would take it; nothing is built."""
    assert main([flag, "canary", "--store", str(tmp_path / "store")]) == 2
    assert f"Invalid value for '{flag}': 'canary' is no name of a" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_weights_typed_count_more_than_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An argument is a flag's equal."""
    monkeypatch.setenv("SEGSERVE_WEIGHTS", str(tmp_path / "other.pth"))
    assert main([str(tmp_path / "mine.pth")]) == 1
    assert "mine.pth: there is no such file" in capsys.readouterr().err


def test_an_export_alone_reports_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0, and the agreement on each photograph."""
    monkeypatch.setattr(chain, "load_checkpoint", lambda _choice: tiny_checkpoint())
    assert main(["--device", "cpu", "--export-only", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "exported tiny (made for a test) for openvino" in printed
    assert "cat.jpg" in printed


def test_an_export_alone_fails_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and one line on standard error."""
    missing = str(tmp_path / "none.pth")
    assert main(["--weights", missing, "--export-only", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert errors == f"segserve: --weights {missing}: there is no such file\n"


def test_an_export_alone_fails_when_the_proof_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No artefact is left that could be mistaken for a good one."""
    checkpoint = replace(tiny_checkpoint(), network=SwapsClassesWhenTraced().eval())
    monkeypatch.setattr(chain, "load_checkpoint", lambda _choice: checkpoint)
    assert main(["--device", "cpu", "--export-only", str(tmp_path)]) == 1
    assert "% are required" in capsys.readouterr().err
