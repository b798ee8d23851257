"""Sub-commands of ``segserve`` run in this process, and a list of them all."""

from collections.abc import Callable, Iterator, Sequence

import click
import pytest

from scripts.__main__ import program


def command(*name: str) -> Callable[[Sequence[str]], int]:
    """The sub-command as a function from its arguments to its exit status."""

    def run(arguments: Sequence[str]) -> int:
        with pytest.raises(SystemExit) as ended:
            program.main([*name, *arguments])
        return int(ended.value.code or 0)

    return run


def contexts() -> Iterator[click.Context]:
    """A context of every sub-command, groups excluded."""
    root = click.Context(program, info_name="segserve", **program.context_settings)
    yield from _below(root)


def _below(ctx: click.Context) -> Iterator[click.Context]:
    group = ctx.command
    if not isinstance(group, click.Group):
        yield ctx
        return
    for name in group.list_commands(ctx):
        each = group.get_command(ctx, name)
        assert each is not None
        yield from _below(click.Context(each, parent=ctx, info_name=name))


def options_of(ctx: click.Context) -> list[click.Option]:
    """The options of a sub-command, without --help."""
    return [each for each in ctx.command.params if isinstance(each, click.Option)]
