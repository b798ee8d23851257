"""The sub-commands that change what nodes have: add, scale, remove, forget."""

import re
from typing import TYPE_CHECKING, Any

import click

from scripts.administration.commands.options import (
    carry_out,
    changing,
    explained,
    reading,
    seconds,
    waiting,
)
from scripts.cli.command import Command
from scripts.cli.options import VERSION, option
from scripts.launch.settings import MOST_WORKERS, Settings

if TYPE_CHECKING:
    from scripts.administration.client import Gateway
    from scripts.administration.operations import Answer

EVERY_NODE = "*"


class Node(click.ParamType[str]):
    """The name of a node, as the gateway takes it."""

    name = "node"
    _PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

    def __init__(self, *, or_every: bool = False) -> None:
        self._or_every = or_every

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name. Raises BadParameter."""
        if not (self._PATTERN.fullmatch(str(value)) or (self._or_every and value == EVERY_NODE)):
            self.fail(f"{value!r} is not a valid node name", param, ctx)
        return str(value)


@click.command("add", cls=Command, epilog="\b\nExample:\n  segserve versions add deeplabv3-1.1.mar")
@click.argument("archive", help="A .mar file: a path, or a name in the model store.")
@option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help="Worker processes on each node. [default: as many as the node gives a version]",
)
@option("--keep", is_flag=True, help="Keep the version even if a node cannot serve it.")
@reading
@waiting
def add_command(
    archive: str,
    workers: int | None,
    keep: bool,
    wait: float,
    no_wait: bool,
    **flags: Any,
) -> None:
    """Add an archive, and wait until every node serves it; no request goes to it by itself."""

    def added(gateway: "Gateway", settings: Settings) -> "Answer":
        from scripts.administration.adding import add, locate
        from scripts.administration.operations import added as answer

        path = locate(archive, settings.model_store)
        wait_s = seconds(wait, no_wait)
        record, is_new = add(gateway, path, workers, wait_s, keep=keep)
        return answer(record, is_new=is_new)

    carry_out(added, **flags)


@click.command("scale", cls=Command, epilog="\b\nExample:\n  segserve versions scale 1.1 4")
@click.argument("version", type=VERSION, help="A version.")
@click.argument(
    "workers", type=click.IntRange(0, MOST_WORKERS), help="Its worker processes on each node."
)
@option(
    "--node", type=Node(or_every=True), default=EVERY_NODE, help="Only this node. * is every one."
)
@changing
@waiting
def scale_command(
    version: str, workers: int, node: str, why: str, wait: float, no_wait: bool, **flags: Any
) -> None:
    """Set a version's number of workers; 0 unloads it, the stable version keeps one at least."""

    def scaled(gateway: "Gateway", _: Settings) -> "Answer":
        from scripts.administration.operations import scale

        return scale(gateway, version, workers, seconds(wait, no_wait), node=node, why=why)

    carry_out(scaled, **flags)


@click.command("remove", cls=Command, epilog="\b\nExample:\n  segserve versions remove 1.0")
@click.argument("version", type=VERSION, help="A version without an alias.")
@changing
@waiting
def remove_command(version: str, why: str, wait: float, no_wait: bool, **flags: Any) -> None:
    """Unload a version everywhere and retire it; its record stays in the history."""

    def removed(gateway: "Gateway", _: Settings) -> "Answer":
        from scripts.administration.operations import remove

        return remove(gateway, version, seconds(wait, no_wait), why)

    carry_out(removed, **flags)


@click.command("forget", cls=Command, epilog="\b\nExample:\n  segserve versions forget gpu-1-8081")
@click.argument(
    "node", type=Node(), help="A node of `segserve versions nodes` that will not come back."
)
@explained
def forget_command(node: str, why: str, **flags: Any) -> None:
    """Forget a node; one that is heard again is listed again."""

    def forgotten(gateway: "Gateway", _: Settings) -> "Answer":
        from scripts.administration.operations import forget

        return forget(gateway, node, why)

    carry_out(forgotten, **flags)
