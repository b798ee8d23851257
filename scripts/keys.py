"""``segserve keys``: the gateway's own command, in a module that imports nothing else."""

from gateway.keys.command import keys as keys
