"""The only place that runs commands: with a timeout, and the output kept for failure messages."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence


class CommandError(RuntimeError):
    """A command failed, was not found or took too long; the message holds the end of its output."""


def which(name: str) -> str:
    """The full path of a program, or CommandError."""
    path = shutil.which(name)
    if path is None:
        raise CommandError(f"{name} is not installed")
    return path


def run(command: Sequence[str], *, timeout_s: float, env: Mapping[str, str] | None = None) -> str:
    """Run a command to its end and return its standard output; CommandError unless it exits 0."""
    line = " ".join(command)
    try:
        done = subprocess.run(
            [which(command[0]), *command[1:]],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=env,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CommandError(f"took more than {timeout_s:.0f} s: {line}") from exc
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-6000:]
        raise CommandError(f"exit status {done.returncode}: {line}\n{output}")
    return done.stdout


def succeeds(command: Sequence[str], *, timeout_s: float) -> bool:
    """Whether a command exits 0 in time."""
    try:
        run(command, timeout_s=timeout_s)
    except CommandError:
        return False
    return True
