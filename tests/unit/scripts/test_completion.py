"""Shell completion of commands, flags and values."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT

pytestmark = pytest.mark.slow

SHELLS = [shell for shell in ("bash", "zsh") if shutil.which(shell)]
# As zsh reads it: kind, text and help of each.
CLICK_ZSH = re.compile(r"^(?:plain|file|dir)\n(.*)\n.*$", re.MULTILINE)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """An environment with the program on PATH."""
    program = tmp_path / "segserve"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m scripts "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}


def _completed(environment: Mapping[str, str], line: str) -> list[str]:
    """The completions that bash offers for the last word of a line."""
    words = line.split(" ")
    script = f"""
        eval "$(_SEGSERVE_COMPLETE=bash_source segserve)"
        COMP_WORDS=({" ".join(words)} {'""' if line.endswith(" ") else ""})
        COMP_CWORD={len(words) - 1}
        _segserve_completion segserve
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("segserve pre", ["predict", "prepare"]),
        ("segserve versions r", ["rollback", "remove"]),
        ("segserve prepare f", ["filter-pseudo-labels"]),
        ("segserve predict --re", ["--render", "--resume"]),
        ("segserve predict --render c", ["colour", "confidence", "cutout"]),
        ("segserve serve --device ", ["auto", "cpu", "cuda"]),
        ("segserve serve --gateway", ["--gateway-port"]),
        ("segserve train --model deeplabv3_m", ["deeplabv3_mobilenet_v3_large"]),
    ],
)
def test_bash_is_offered_what_fits(
    environment: Mapping[str, str], line: str, offered: list[str]
) -> None:
    """Names of commands and flags, and values."""
    assert _completed(environment, line) == offered


def test_a_configuration_that_is_wrong_is_silent_while_one_types(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    """The error appears when the command runs."""
    (tmp_path / "segserve.toml").write_text("nonsense")
    there = {**environment, "SEGSERVE_CONFIG": str(tmp_path / "segserve.toml")}
    assert _completed(there, "segserve build --for") == ["--force"]


def _until(terminal: int, text: str) -> str:
    """Read a terminal's output until ``text`` is in it."""
    shown, end = "", time.monotonic() + 30
    while text not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65_536).decode(errors="replace")
    assert text in shown, shown
    return shown


def test_the_tabulator_completes_in_a_real_bash(environment: Mapping[str, str]) -> None:
    """In a terminal, set up by the line that the help gives."""
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        env={**environment, "PS1": "> ", "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        os.write(ours, b'eval "$(_SEGSERVE_COMPLETE=bash_source segserve)"; echo it is "done"\n')
        _until(ours, "it is done\r\n")
        os.write(ours, b"segserve vers\t")
        _until(ours, "segserve versions ")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_takes_what_it_is_given(environment: Mapping[str, str], shell: str) -> None:
    """The line from the help is valid, and prints nothing."""
    line = f'eval "$(_SEGSERVE_COMPLETE={shell}_source segserve)"'
    before = "autoload -Uz compinit; compinit -D;" if shell == "zsh" else ""
    done = subprocess.run(
        [shell, "-c", f"{before} {line}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_zsh_is_offered_names_with_their_sentences(environment: Mapping[str, str]) -> None:
    """zsh's function reads them from the program."""
    asked = {"_SEGSERVE_COMPLETE": "zsh_complete", "COMP_WORDS": "segserve pre", "COMP_CWORD": "1"}
    done = subprocess.run(
        ["segserve"],
        env={**environment, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert CLICK_ZSH.findall(done.stdout) == ["predict", "prepare"]
    assert "Segment files through the running gateway." in done.stdout
