"""Click's Command and Group, extended by --config and by warnings about renamed variables."""

from typing import Any

import click

from scripts.cli.options import config_option, warn_of_former_names


class Command(click.Command):
    """A command with --config, which warns of variables that are set under a former name."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params.append(config_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, then warn of former names, even if a value is refused."""
        try:
            return super().parse_args(ctx, args)
        finally:
            warn_of_former_names(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the sub-commands in the order of definition, not alphabetically."""
        return list(self.commands)
