"""Errors of commands: one line on standard error and an exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import click

PROGRAM = "segserve"
INTERRUPTED = 130  # the exit status of a program that Ctrl-C ended


class CommandError(click.ClickException):
    """The command cannot be carried out; the text is one line that says what to do."""


class StoppedError(click.ClickException):
    """Ctrl-C ended the command; the text says what is left to do."""

    exit_code: ClassVar[int] = INTERRUPTED


@contextmanager
def reporting(*failures: type[Exception], prefix: str = "") -> Iterator[None]:
    """Turn the expected failures of the block into a CommandError with their text."""
    try:
        yield
    except failures as exc:
        raise CommandError(f"{prefix}{exc}") from exc


def say(message: str) -> None:
    """Write one line to standard error, with the program's name before it."""
    click.echo(f"{PROGRAM}: {' / '.join(message.splitlines())}", err=True)


def line_of(exc: click.ClickException) -> str:
    """The line that reports a failure; for a usage error it names the command's help."""
    message = exc.format_message()
    if not isinstance(exc, click.UsageError):
        return message
    command = exc.ctx.command_path if exc.ctx else PROGRAM
    return f"{message.removesuffix('.')}; see `{command} --help`"


def close_broken_pipe() -> None:
    """Let the interpreter end quietly after the reader of standard output has gone."""
    sys.stdout = open("/dev/null", "w")  # noqa: SIM115, PTH123 - as long as the process lives
