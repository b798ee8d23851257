"""The sub-commands that change who gets what: canary, shadow, promote, rollback, alias, default."""

from typing import TYPE_CHECKING, Any

import click

from scripts.administration.commands.options import carry_out, changing, seconds, waiting
from scripts.cli.command import Command
from scripts.cli.options import VERSION, Name, option

if TYPE_CHECKING:
    from scripts.administration.client import Gateway
    from scripts.administration.operations import Answer

PERCENT = click.IntRange(0, 100)


@click.command("canary", cls=Command, epilog="\b\nExample:\n  segserve versions canary 1.1 10")
@click.argument("version", type=VERSION, help="The version to try.")
@click.argument("percent", type=PERCENT, help="Its share of the clients; 0 pauses it.")
@changing
def canary_command(version: str, percent: int, why: str, **flags: Any) -> None:
    """Let a version answer a share of the clients, always the same ones."""
    _share("canary", version, percent, why, flags)


@click.command("shadow", cls=Command, epilog="\b\nExample:\n  segserve versions shadow 1.1 25")
@click.argument("version", type=VERSION, help="The version to compare.")
@click.argument("percent", type=PERCENT, help="Its share of the images; 0 pauses it.")
@changing
def shadow_command(version: str, percent: int, why: str, **flags: Any) -> None:
    """Send copies of a share of the images to a version, and compare its masks."""
    _share("shadow", version, percent, why, flags)


def _share(alias: str, version: str, percent: int, why: str, flags: dict[str, Any]) -> None:
    def shared(gateway: "Gateway", _: object) -> "Answer":
        from scripts.administration.operations import share

        return share(gateway, alias, version, percent, why)

    carry_out(shared, **flags)


@click.command(
    "promote",
    cls=Command,
    epilog="\b\nExamples:\n  segserve versions promote canary\n"
    '  segserve versions promote 1.1 --force --why "no data yet"',
)
@click.argument("version", type=VERSION, help="The version, or an alias such as canary.")
@option("--force", is_flag=True, help="Overrule the gate; needs --why.")
@changing
@waiting
def promote_command(
    version: str, force: bool, why: str, wait: float, no_wait: bool, **flags: Any
) -> None:
    """Make a version stable, if what was measured of it allows it."""
    if force and not why.strip():
        raise click.UsageError("--force needs the reason: --why")

    def promoted(gateway: "Gateway", _: object) -> "Answer":
        from scripts.administration.operations import promote

        return promote(gateway, version, seconds(wait, no_wait), force=force, why=why)

    carry_out(promoted, **flags)


@click.command("rollback", cls=Command, epilog="\b\nExample:\n  segserve versions rollback")
@changing
@waiting
def rollback_command(why: str, wait: float, no_wait: bool, **flags: Any) -> None:
    """Make the version stable again that was so before."""

    def rolled_back(gateway: "Gateway", _: object) -> "Answer":
        from scripts.administration.operations import roll_back

        return roll_back(gateway, seconds(wait, no_wait), why)

    carry_out(rolled_back, **flags)


@click.command(
    "alias",
    cls=Command,
    epilog="\b\nExamples:\n  segserve versions alias next 1.1\n"
    "  segserve versions alias next --remove",
)
@click.argument("alias", type=Name("alias"), help="A name that clients use as a version.")
@click.argument("version", type=VERSION, required=False, help="The version that it names.")
@option("--remove", is_flag=True, help="Remove the alias, with its share of the traffic.")
@changing
def alias_command(alias: str, version: str | None, remove: bool, why: str, **flags: Any) -> None:
    """Give a version another name, or remove it."""
    if remove == (version is not None):
        raise click.UsageError("name a VERSION, or --remove the alias")

    def named(gateway: "Gateway", _: object) -> "Answer":
        from scripts.administration.operations import remove_alias, set_alias

        if version is None:
            return remove_alias(gateway, alias, why)
        return set_alias(gateway, alias, version, why)

    carry_out(named, **flags)


@click.command("default", cls=Command, epilog="\b\nExample:\n  segserve versions default 1.1")
@click.argument("version", type=VERSION, help="The version that becomes stable.")
@changing
def default_command(version: str, why: str, **flags: Any) -> None:
    """Make a version stable at once; refused where it has no worker that is ready.

    No gate is asked; promote asks it.
    """

    def made_default(gateway: "Gateway", _: object) -> "Answer":
        from scripts.administration.operations import make_default

        return make_default(gateway, version, why)

    carry_out(made_default, **flags)
