"""The sub-commands that change nothing: list, traffic, history, diff, nodes."""

from typing import TYPE_CHECKING

import click

from scripts.administration.commands.options import carry_out, common, reading
from scripts.cli.command import Command
from scripts.cli.options import VERSION, option
from scripts.launch.settings import Settings

if TYPE_CHECKING:
    from scripts.administration.client import Gateway
    from scripts.administration.operations import Answer


@click.command("list", cls=Command, epilog="\b\nExample:\n  segserve versions list")
@reading
@common("--all", "every", is_flag=True, help="List retired versions too.")
def list_command(gateway: str | None, key: str | None, json: bool, every: bool) -> None:
    """List the versions, their aliases, and their state on each node."""

    def listed(found: "Gateway", _: Settings) -> "Answer":
        from scripts.administration import tables
        from scripts.administration.operations import Answer

        versions = [each for each in found.versions() if every or each["state"] == "available"]
        return Answer(tables.versions(versions), versions)

    carry_out(listed, gateway, key, json=json)


@click.command("traffic", cls=Command, epilog="\b\nExample:\n  segserve versions traffic")
@reading
def traffic_command(gateway: str | None, key: str | None, json: bool) -> None:
    """Show which version gets which share of the traffic."""

    def shown(found: "Gateway", _: Settings) -> "Answer":
        from scripts.administration import tables
        from scripts.administration.operations import Answer

        model = found.read(found.of_model)
        return Answer(tables.traffic(model), model)

    carry_out(shown, gateway, key, json=json)


@click.command("history", cls=Command, epilog="\b\nExample:\n  segserve versions history")
@reading
@option("--limit", type=click.IntRange(min=1), default=20, help="The number of newest changes.")
def history_command(gateway: str | None, key: str | None, json: bool, limit: int) -> None:
    """List who changed what, when and why, the newest first."""

    def listed(found: "Gateway", _: Settings) -> "Answer":
        from scripts.administration import tables
        from scripts.administration.client import AUDIT
        from scripts.administration.operations import Answer

        entries = found.items(AUDIT, most=limit, model=found.model)
        return Answer(tables.history(entries), entries)

    carry_out(listed, gateway, key, json=json)


@click.command("diff", cls=Command, epilog="\b\nExample:\n  segserve versions diff 1.0 1.1")
@click.argument("first", type=VERSION, help="A version.")
@click.argument("second", type=VERSION, help="Another one.")
@reading
def diff_command(first: str, second: str, gateway: str | None, key: str | None, json: bool) -> None:
    """Compare two versions: classes, input, provenance, evaluations, shadow comparison."""

    def compared(found: "Gateway", _: Settings) -> "Answer":
        from scripts.administration.difference import difference

        return difference(found, first, second)

    carry_out(compared, gateway, key, json=json)


@click.command("nodes", cls=Command, epilog="\b\nExample:\n  segserve versions nodes")
@reading
def nodes_command(gateway: str | None, key: str | None, json: bool) -> None:
    """List the machines with a TorchServe, what each has and what it is doing."""

    def listed(found: "Gateway", _: Settings) -> "Answer":
        from scripts.administration import tables
        from scripts.administration.client import NODES
        from scripts.administration.operations import Answer

        nodes = found.items(NODES)
        return Answer(tables.nodes(nodes), nodes)

    carry_out(listed, gateway, key, json=json)
