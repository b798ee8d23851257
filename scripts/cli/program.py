"""The program: a group that imports a command's module only when it is needed."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from scripts.cli.config import current
from scripts.cli.errors import (
    INTERRUPTED,
    PROGRAM,
    StoppedError,
    close_broken_pipe,
    line_of,
    say,
)


@dataclass(frozen=True)
class Entry:
    """A sub-command that is not imported yet.

    module: where it lies, under its own name. summary: its line in the help of the program.
    requirements: the file of deploy/requirements/ that has the packages it needs.
    """

    module: str
    summary: str
    requirements: str


class Program(click.Group):
    """The sub-commands by name; --help and completion of their names import none of them."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the sub-commands in the order of definition, not alphabetically."""
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command. None if there is none of this name."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(importlib.import_module(entry.module), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, with the configuration's values behind its flags and variables."""
        name, command, rest = super().resolve_command(ctx, args)
        # What is wrong with the file is the doctor's subject, and no reason to show no help.
        if name and command and name != "doctor" and "--help" not in rest:
            ctx.default_map = {name: current(ctx).defaults(command, [name])}
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help's table of commands, from the entries."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.summary) for name, each in self._entries.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of sub-commands, then the program's own options."""
        names = [
            CompletionItem(name, help=each.summary)
            for name, each in self._entries.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; Ctrl-C becomes a failure like others."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise StoppedError("stopped") from exc
        except ModuleNotFoundError as exc:
            raise self._missing(exc, str(ctx.invoked_subcommand)) from exc

    def _missing(self, exc: ModuleNotFoundError, command: str) -> click.ClickException:
        package = str(exc.name).split(".")[0]
        file = f"deploy/requirements/{self._entries[command].requirements}.txt"
        return click.ClickException(
            f"`{PROGRAM} {command}` needs the package {package}, which is not installed: "
            f"{sys.executable} -m pip install -r {file}"
        )

    def main(  # type: ignore[override]  # one signature instead of two for standalone_mode
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the program; a failure is one line on standard error and an exit status."""
        extra["prog_name"] = PROGRAM
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        sys.exit(self._status(args, extra))

    def _status(self, args: Sequence[str] | None, extra: dict[str, Any]) -> int:
        try:
            result = super().main(args, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as exc:
            exc.show()
            return exc.exit_code
        except click.ClickException as exc:
            say(line_of(exc))
            return exc.exit_code
        except click.Abort:
            say("stopped")
            return INTERRUPTED
        except BrokenPipeError:
            close_broken_pipe()
            return 1
        except OSError as exc:
            say(str(exc))
            return 1
        return result if isinstance(result, int) else 0
