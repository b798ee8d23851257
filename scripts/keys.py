"""``segserve keys``: the command of the gateway, where nothing else of this program lies."""

from gateway.keys.command import keys as keys
