"""Commands and groups of commands with what all of ours have."""

from typing import Any

import click

from scripts.cli.options import config_option, warn_of_former_names


class Command(click.Command):
    """A command with --config, which says when a variable's former name was used."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.params.append(config_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; the warning also comes where a value is refused."""
        try:
            return super().parse_args(ctx, args)
        finally:
            warn_of_former_names(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are read, not the alphabet's."""
        return list(self.commands)
