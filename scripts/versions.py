"""``segserve versions``: the versions that are served, and who gets which."""

import click

from scripts.administration.commands import presence, reading, traffic
from scripts.cli.command import Group

EPILOG = """\b
Examples:
  segserve build --version 1.1
  segserve versions add deeplabv3-1.1.mar
  segserve versions canary 1.1 10
  segserve versions promote 1.1
  segserve versions rollback
  segserve versions remove 1.1
"""
COMMANDS = (
    reading.list_command,
    presence.add_command,
    traffic.canary_command,
    traffic.shadow_command,
    reading.traffic_command,
    traffic.promote_command,
    traffic.rollback_command,
    traffic.default_command,
    traffic.alias_command,
    presence.scale_command,
    presence.remove_command,
    reading.history_command,
    reading.diff_command,
    reading.nodes_command,
    presence.forget_command,
)


@click.group(cls=Group, epilog="\b\nExample:\n  segserve versions list")
def versions() -> None:
    """Manage the versions that are served, and who gets which.

    Asks a gateway, which keeps what should be; every machine's TorchServe follows within
    seconds, also after a restart. On the gateway's machine its user needs no key; elsewhere
    --gateway and the key of an admin are needed.
    """


for _command in COMMANDS:
    versions.add_command(_command)
